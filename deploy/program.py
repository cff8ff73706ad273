"""The program that installs a bundle: it lies in every bundle, and a fleet sends it to each host first."""

from pathlib import Path

from deploy.index import PACKAGE, PROGRAM
from edgecnn.files import read_file

# They import each other and the standard library, and are written for Python 3.7 and later.
MODULES = (
    "__init__", "acceptance", "building", "bundlefile", "disk", "index", "install", "machine", "signature", "versions",
)  # fmt: skip
_FOLDER = Path(__file__).parent
_START = "import sys\n\nfrom deploy.install import run\n\nsys.exit(run())\n"


def program() -> dict[str, bytes]:
    """Its files by their names; Python runs them as a ZIP or as a folder."""
    modules = {f"{PACKAGE}/{name}.py": read_file(_FOLDER / f"{name}.py") for name in MODULES}
    return {PROGRAM: _START.encode(), **modules}


def probe() -> str:
    """A program for `python3 -c`, with a folder as its argument: see `deploy.machine`."""
    return read_file(_FOLDER / "machine.py").decode()
