"""A module for each operator: how it becomes steps of C, with what constants, by which kernel.

To add one: a module here with a function `@lowers("KIND")` and a subclass of `Step`, and kernels/KERNEL.h with a
portable function KERNEL. `layer` and `windows` hold what operators share.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
