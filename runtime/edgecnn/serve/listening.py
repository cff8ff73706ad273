"""The socket of the server, and who reaches it."""

import contextlib
import ipaddress
import socket
from collections.abc import Iterator

from edgecnn import bounds
from edgecnn.errors import EdgecnnError

_IN_USE = (98, 48, 10048)  # EADDRINUSE of Linux, macOS and Windows


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens.

    Raises:
        EdgecnnError: the port is in use, or the address is none, or none of this machine.
    """
    bounds.host(host, "--host")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        cause = str(error.strerror).partition(" (while")[0]  # Python adds the address
        reason = "is in use: choose another one (--port)" if error.errno in _IN_USE else f"cannot be used: {cause}"
        raise EdgecnnError(f"port {port} of {bounds.short(host)} {reason}") from None
    with listener:
        yield listener


def is_local(listener: socket.socket) -> bool:
    """Whether this machine alone reaches a socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def url_of(listener: socket.socket) -> str:
    """The URL that leads to a socket."""
    address, port = listener.getsockname()[:2]
    host = f"[{address}]" if ":" in address else address
    return f"http://{socket.gethostname() if address in ('0.0.0.0', '::') else host}:{port}/"
