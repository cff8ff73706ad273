"""A request that is refused: a status and a reason that helps, as the Open Inference Protocol writes errors."""

import json
from collections.abc import Mapping

from edgecnn.errors import EdgecnnError, PictureFormatError, PictureSizeError
from edgecnn.escape import for_json

KINDS = {400: "request", 401: "token", 403: "origin", 404: "path", 405: "method", 408: "time", 413: "size",
         415: "format", 431: "headers", 500: "fault", 503: "busy"}  # fmt: skip
CLOSE = {"connection": "close"}


class RefusalError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        reason: one line.
        headers: of the response.
    """

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, dict(headers or {})

    @property
    def body(self) -> bytes:
        """JSON with the reason."""
        return for_json(json.dumps({"error": self.reason})).encode()


def refusal_of(error: EdgecnnError) -> RefusalError:
    """The refusal of a picture or of pixels that the runtime does not take."""
    if isinstance(error, PictureFormatError):
        return RefusalError(415, str(error))
    return RefusalError(413 if isinstance(error, PictureSizeError) else 400, str(error))
