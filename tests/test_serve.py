"""The server answers browsers and programs, refuses the rest with a reason, and goes on."""

import json
import os
import re
import shutil
import signal
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
from conftest import refused, run
from serving import TOKEN, Server, eventually, serving
from test_commands import DRAWN, digit_file

from edgecnn import SHIPPED, Classifier
from edgecnn.serve.refusal import KINDS
from edgecnn.serve.tensors import NAMES
from train.datasets import digits

IMAGES = digits().test_images[:20]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("serve")) as running:
        yield running


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
@pytest.mark.parametrize("stored", [False, True], ids=["raw pixels", "the network's own input"])
def test_tritons_client_gets_the_answers_of_predict(server: Server, binary: bool, stored: bool) -> None:
    classifier = Classifier()
    client = triton.InferenceServerClient(server.url.removeprefix("http://").rstrip("/"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(server.model)
    assert client.is_model_ready(server.model, server.version)
    assert client.get_server_metadata()["name"] == "edgecnn"
    described = {entry["name"]: entry for entry in client.get_model_metadata(server.model)["inputs"]}
    name = "input" if stored else "image"
    assert described[name]["shape"] == [-1, 28, 28, 1]
    images = (IMAGES.astype(np.int16) - 128).astype(np.int8) if stored else IMAGES
    assert NAMES[images.dtype] == described[name]["datatype"]
    tensor = triton.InferInput(name, list(images.shape), described[name]["datatype"])
    tensor.set_data_from_numpy(images, binary_data=binary)
    wanted = [triton.InferRequestedOutput(output, binary_data=binary) for output in ("label", "probabilities")]
    answer = client.infer(server.model, [tensor], outputs=wanted, request_id="17")
    expected = [classifier.predict(image) for image in IMAGES]
    labels = [label.decode() if binary else label for label in answer.as_numpy("label")]
    assert labels == [prediction.label for prediction in expected]
    probabilities = np.array([prediction.probabilities for prediction in expected])
    np.testing.assert_allclose(answer.as_numpy("probabilities"), probabilities, atol=1e-6)
    assert answer.get_response()["id"] == "17"
    client.close()


def test_tritons_client_gets_the_reason_of_a_refusal(server: Server) -> None:
    client = triton.InferenceServerClient(server.url.removeprefix("http://").rstrip("/"))
    with pytest.raises(triton.InferenceServerException, match="the one here is mnist"):
        client.get_model_metadata("another")
    client.close()


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "application/x-www-form-urlencoded"])
def test_the_bytes_of_a_picture_get_a_message(server: Server, tmp_path: Path, kind: str) -> None:
    response = server.post("classify", digit_file(tmp_path).read_bytes(), content_type=kind)
    message = response.json()
    assert (message["label"], message["source"], message["model"]["name"]) == (DRAWN, "http", "mnist")
    assert message["model"]["sha256"] == Classifier().sha256


def body(**changes: object) -> bytes:
    entry = {"name": "image", "shape": [1, 28, 28, 1], "datatype": "UINT8", "data": [0] * 784}
    return json.dumps({"inputs": [entry | changes]}).encode()


BOMB = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x27\x10\0\0\x27\x10\x08\0\0\0\0"  # 10,000 x 10,000


