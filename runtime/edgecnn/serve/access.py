"""Who may ask: a token where one is set, no page of another site, no strange name; and what every refusal says."""

import hmac
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgecnn.serve.refusal import CLOSE, RefusalError

PUBLIC = frozenset(("/", "/v2/health/live", "/v2/health/ready"))  # the page holds nothing secret; it asks for the token
_LOCAL_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))
HINT = "/ is the page, /v2 the Open Inference Protocol, and POST /classify takes pictures"
_CHALLENGE = {"www-authenticate": 'Bearer realm="edgecnn"'}


class Guard:
    """The application behind its checks.

    Args:
        app: answers the requests that may be answered.
        token: wanted of every request but those of `PUBLIC`; None wants none.
        local: whether only names of this machine lead here: so no site's name does that is bound to 127.0.0.1 (DNS
            rebinding).
        tell: is called with a line at a fault of ours.
        count: is called with the status of a refusal.
    """

    def __init__(
        self, app: ASGIApp, token: bytes | None, local: bool, tell: Callable[[str], None], count: Callable[[int], None]
    ) -> None:
        self._app, self._token, self._local, self._tell, self._count = app, token, local, tell, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            return
        except Exception as error:
            refusal = self._refusal(error)
            self._count(refusal.status)
            if not started:
                await Response(refusal.body, refusal.status, refusal.headers, "application/json")(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Refuse who may not ask.

        Raises:
            RefusalError: with the reason.
        """
        scope["app"] = self  # routing then raises its refusals
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if self._local and self._token is None and _name(host) not in _LOCAL_NAMES:
            raise RefusalError(400, "this server answers to localhost only: ask http://localhost")
        origin = headers.get(b"origin")
        if origin is not None and _netloc(origin.decode("latin-1")) != host.lower():
            raise RefusalError(403, "pages of other sites may not ask this server")
        if self._token is not None and scope["path"] not in PUBLIC:
            self._check_token(headers.get(b"authorization", b""))

    def _check_token(self, words: bytes) -> None:
        scheme, _, token = words.partition(b" ")
        if not words:
            raise RefusalError(401, "a token is wanted: send the header 'Authorization: Bearer TOKEN'", _CHALLENGE)
        assert self._token is not None
        if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._token):
            raise RefusalError(401, "the token is another one: see where the server was started", _CHALLENGE)

    def _refusal(self, error: Exception) -> RefusalError:
        if isinstance(error, RefusalError):
            return error
        if isinstance(error, HTTPException):
            return RefusalError(error.status_code, f"{error.detail}: {HINT}", error.headers)
        if isinstance(error, MemoryError):
            return RefusalError(413, "this takes more memory than there is: send less at once", CLOSE)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        words = " ".join(str(error).split())[:200]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        self._tell(f"a fault of edgecnn's: {type(error).__name__}: {words} (at {place})")
        return RefusalError(500, "a fault of edgecnn's, not yours: its log has a line", CLOSE)


def _name(host: str) -> str:
    """The name of a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
