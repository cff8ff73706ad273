"""Pictures and logs only decorate a training: if they fail, the training goes on."""

import contextlib
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def decorating(name: str) -> Iterator[None]:
    """Turn any error inside into one line on stderr, and ignore warnings.

    Args:
        name: of the file that is left out after an error.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except Exception as error:
        why = " ".join(str(error).split())
        print(f"warning: {name} is left out: {type(error).__name__}: {why[:200]}", file=sys.stderr)