@pytest.mark.parametrize(
    ("path", "octets", "headers", "status", "words"),
    [
        ("classify", b"", {}, 400, "the body is empty"),
        ("classify", b"no picture", {}, 415, "of a format that Pillow does not know"),
        ("classify", b"{}", {"content_type": "application/json"}, 415, "send the bytes of a picture"),
        ("classify", b"x", {"content_encoding": "gzip"}, 415, "compressed"),
        ("classify", "bomb", {}, 413, "has 100,000,000 pixels"),
        ("classify", "torn", {}, 400, "does not decode"),
        ("classify", b"0" * (2**24 + 1), {}, 413, "at most|the most that are read"),
        ("v2/models/mnist/infer", b"{", {}, 400, "is no JSON"),
        ("v2/models/mnist/infer", b"[]", {}, 400, "no JSON object"),
        ("v2/models/mnist/infer", b"{}", {}, 400, "send one input"),
        ("v2/models/mnist/infer", body(shape=[1, 28, 28]), {}, 400, "takes .n, 28, 28, 1"),
        ("v2/models/mnist/infer", body(shape=[10**9, 28, 28, 1]), {}, 400, "n from 1 to 256"),
        ("v2/models/mnist/infer", body(datatype="FP64"), {}, 400, "takes UINT8"),
        ("v2/models/mnist/infer", body(data=[0] * 783), {}, 400, "is not 784 numbers"),
        ("v2/models/mnist/infer", body(data=[[0], [1, 2]]), {}, 400, "is not 784 numbers"),
        ("v2/models/mnist/infer", body(data=[256] * 784), {}, 400, "outside of 0 to 255"),
        ("v2/models/mnist/infer", body(data=["1"] * 784), {}, 400, "is not 784 numbers"),
        ("v2/models/mnist/infer", body(name="x"), {}, 400, "no input 'x'"),
        ("v2/models/mnist/infer", body(parameters={"binary_data_size": 784}), {}, 400, "bytes are behind the JSON"),
        ("v2/models/mnist/infer", b"[" * 10**5, {}, 400, "is no JSON"),
        ("v2/models/mnist/infer", body(), {"Inference_Header_Content_Length": "9" * 30}, 400, "not the length"),
        ("v2/models/other/infer", body(), {}, 404, "the one here is mnist"),
        ("v2/models/mnist/versions/1/infer", body(), {}, 404, "the one here is"),
        ("..%2f..%2fetc/passwd", b"", {}, 404, "there is nothing here"),
        ("metrics", b"", {}, 405, "Method Not Allowed"),
        ("classify", b"", {"origin": "http://elsewhere.example"}, 403, "other sites"),
        ("classify", b"", {"host": "elsewhere.example"}, 400, "localhost only"),
        ("classify", b"", {"x": "y" * 70_000}, 431, "too long"),
    ],
)
def test_a_bad_request_gets_a_status_and_a_reason(
    server: Server, tmp_path: Path, path: str, octets: bytes | str, headers: dict[str, str], status: int, words: str
) -> None:
    if octets == "bomb":
        header, pixels = (zlib.crc32(chunk).to_bytes(4, "big") for chunk in (BOMB[12:29], b"IDAT"))
        octets = BOMB + header + b"\0\0\0\0IDAT" + pixels
    elif octets == "torn":
        octets = digit_file(tmp_path).read_bytes()[:100]
    assert isinstance(octets, bytes)
    response = server.post(path, octets, **headers)
    assert response.status_code == status, response.text
    assert re.search(words, response.json()["error"])
    assert "\n" not in response.json()["error"]
    assert server.get("v2/health/live").status_code == 200


def raw(server: Server, *parts: bytes) -> socket.socket:
    """A connection with bytes of a request."""
    connection = socket.create_connection(("127.0.0.1", server.port), 30)
    for part in parts:
        connection.sendall(part)
    return connection


def test_what_is_no_request_gets_a_reason(server: Server) -> None:
    with raw(server, b"\x16\x03\x01 TLS, by mistake\r\n\r\n") as connection:
        assert b"no request of HTTP" in connection.recv(1000)
    with raw(server, b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000) as connection:
        assert b"431" in connection.recv(1000)


def test_a_body_that_never_ends_is_refused(server: Server) -> None:
    head = b"POST /classify HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    with raw(server, head) as connection:
        chunk = b"100000\r\n" + b"0" * 2**20 + b"\r\n"
        with pytest.raises(OSError):  # the server closes while this sends
            for _ in range(200):
                connection.sendall(chunk)


def test_silent_connections_keep_nobody_out_and_take_no_memory(server: Server, tmp_path: Path) -> None:
    picture = digit_file(tmp_path).read_bytes()
    before = server.rss()
    silent = [raw(server, b"POST /cl"[: number % 9]) for number in range(700)]
    for _ in range(5):
        assert server.post("classify", picture).json()["label"] == DRAWN
    assert server.rss() < before + 25
    for connection in silent:
        connection.close()


def test_metrics_count_answers_errors_and_latency(server: Server, tmp_path: Path) -> None:
    server.post("classify", digit_file(tmp_path).read_bytes())
    server.post("classify", b"no picture")
    text = server.get("metrics").text
    assert f'edgecnn_answers_total{{label="{DRAWN}"}}' in text
    assert f'edgecnn_errors_total{{kind="{KINDS[415]}"}}' in text
    assert 'edgecnn_latency_seconds_bucket{kind="picture",le="0.005"}' in text
    assert f'version="{server.version}"' in text
    assert server.get("about").json()["latency"]["p50"] > 0


