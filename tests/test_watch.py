"""Watch gives a line of JSON a frame, goes on after a bad one, and ends when asked to."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, heed_interrupts, refused, run_here
from PIL import Image
from test_commands import DRAWN, digit_file

from edgecnn import frames as frames_module
from edgecnn.classifier import Classifier
from edgecnn.frames import POLL, folder_frames
from edgecnn.live import Live
from edgecnn.video import _end_of_stream
from train.datasets import digits


def watched(*words: object, **options: object) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "edgecnn", "watch", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        check=False,
        **options,
    )


def lines(out: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_raw_frames_on_stdin_get_the_labels_of_predict() -> None:
    images = digits().test_images[:20]
    done = watched("-", "--threshold", 0.9, input=images.tobytes())
    assert done.returncode == 0, done.stderr
    answers = lines(done.stdout)
    assert [answer["frame"] for answer in answers] == [str(number) for number in range(20)]
    for answer, image in zip(answers, images, strict=True):
        prediction = Classifier().predict(image)
        assert answer["probability"] == pytest.approx(prediction.probability, abs=1e-6)
        assert answer["label"] == (prediction.label if prediction.probability >= 0.9 else "unknown")
    assert b"20 frames in" in done.stderr


def test_below_the_threshold_the_answer_is_unknown() -> None:
    (answer,) = lines(watched("-", "--threshold", 1, input=bytes(784)).stdout)
    assert answer["label"] == "unknown"
    assert 0 < answer["probability"] <= 1


def test_frames_of_another_size_are_brought_into_the_models_frame(tmp_path: Path) -> None:
    drawn = np.asarray(Image.open(digit_file(tmp_path)))
    done = watched("-", "--size", f"{drawn.shape[1]}x{drawn.shape[0]}", input=drawn.tobytes() * 2)
    assert [answer["label"] for answer in lines(done.stdout)] == [DRAWN] * 2


def test_a_folder_that_fills_is_gone_through_as_it_does(tmp_path: Path) -> None:
    picture = digit_file(tmp_path).read_bytes()
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture)
    (folder / "note.txt").write_text("no image")
    frames = folder_frames(folder, Classifier().manifest.input)
    assert next(frames).name == "a.png"
    (folder / "torn.png").write_bytes(picture[:50])
    torn = next(frames)
    assert torn.pixels is None
    assert "torn.png does not decode" in torn.error
    (folder / "torn.png").write_bytes(picture)  # written anew
    whole = next(frames)
    assert (whole.name, whole.pixels is None) == ("torn.png", False)
    (folder / "a.png").unlink()
    time.sleep(2 * POLL)
    (folder / "b.png").write_bytes(picture)
    assert next(frames).name == "b.png"


def test_only_what_is_new_is_gone_through_if_asked_for(tmp_path: Path) -> None:
    picture = digit_file(tmp_path)
    (tmp_path / "._b.png").write_bytes(picture.read_bytes())  # as macOS leaves them
    frames = folder_frames(tmp_path, Classifier().manifest.input, new_only=True)
    later = threading.Timer(3 * POLL, shutil.copy, (picture, tmp_path / "new.png"))
    later.start()
    assert next(frames).name == "new.png"
    picture.write_bytes(picture.read_bytes())  # written anew
    assert next(frames).name == "digit.png"


def test_a_folder_that_has_not_changed_is_seldom_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    look_into = frames_module._images

    def slowly(folder: Path) -> dict[str, tuple[int, int]]:  # as if there were thousands of images
        looks.append(folder)
        time.sleep(0.05)
        return look_into(folder)

    monkeypatch.setattr(frames_module, "_images", slowly)
    picture = digit_file(tmp_path)
    frames = folder_frames(tmp_path, Classifier().manifest.input)
    assert next(frames).name == "digit.png"
    later = threading.Timer(8 * POLL, shutil.copy, (picture, tmp_path / "new.png"))
    later.start()
    assert next(frames).name == "new.png"
    assert len(looks) <= 3  # at first, and when the new one came: of 10 times POLL


@pytest.mark.parametrize(
    ("names", "options", "line"),
    [
        ((), (), "waiting for pictures (.avif .bmp .gif "),
        (("7/a.png", "8/b.png"), (), "; folders in it are not searched (['7', '8']): name one of them"),
        (("a.png",), ("--new-only",), " beside the 1 that are there"),
    ],
)
def test_it_says_what_it_waits_for(tmp_path: Path, names: tuple[str, ...], options: tuple[str, ...], line: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    command = [sys.executable, "-m", "edgecnn", "watch", str(tmp_path), *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stderr is not None
        assert line in watch.stderr.readline()
        watch.terminate()


class Stream(BaseHTTPRequestHandler):
    """A camera of the network, whose frames are as bright as their number; it is lost after some."""

    frames, now = 60, 0

    def do_GET(self) -> None:
        import cv2

        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(self.frames):
            data = cv2.imencode(".jpg", np.full((64, 64, 3), number, np.uint8))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")
            self.wfile.flush()
            time.sleep(0.03)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def stream() -> Iterator[str]:
    """The URL of a stream that is lost after a while."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://user:secret@127.0.0.1:{server.server_port}/live"
    server.shutdown()
    server.server_close()


