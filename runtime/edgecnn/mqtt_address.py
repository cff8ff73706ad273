"""The address of a broker: `mqtt://[user@]host[:port]/topic`, `mqtts://` for TLS; and where its password comes from."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file

PASSWORD = "EDGECNN_MQTT_PASSWORD"  # in the environment
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_FORM = "write mqtt://[user@]host[:port]/topic, or mqtts:// for TLS"
_MOST = 4096  # bytes of a file with a password


@dataclass(frozen=True)
class Address:
    """A broker and a topic."""

    host: str
    port: int
    tls: bool
    user: str | None
    topic: str


def mqtt_address(text: str) -> Address:
    """Read an address.

    Raises:
        EdgecnnError: it is none, or it holds a password, which everybody on the machine could read.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise EdgecnnError(f"{bounds.short(text)} is no address of a broker: {_FORM}") from None
    if parts.password is not None:
        raise EdgecnnError(f"a password is no part of --mqtt: put it into {PASSWORD}, or name --mqtt-password-file")
    topic = unquote(parts.path).strip("/")
    if parts.scheme not in _PORTS or not parts.hostname or port == 0 or not topic or parts.query or parts.fragment:
        raise EdgecnnError(f"{bounds.short(text)} is no address of a broker: {_FORM}")
    if set("+#\0") & set(topic):
        raise EdgecnnError(f"the topic {bounds.short(topic)} holds a wildcard, + or #: leave it out")
    bounds.text(topic, "the topic")
    user = bounds.text(unquote(parts.username), "the user") if parts.username else None
    host = bounds.host(parts.hostname, "the broker")
    return Address(host, port or _PORTS[parts.scheme], parts.scheme == "mqtts", user, topic)


def password(file: Path | None) -> str | None:
    """The password: the first line of the file, or that of the environment; None if there is none."""
    if file is None:
        return os.environ.get(PASSWORD)
    lines = read_file(file, _MOST).decode(errors="replace").splitlines()
    if not lines or not lines[0]:
        raise EdgecnnError(f"{file} is empty: its first line is the password")
    return lines[0]
