"""The program that installs a bundle: it lies in every bundle, and goes ahead of one to the hosts of a fleet."""

from pathlib import Path

from deploy.bundlefile import PACKAGE, PROGRAM
from edgecnn.files import read_file

_MODULES = ("__init__", "bundlefile", "install", "versions")
_START = "import sys\n\nfrom deploy.install import run\n\nsys.exit(run())\n"


def program() -> dict[str, bytes]:
    """Its files by their names: as a ZIP or a folder, Python runs them."""
    here = Path(__file__).parent
    modules = {f"{PACKAGE}/{name}.py": read_file(here / f"{name}.py") for name in _MODULES}
    return {PROGRAM: _START.encode(), **modules}
