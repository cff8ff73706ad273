"""Connections whose requests come in time: uvicorn's own wait for ever, and read headers without an end."""

import asyncio
import socket
from collections import OrderedDict
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS = 15.0  # for the headers and the body of a request, and before the first one
HEADERS = 2**16  # bytes of a request's headers
MOST = 512  # connections; above it those that have asked for nothing yet are closed, the oldest first

_silent: "OrderedDict[Connection, None]" = OrderedDict()


class Connection(HttpToolsProtocol):
    """A connection with a bound on time and on headers."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = _unparsed = 0
    _in_headers = True

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request; close another connection if there are too many."""
        super().connection_made(transport)
        # asyncio does so only for sockets that name TCP as their protocol; else an answer waits 40 ms for a delayed ACK
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _silent[self] = None
        self._wait()
        if len(self.connections) > MOST:
            oldest, _ = _silent.popitem(last=False)
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        _silent.pop(self, None)
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, unless a header has no end."""
        super().data_received(data)
        self._unparsed += len(data) if self._in_headers else 0
        if self._unparsed > HEADERS:
            self.send_400_response("")
            return
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self._deadline is None and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self._wait()

    def on_message_begin(self) -> None:
        """Give a request its time."""
        super().on_message_begin()
        self._in_headers, self._header_bytes, self._unparsed = True, 0, 0
        self._stop()
        self._wait()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header, unless there are too many: the parser then ends the request."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADERS:
            raise ValueError("the headers are too long")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Count no more bytes as headers."""
        _silent.pop(self, None)
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Give the answer all the time that it takes."""
        self._stop()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request."""
        if max(self._header_bytes, self._unparsed) > HEADERS:
            self._end(b"431 Request Header Fields Too Large", b"the headers are too long")
        else:
            self._end(b"400 Bad Request", b"this is no request of HTTP/1.1")

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(SECONDS, self._expire)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        """End a connection whose request did not come in time; one that said nothing gets no answer."""
        self._deadline = None
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.response_started:
            self._end(b"408 Request Timeout", b"the request took too long")
        elif not self.transport.is_closing():
            self.transport.close()

    def _end(self, status: bytes, reason: bytes) -> None:
        body = b'{"error": "%s"}' % reason
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, len(body)) + body)
        self.transport.close()
