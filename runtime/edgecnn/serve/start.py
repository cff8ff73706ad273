"""The command `edgecnn serve`, where its extra is installed."""

import argparse

from edgecnn.errors import EdgecnnError


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn serve`.

    Raises:
        EdgecnnError: the extra is not installed.
    """
    try:
        from edgecnn.serve import command
    except ImportError as error:
        from edgecnn.device import install  # a slow import, only for the error

        names = ("starlette", "uvicorn", "httptools", "prometheus-client")
        cure = install(" ".join(names), " ".join(f"python3-{name}" for name in names))
        raise EdgecnnError(f"a server needs the extra 'serve' ({error.name} is not there): {cure}") from None
    return command.run(options)
