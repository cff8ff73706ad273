"""The body of a request, as far as it may go."""

from starlette.requests import Request

from edgecnn.serve.refusal import CLOSE, RefusalError

MOST = 2**24  # bytes of a picture, or of tensors


async def read_body(request: Request, most: int = MOST) -> bytes:
    """All bytes of a body.

    Raises:
        RefusalError: there are more than `most`, or they are compressed.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusalError(415, "compressed bodies are not read: send it as it is", CLOSE)
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:20]) > most:
        raise _too_long(most)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_long(most)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_long(most: int) -> RefusalError:
    return RefusalError(413, f"the body has more than {most:,} bytes, the most that are read: send less", CLOSE)
