"""What only decorates a training, pictures and logs, never endangers what counts."""

import contextlib
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def decorating(name: str) -> Iterator[None]:
    """Whatever goes wrong within is one line on stderr, and the training goes on; what is only warned of is no news."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except Exception as error:
        why = " ".join(str(error).split())
        print(f"warning: {name} is left out: {type(error).__name__}: {why[:200]}", file=sys.stderr)
