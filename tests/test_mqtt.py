"""MQTT with a real broker: it goes and comes, nothing waits for it, nothing that is owed is lost."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import brokers
import pytest
from brokers import Broker
from conftest import ROOT, refused, run_here

from edgecnn.errors import EdgecnnError
from edgecnn.mqtt import Publisher
from edgecnn.mqtt_address import PASSWORD, Address, mqtt_address, password
from train.datasets import digits

needs_broker = pytest.mark.skipif(not brokers.available(), reason=brokers.WANTED)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def published_to(broker: Broker, **options: object) -> Publisher:
    return Publisher(Address("127.0.0.1", broker.port, False, None, "home/eye"), ("7", "8"), **options)


@needs_broker
def test_watch_publishes_what_it_prints_and_home_assistant_finds_it(broker: Broker) -> None:
    images = digits().test_images[:4]
    with broker.listener("#") as listener:
        done = subprocess.run(
            [sys.executable, "-m", "edgecnn", "watch", "-", "--on-change", "--mqtt", f"mqtt://127.0.0.1:{broker.port}/home/eye"],
            cwd=ROOT, input=images.tobytes(), capture_output=True, check=True,
        )  # fmt: skip
        printed = [json.loads(line) for line in done.stdout.splitlines()]
        heard = [listener.next() for _ in range(len(printed) + 4)]
    assert [document for _, topic, document in heard if topic == "home/eye/answer"] == printed
    assert [word for _, topic, word in heard if topic == "home/eye/status"] == ["online", "offline"]
    sensors = {topic: document for _, topic, document in heard if topic.startswith("homeassistant/")}
    label = sensors["homeassistant/sensor/edgecnn_home_eye/label/config"]
    assert label["state_topic"] == label["json_attributes_topic"] == "home/eye/answer"
    assert label["availability_topic"] == "home/eye/status"
    assert label["options"][-1] == "unknown"
    with broker.listener("home/eye/answer") as late:
        assert late.next() == (True, "home/eye/answer", printed[-1])


@needs_broker
def test_a_broker_that_goes_and_comes_gets_all_that_is_owed(broker: Broker) -> None:
    with broker.listener("home/eye/#") as listener:
        publisher = published_to(broker)
        publisher.publish({"frame": "0"})
        assert {listener.next()[1] for _ in range(2)} == {"home/eye/status", "home/eye/answer"}
        broker.stop()
        start = time.perf_counter()
        for number in range(1, 200):
            publisher.publish({"frame": str(number)})
        assert time.perf_counter() - start < 1  # it waits for nobody
        broker.start()
        frames: list[int] = []
        while not frames or frames[-1] != 199:
            _, topic, document = listener.next()
            if topic == "home/eye/answer":
                frames.append(int(document["frame"]))
        publisher.close()
    assert publisher.dropped == 0
    assert list(dict.fromkeys([0, *frames])) == list(range(200))  # in their order; one may come twice


@needs_broker
def test_whoever_dies_is_offline(broker: Broker) -> None:
    words = [sys.executable, "-m", "edgecnn", "watch", "-", "--mqtt", f"mqtt://127.0.0.1:{broker.port}/home/eye"]
    with broker.listener("home/eye/status") as listener:
        with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as watch:
            assert listener.next()[2] == "online"
            watch.kill()
        assert listener.next()[2] == "offline"


@needs_broker
def test_too_many_that_wait_are_counted_and_the_newest_stay(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    publisher = published_to(broker, waiting=3)
    for number in range(10):
        publisher.publish({"frame": str(number)})
    assert publisher.dropped == 7
    broker.start()
    with broker.listener("home/eye/answer") as listener:
        while (last := listener.next()[2]) != {"frame": "9"}:
            assert last["frame"] in "78"
    publisher.close()
    broker.stop()


@needs_broker
def test_a_certificate_is_checked_against_those_that_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-out", certificate, "-keyout", key],
        check=True, capture_output=True,
    )  # fmt: skip
    broker = Broker(tmp_path, f"certfile {certificate}", f"keyfile {key}", "allow_anonymous true")
    broker.start()
    try:
        for host, authorities, line in (
            ("localhost", certificate, "is connected"),
            ("127.0.0.1", certificate, "cannot be reached (IP address mismatch, "),
            ("localhost", None, "cannot be reached (self-signed certificate): messages wait"),
        ):
            address = Address(host, broker.port, True, None, "home/eye")
            assert line in _first_state(Publisher(address, ("7",), authorities=authorities), capfd)
    finally:
        broker.stop()


def _first_state(publisher: Publisher, capfd: pytest.CaptureFixture[str]) -> str:
    end = time.monotonic() + 20
    while not publisher._state and time.monotonic() < end:
        time.sleep(0.05)
    publisher.close()
    return capfd.readouterr().err


@needs_broker
def test_a_password_opens_and_a_wrong_one_gets_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "users").touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", tmp_path / "users", "eye", "secret"], check=True, capture_output=True)
    broker = Broker(tmp_path, f"password_file {tmp_path / 'users'}")
    broker.start()
    try:
        for word, line in (("secret", "is connected"), ("wrong", "refuses the connection: ")):
            monkeypatch.setenv(PASSWORD, word)
            address = Address("127.0.0.1", broker.port, False, "eye", "home/eye")
            assert line in _first_state(Publisher(address, ("7",)), capfd)
    finally:
        broker.stop()


def test_addresses_are_read() -> None:
    assert mqtt_address("mqtt://broker/a/b") == Address("broker", 1883, False, None, "a/b")
    assert mqtt_address("mqtts://me%40x@[fd00::1]:99/a%20b") == Address("fd00::1", 99, True, "me@x", "a b")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("mqtt://me:secret@broker/a", f"a password is no part of --mqtt: put it into {PASSWORD}"),
        ("http://broker/a", "is no address of a broker: write mqtt://"),
        ("mqtt://broker", "is no address of a broker"),
        ("mqtt://broker:x/a", "is no address of a broker"),
        ("mqtt://broker:0/a", "is no address of a broker"),
        (f"mqtt://{'b' * 64}/a", "is no name of a machine"),
        ("mqtt://me..home/a", "the broker 'me..home' is no name of a machine"),
        ("mqtt://caf\udce9/a", "the broker is not UTF-8"),
        ("mqtt://me%0A@broker/a", "the user holds control characters"),
        (f"mqtt://{'me' * 200}@broker/a", "the user has 400 characters"),
        ("mqtt://broker/a/%23", "holds a wildcard"),
    ],
)
def test_a_wrong_address_gets_a_line_without_its_password(text: str, line: str) -> None:
    with pytest.raises(EdgecnnError, match=line) as caught:
        mqtt_address(text)
    assert "secret" not in str(caught.value)


def test_a_password_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "a")
    assert password(None) == "a"
    (tmp_path / "word").write_text("b\n")
    assert password(tmp_path / "word") == "b"
    (tmp_path / "word").write_text("\n")
    with pytest.raises(EdgecnnError, match="is empty"):
        password(tmp_path / "word")


def test_files_and_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    refused(run_here("edgecnn", "watch", "-", "--hold", "2"), "--hold says how long a change must last")
    refused(run_here("edgecnn", "watch", "-", "--keep-unsure", tmp_path), "this model has none: --threshold")
    refused(
        run_here("edgecnn", "watch", "-", "--mqtt", "mqtts://x/a", "--mqtt-ca", tmp_path / "none"),
        "cannot be read as certificates",
    )