def test_the_page_loads_nothing_and_runs_only_its_own_script(server: Server) -> None:
    response = server.get("")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in response.text.replace("http-equiv", "")
    assert "style=" not in response.text


def test_a_token_is_wanted_of_all_but_the_page_and_health(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with serving(tmp_path, "--token-file", file) as server:
        for path in ("", "v2/health/live", "v2/health/ready"):
            assert server.get(path).status_code == 200
        for path in ("about", "metrics", "v2", "v2/models/mnist", "camera"):
            assert "Bearer" in server.get(path).json()["error"]
            assert server.get(path, authorization="Bearer another-token-than").status_code == 401
        assert server.get("about", authorization=f"Bearer {TOKEN}").status_code == 200


def test_others_are_let_in_with_a_token_or_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(run("edgecnn", "serve", "--host", "0.0.0.0", "--port", 0), "--token-file", "--open", "EDGECNN_TOKEN")
    refused(run("edgecnn", "serve", env={"EDGECNN_TOKEN": "short"}), "EDGECNN_TOKEN", "secrets")
    with serving(tmp_path, "--host", "0.0.0.0", env={"EDGECNN_TOKEN": TOKEN}) as server:
        assert server.process.poll() is None
    with serving(tmp_path, "--host", "0.0.0.0", "--open") as server:
        assert "whoever reaches this address may ask" in server.log.read_text()


def test_a_port_in_use_or_a_missing_camera_is_told(server: Server) -> None:
    refused(run("edgecnn", "serve", "--port", server.port), f"port {server.port}", "in use", "--port")
    refused(run("edgecnn", "serve", "--port", 0, "--camera", "/dev/video99"), "/dev/video99")
    refused(run("edgecnn", "serve", "--host", "kitchen..local"), "--host 'kitchen..local' is no name of a machine")


def test_above_the_queue_requests_are_sent_away(tmp_path: Path) -> None:
    picture = SHIPPED.with_name("picture.png").read_bytes()
    with serving(tmp_path, "--workers", 1, "--queue", 0) as server:
        statuses: list[int] = []

        def ask() -> None:
            response = server.post("classify", picture)
            statuses.append(response.status_code)
            if response.status_code == 503:
                assert response.headers["retry-after"] == "1"

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) == {200, 503}


def test_a_new_model_is_taken_over_without_a_lost_request(tmp_path: Path) -> None:
    """Behind a symbolic link, as deploy.fleet switches it; a torn file is not taken over, and told."""
    for name in ("old", "new", "torn"):
        (tmp_path / name).mkdir()
        shutil.copy(SHIPPED, tmp_path / name / "model_int8.tflite")
    torn = tmp_path / "torn/model_int8.tflite"
    torn.write_bytes(torn.read_bytes()[:-9])
    current = tmp_path / "current"
    current.symlink_to("old")
    octets, statuses, ended = body(), [], threading.Event()
    with serving(tmp_path, current / "model_int8.tflite") as server:

        def ask() -> None:
            while not ended.is_set():
                statuses.append(server.post("v2/models/mnist/infer", octets).status_code)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for name, line in (("new", "a new model is served"), ("torn", "is not taken over")):
            (tmp_path / "next").symlink_to(name)
            os.replace(tmp_path / "next", current)  # noqa: PTH105
            eventually(lambda line=line: line in server.log.read_text())
        ended.set()
        for thread in threads:
            thread.join()
        assert "edgecnn_model_trouble 1.0" in server.get("metrics").text
        assert "copy it again" in server.get("about").json()["trouble"]
    assert len(statuses) > 10
    assert set(statuses) == {200}


def test_running_requests_end_before_the_server_does(tmp_path: Path) -> None:
    picture = SHIPPED.with_name("picture.png").read_bytes()
    with serving(tmp_path, "--workers", 1) as server:
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(server.post("classify", picture).status_code))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        eventually(lambda: "edgecnn_requests 0.0" not in server.get("metrics").text or len(statuses) == 8)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert server.process.wait(30) == 0
        assert statuses.count(200) >= 1
        assert set(statuses) == {200}
        assert server.log.read_text().endswith("ended\n")


def test_a_request_that_is_not_finished_in_time_is_ended(server: Server) -> None:
    from edgecnn.serve.connections import SECONDS

    start = time.monotonic()
    with raw(server, b"POST /classify HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n123") as connection:
        assert b"408" in connection.recv(1000)
    assert time.monotonic() - start > SECONDS - 1
