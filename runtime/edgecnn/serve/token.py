"""The token that requests bring."""

import os
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file

TOKEN = "EDGECNN_TOKEN"
_LEAST_TOKEN, _MOST_TOKEN = 16, 512  # bytes


def token_of(path: Path | None) -> bytes | None:
    """The token of a file or of the environment; None if there is none.

    Raises:
        EdgecnnError: it is too short, too long, or no line of ASCII.
    """
    words = read_file(path, 2**16) if path else os.environ.get(TOKEN, "").encode()
    token, source = words.strip(), path or f"the variable {TOKEN}"
    if not token and path is None:
        return None
    if not _LEAST_TOKEN <= len(token) <= _MOST_TOKEN or not all(33 <= code <= 126 for code in token):
        raise EdgecnnError(
            f"{source} holds no token of {_LEAST_TOKEN} to {_MOST_TOKEN} letters and digits:"
            " python3 -c 'import secrets; print(secrets.token_urlsafe())' writes one"
        )
    return token