def test_of_a_live_stream_the_newest_frame_comes(stream: str) -> None:
    numbers = []
    with Live(stream) as live:
        assert live.name.startswith("http://127.0.0.1:")
        for shot in live.shots():
            numbers.append(int(shot.picture.grey().mean()))
            if len(numbers) == 4:
                break
            time.sleep(0.3)
    assert min(np.diff(numbers)) > 2  # those that came meanwhile are dropped


def test_a_stream_that_is_lost_is_waited_for(stream: str) -> None:
    words = [sys.executable, "-m", "edgecnn", "watch", stream, "--frames", str(Stream.frames + 1)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, cwd=ROOT, **pipes) as watch:
        assert watch.stderr is not None
        lost, back = watch.stderr.readline(), watch.stderr.readline()
        watch.terminate()
    assert re.match(r"http://127\.0\.0\.1:\d+/live sends no more frames after \d+: is it still there", lost)
    assert "/live is back" in back
    assert "secret" not in lost + back


def test_a_camera_without_frames_gets_a_way_out() -> None:
    assert "name the Raspberry Pi's own camera csi" in _end_of_stream("camera 0", camera=True, frames=0)
    assert _end_of_stream("camera 0", camera=True, frames=9).endswith("after 9: is it still connected?")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    digit_file(tmp_path)
    words = [sys.executable, "-m", "edgecnn", "watch", str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": heed_interrupts}
    with subprocess.Popen(words, cwd=ROOT, **pipes) as watch:
        assert watch.stdout is not None
        assert json.loads(watch.stdout.readline())["frame"] == "digit.png"
        watch.send_signal(number)
        _, status = watch.communicate(timeout=30)
    assert watch.returncode == 0
    assert status.startswith("1 frames in")


def test_fps_is_the_most_there_is() -> None:
    start = time.perf_counter()
    done = watched("-", "--fps", 20, input=bytes(784 * 11))
    assert len(lines(done.stdout)) == 11
    assert time.perf_counter() - start >= 0.5  # ten waits of a twentieth
    for word in (b"duty cycle", b"of a core", b"idle CPU", b"memory"):
        assert word in done.stderr
    assert len(lines(watched("-", "--frames", 3, input=bytes(784 * 11)).stdout)) == 3


def test_a_video_is_read_to_its_end(tmp_path: Path) -> None:
    import cv2

    drawn = np.asarray(Image.open(digit_file(tmp_path)))
    path = tmp_path / "digit.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, drawn.shape[::-1])
    for _ in range(3):
        writer.write(cv2.cvtColor(drawn, cv2.COLOR_GRAY2BGR))
    writer.release()
    done = watched(path)
    assert done.returncode == 0, done.stderr
    assert [answer["label"] for answer in lines(done.stdout)] == [DRAWN] * 3


def test_mistakes_are_refused(tmp_path: Path) -> None:
    refused(run_here("edgecnn", "watch", tmp_path, "--size", "28x28"), "--size is for raw frames")
    refused(run_here("edgecnn", "watch", "-", "--new-only"), "--new-only is for a folder")
    refused(run_here("edgecnn", "watch", tmp_path, "--fps", "0"), "is not above 0")
    refused(
        run_here("edgecnn", "watch", tmp_path / "none"),
        "none does not exist: name a folder, a video, a camera (csi, auto, 0) or -",
    )
    (tmp_path / "clip.mp4").write_text("no video")
    refused(run_here("edgecnn", "watch", tmp_path / "clip.mp4"), "cannot open")
    done = watched("-", input=bytes(800))
    assert done.returncode == 2
    assert b"stdin ended within a frame: a frame is 28x28, grey, 784 bytes" in done.stderr
    for words in (("--size", "28"), ("--frames", "0"), ("--fps", "x")):
        refused(run_here("edgecnn", "watch", "-", *words))
