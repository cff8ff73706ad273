"""Messages to an MQTT broker, from a thread of its own: whoever publishes never waits. Needs the extra `mqtt`.

TOPIC/answer holds the newest message, TOPIC/status `online` or, by the last will, `offline`; both are retained. While
the broker is away messages wait, the oldest are dropped if there are too many, and those that it has not acknowledged
are sent again: one may come twice, as MQTT's quality of service 1 says.
"""

import importlib
import json
import queue
import sys
import threading
from collections import deque
from pathlib import Path
from types import ModuleType
from typing import Any

from edgecnn.command import tell
from edgecnn.device import install
from edgecnn.errors import EdgecnnError
from edgecnn.home_assistant import discovery
from edgecnn.message import Message
from edgecnn.mqtt_address import Address, password

EVENTS = 10_000  # that wait for the broker
ONLINE, OFFLINE = "online", "offline"
_SLOWEST, _ALIVE, _PATIENCE = 60, 30, 5.0  # seconds between attempts, at most; between signs of life; at the end


class Publisher:
    """Publishes messages.

    Args:
        address: of the broker, and the topic.
        labels: of the model, for Home Assistant.
        waiting: messages that wait for the broker, the newest ones.
        password_file: holds the password; by default the environment does.
        authorities: a file of certificates that the broker's is checked against; by default the system's.

    Raises:
        EdgecnnError: paho-mqtt is not installed, or a file cannot be read.

    Attributes:
        dropped: messages that were given up since too many waited.
    """

    def __init__(
        self,
        address: Address,
        labels: tuple[str, ...],
        waiting: int = EVENTS,
        password_file: Path | None = None,
        authorities: Path | None = None,
    ) -> None:
        self._address, self._labels, self.dropped = address, labels, 0
        self._waiting: deque[bytes] = deque(maxlen=waiting)
        self._wake, self._connected = threading.Condition(), threading.Event()
        self._acknowledged: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._ending, self._state = False, ""
        self._client = self._new_client(password_file, authorities)
        self._client.connect_async(address.host, address.port, _ALIVE)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _new_client(self, password_file: Path | None, authorities: Path | None) -> Any:
        paho = _paho()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        word = password(password_file)
        if word and not self._address.user:
            raise EdgecnnError("there is a password and no user: write --mqtt mqtt://user@host/topic")
        if self._address.user:
            client.username_pw_set(self._address.user, word)
        if self._address.tls:
            try:
                client.tls_set(str(authorities) if authorities else None)
            except OSError as error:
                raise EdgecnnError(f"{authorities} cannot be read as certificates: {error.strerror or error}") from None
        client.reconnect_delay_set(1, _SLOWEST)
        client.will_set(f"{self._address.topic}/status", OFFLINE, 1, True)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail = lambda *_: self._tell(f"cannot be reached{_reason()}: messages wait")
        client.on_publish = lambda _client, _data, number, *_: self._acknowledged.put(number)
        return client

    def publish(self, message: Message) -> None:
        """Publish a message as soon as the broker takes it; returns at once."""
        with self._wake:
            self.dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(json.dumps(message).encode())
            self._wake.notify()

    def close(self) -> None:
        """Wait a few seconds until all messages are sent, and say goodbye."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        self._thread.join(_PATIENCE)
        if self._connected.is_set():
            self._client.publish(f"{self._address.topic}/status", OFFLINE, 1, True)
        self._client.disconnect()
        self._client.loop_stop()
        if self._waiting:
            self._tell(f"messages not sent: {len(self._waiting):,}")

    def _send(self) -> None:
        """Send what waits, one message after the other; a message leaves when the broker has it."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._ending)
                if not self._waiting:
                    return
                payload = self._waiting[0]
            self._connected.wait()
            number = self._client.publish(f"{self._address.topic}/answer", payload, 1, True).mid
            while self._acknowledged.get() != number:  # paho sends it again after a lost connection
                pass
            with self._wake:
                if self._waiting and self._waiting[0] is payload:  # else too many came meanwhile
                    self._waiting.popleft()

    def _on_connect(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._tell(f"refuses the connection: {reason}")
            return
        for topic, document in discovery(self._address.topic, self._labels):
            client.publish(topic, json.dumps(document), 1, True)
        client.publish(f"{self._address.topic}/status", ONLINE, 1, True)
        self._connected.set()
        self._tell("is connected")

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        if self._connected.is_set() and not self._ending:
            self._tell("is lost: messages wait")
        self._connected.clear()

    def _tell(self, state: str) -> None:
        """Say on stderr what the state is, once."""
        if state != self._state:
            tell(f"mqtt: {self._address.host}:{self._address.port} {state}")
        self._state = state


def _reason() -> str:
    """Why an attempt failed, in brackets: paho calls back while it handles the exception."""
    error = sys.exc_info()[1]
    reason = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or error
    return f" ({reason})" if reason else ""


def _paho() -> ModuleType | Any:
    try:
        return importlib.import_module("paho.mqtt.client")
    except ImportError:
        cure = install("paho-mqtt", "python3-paho-mqtt")
        raise EdgecnnError(f"--mqtt needs paho-mqtt, the extra 'mqtt': {cure}") from None
