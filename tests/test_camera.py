"""The Raspberry Pi's camera, by a stand-in for rpicam-vid: colours, newest frames, and a camera that comes back."""

import errno
import importlib.machinery
import json
import os
import re
import struct
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import fake_rpicam
import numpy as np
import pytest
from PIL import Image
from test_commands import DRAWN, digit_file

import edgecnn.rpicam
from edgecnn import EdgecnnError, cameras, live
from edgecnn.cameras import Camera
from edgecnn.classifier import Classifier
from edgecnn.live import Live
from edgecnn.raw_picture import Layout, RawPicture

RED, BLUE = (200, 30, 20), (10, 40, 220)


@pytest.fixture
def rpicam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, in front of PATH, with a stand-in for rpicam-vid."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake_rpicam.install(tmp_path)
    return tmp_path


def noise(layout: Layout) -> RawPicture:
    return RawPicture(np.random.default_rng(0).integers(0, 256, layout.size, np.uint8), layout)


def padded(rows: np.ndarray, stride: int) -> bytes:
    return np.pad(rows, ((0, 0), (0, stride - rows.shape[1])), constant_values=0xEE).tobytes()


@pytest.mark.parametrize(("width", "height"), [(640, 480), (33, 21), (1, 1), (127, 2)])
@pytest.mark.parametrize("pixels", ["yuv420", "nv12"])
@pytest.mark.parametrize("gap", [0, 64])
def test_colours_are_those_of_pillow(width: int, height: int, pixels: str, gap: int) -> None:
    generator = np.random.default_rng(width)
    half = (height + 1) // 2, (width + 1) // 2
    luma = generator.integers(0, 256, (height, width), np.uint8)
    chroma = [generator.integers(0, 256, half, np.uint8) for _ in range(2)]
    stride = -(-width // gap) * gap if gap else 0
    row, half_row = stride or width, (stride or width + 1) // 2
    octets = padded(luma, row)
    if pixels == "nv12":
        octets += padded(np.stack(chroma, axis=-1).reshape(half[0], -1), 2 * half_row)
    else:
        octets += b"".join(padded(plane, half_row) for plane in chroma)
    picture = RawPicture(np.frombuffer(octets, np.uint8), Layout(pixels, width, height, stride))
    assert picture.layout.size == len(octets)
    whole = [plane.repeat(2, 0)[:height].repeat(2, 1)[:, :width] for plane in chroma]
    expected = Image.merge("YCbCr", [Image.fromarray(plane) for plane in (luma, *whole)]).convert("RGB")
    assert np.abs(picture.rgb().astype(int) - np.asarray(expected)).max() <= 1
    np.testing.assert_array_equal(picture.grey(), luma)


@pytest.mark.parametrize("pixels", ["rgb", "bgr", "grey"])
def test_plain_pixels_stay_as_they_are(pixels: str) -> None:
    picture = noise(Layout(pixels, 7, 5, 32))
    image = Image.fromarray(np.ascontiguousarray(picture.rgb()))
    difference = picture.grey().astype(int) - np.asarray(image.convert("L"))
    assert np.abs(difference).max() <= 1  # OpenCV rounds in its own way
    rows = picture.octets.reshape(5, 32)
    first = {"rgb": rows[:, :3], "bgr": rows[:, 2::-1], "grey": rows[:, [0, 0, 0]]}[pixels]
    np.testing.assert_array_equal(picture.rgb()[:, 0], first)


def test_a_stride_below_the_width_is_refused() -> None:
    with pytest.raises(EdgecnnError, match="a row has 21 bytes at least: the stride cannot be 20"):
        Layout("rgb", 7, 5, 20)


@pytest.mark.parametrize("alignment", [32, 64, 128])
@pytest.mark.parametrize(("width", "height"), [(640, 480), (100, 100), (129, 66), (1, 2)])
def test_the_colours_of_a_csi_camera_are_right_at_every_width(
    rpicam: Path, monkeypatch: pytest.MonkeyPatch, alignment: int, width: int, height: int
) -> None:
    monkeypatch.setenv("FAKE_ALIGNMENT", str(alignment))
    with Live("csi", (width, height)) as camera:
        shot = camera.newest(timeout=20)
    assert shot is not None
    picture = shot.picture.rgb()
    assert picture.shape == (height, width, 3)
    if width > 8:  # both halves are there, and meet in the middle
        for column, colour in ((0, RED), (width // 2 - 3, RED), (width // 2 + 3, BLUE), (width - 1, BLUE)):
            assert np.abs(picture[1:, column].astype(int) - colour).max() <= 2, column


def test_no_shot_comes_twice_and_those_that_nobody_wanted_are_counted(rpicam: Path) -> None:
    with Live("csi", (128, 2), rate=50) as camera:
        numbers = []
        for shot in camera.shots():
            assert shot.picture.grey()[0, 0] == shot.number % 256
            numbers.append(shot.number)
            if len(numbers) == 5:
                break
            time.sleep(0.1)
        other = camera.newest(numbers[-1], timeout=20)  # another reader
        assert other is not None
        assert other.number > numbers[-1]
        assert camera.newest(10**9, timeout=0.01) is None
    assert sorted(set(numbers)) == numbers
    assert camera.dropped >= numbers[-1] - numbers[0] - 4 > 4


def test_a_camera_that_disappears_comes_back(rpicam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FRAMES", "3")
    monkeypatch.setattr(live, "PAUSES", (0.05,))
    lines: list[str] = []
    with Live("csi", (128, 2), rate=100, tell=lines.append) as camera:
        shots = camera.shots()
        numbers = [next(shots).number for _ in range(4)]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] >= 3  # of the second life
        assert camera.reconnections >= 1
    assert lines[0].startswith("camera csi: ended (status 0)")
    assert lines[1] == "camera csi is back"


def test_nothing_is_left_of_a_camera_that_is_closed(rpicam: Path) -> None:
    before = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with Live("csi", (640, 480), rate=1000) as camera:
            assert camera.newest(timeout=20)
            process = camera._capture._process  # type: ignore[union-attr]
        camera._thread.join(20)
        assert process.returncode is not None
    assert (threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))) == before
    assert camera.newest() is None


def test_a_camera_that_never_sends_is_an_error(rpicam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_ERROR", "ERROR: *** no cameras available ***")
    with Live("csi") as camera, pytest.raises(EdgecnnError, match="camera csi: no camera answers"):
        camera.newest()


def test_a_shot_becomes_the_models_input(rpicam: Path) -> None:
    wanted = Classifier().manifest.input
    with Live("csi:1", (128, 128)) as camera:
        frame = next(camera.shots()).frame(wanted, dropped=3)
    assert frame.pixels is None or frame.pixels.shape == wanted.shape
    assert (frame.dropped, frame.picture.layout.width) == (3, 128)  # type: ignore[union-attr]


def run(*words: object, octets: bytes = b"", **environment: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "edgecnn", *map(str, words)]
    return subprocess.run(command, input=octets, capture_output=True, check=False, env={**os.environ, **environment})


def test_watch_and_classify_take_the_camera(rpicam: Path) -> None:
    done = run("watch", "csi", "--frames", 3, "--fps", 20)
    assert done.returncode == 0, done.stderr
    frames = [int(json.loads(line)["frame"]) for line in done.stdout.splitlines()]
    assert len(set(frames)) == 3
    answers = json.loads(run("classify", "--camera", "csi:1", "--json").stdout)
    assert answers[0]["image"].startswith("csi:1/")
    assert b"leave the images out" in run("classify", "--camera", "csi", "a.png").stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("ERROR: *** no cameras available ***", "push the cable home at both ends"),
        ("ERROR: *** failed to acquire camera /base/soc/i2c0mux/i2c@1/imx219@10 ***", "another process holds it"),
        ("ERROR: the system appears to be configured for the legacy camera stack", "sudo raspi-config"),
        ("ERROR: *** selected camera is not available ***", "is not there: rpicam-hello --list-cameras"),
        ("something new", "ended (something new)"),
    ],
)
def test_a_camera_that_cannot_be_used_gets_a_line_that_says_why(rpicam: Path, words: str, line: str) -> None:
    done = run("watch", "csi", FAKE_ERROR=words)
    assert done.returncode == 2
    assert line in done.stderr.decode()
    assert done.stderr.count(b"error:") == 1


def test_without_the_program_the_line_says_what_to_install(rpicam: Path) -> None:
    (rpicam / "rpicam-vid").unlink()
    assert b"camera csi: it needs rpicam-vid: sudo apt install" in run("watch", "csi").stderr
    fake_rpicam.install(rpicam, "libcamera-vid")  # as it is called on older systems
    assert run("watch", "csi", "--frames", 1).returncode == 0


def test_an_odd_height_is_refused(rpicam: Path) -> None:
    assert b"a CSI camera's height is even: give 100x100" in run("watch", "csi", "--size", "100x99").stderr


def test_a_program_that_stalls_is_given_up(rpicam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STALL", "0")
    monkeypatch.setattr(edgecnn.rpicam, "STALL", 0.5)
    with Live("csi") as camera, pytest.raises(EdgecnnError, match="has sent nothing for 0 s: is its cable firm"):
        camera.newest()


LISTED = "Available cameras\n---\n0 : imx219 [3280x2464] (/base/a)\n    Modes: x\n1 : imx477 [4056x3040] (/base/b)\n"


def test_the_doctor_lists_cameras(rpicam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CAMERAS", LISTED)
    assert cameras.csi_cameras("Raspberry Pi 5") == [Camera("csi", "imx219"), Camera("csi:1", "imx477")]
    assert cameras.present() == "csi"
    monkeypatch.setenv("FAKE_CAMERAS", "No cameras available!")
    (camera,) = cameras.csi_cameras("Raspberry Pi 5")
    assert "camera_auto_detect=1" in str(camera.reason)
    assert cameras.csi_cameras("a PC") == []
    (rpicam / "rpicam-vid").unlink()
    assert "apt install rpicam-apps-lite" in str(cameras.csi_cameras("Raspberry Pi 5")[0].reason)


def capability(driver: str, card: str, whole: int, own: int) -> bytes:
    return struct.pack("16s32s32sIII12x", driver.encode(), card.encode(), b"usb-1", 0, whole, own)


def test_usb_cameras_are_told_from_the_rest() -> None:
    camera = cameras.camera_of("/dev/video0", capability("uvcvideo", "HD Webcam", 0x84A00001, 0x04200001))
    assert camera == Camera("/dev/video0", "HD Webcam")
    assert cameras.camera_of("/dev/video1", capability("uvcvideo", "HD Webcam", 0x84A00001, 0x04A00000)) is None
    assert cameras.camera_of("/dev/video0", capability("unicam", "unicam", 0x85200001, 0x05200001)) is None
    legacy = cameras.camera_of("/dev/video0", capability("bm2835 mmal", "mmal service 16.1", 0x85200005, 0x05200005))
    assert "legacy camera stack is on" in str(legacy and legacy.reason)
    assert "usermod -aG video" in cameras._closed(PermissionError(errno.EACCES, "Permission denied"))
    assert "is it connected?" in cameras._closed(FileNotFoundError(errno.ENOENT, "No such file"))


def test_who_holds_a_camera_is_named(tmp_path: Path) -> None:
    (tmp_path / "4711" / "fd").mkdir(parents=True)
    (tmp_path / "4711" / "comm").write_text("motion\n")
    (tmp_path / "4711" / "fd" / "7").symlink_to("/dev/video2")
    assert cameras.held("video2", processes=tmp_path) == "motion holds it: end that (kill 4711)"
    assert cameras.held("video20", processes=tmp_path) is None
    (tmp_path / "4711" / "comm").write_text("wireplumber\n")
    assert cameras.held("video2", processes=tmp_path) is None


def test_who_uses_the_boards_camera_is_named(tmp_path: Path) -> None:
    """As libcamera does it: MediaDevice::lock, by lockf."""
    node = tmp_path / "media0"
    node.touch()
    assert cameras.locked([node]) is None
    code = "import fcntl, sys; device = open(sys.argv[1], 'w'); fcntl.lockf(device, fcntl.LOCK_EX); print(); input()"
    words = [sys.executable, "-u", "-c", code, str(node)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        line = cameras.locked([node])
        holder.kill()
    assert re.fullmatch(rf"python\S* holds it: end that \(kill {holder.pid}\)", str(line))


def test_a_failing_driver_is_no_silence(rpicam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(capture: object) -> None:
        raise ValueError("driver")

    monkeypatch.setattr(edgecnn.rpicam.RpicamCapture, "read", fail)
    with Live("csi") as camera, pytest.raises(EdgecnnError, match="camera csi: driver"):
        camera.newest(timeout=20)


@pytest.mark.parametrize("pixels", ["yuv420", "nv12", "grey", "rgb", "bgr"])
def test_raw_frames_of_every_layout_on_stdin_get_the_same_answer(tmp_path: Path, pixels: str) -> None:
    grey = np.asarray(Image.open(digit_file(tmp_path)).convert("L"))
    height, width = grey.shape
    if pixels in ("rgb", "bgr"):
        grey = grey.repeat(3, axis=1)
    stride = grey.shape[1] + 6
    octets = padded(grey, stride)
    if pixels in ("yuv420", "nv12"):
        octets += bytes([128]) * (Layout(pixels, width, height, stride).size - len(octets))
    words = ("--size", f"{width}x{height}", "--pixels", pixels, "--stride", stride)
    done = run("watch", "-", *words, octets=2 * octets)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == [DRAWN] * 2


def test_options_of_raw_frames_are_for_them(tmp_path: Path) -> None:
    assert b"--pixels and --stride are for raw frames on stdin" in run("watch", tmp_path, "--pixels", "grey").stderr
    assert b"the stride cannot be 5" in run("watch", "-", "--stride", 5).stderr
    assert b"--size is for raw frames on stdin, and for CSI" in run("watch", 0, "--size", "9x9").stderr
    assert b"pixels of a frame is" in run("watch", "-", "--size", "32768x32768").stderr


def test_picamera2_is_read_where_there_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a module that answers as picamera2 does: rows of its stride, colours two rows in one."""
    picture = fake_rpicam.frame(100, 50, 64, 7)

    class Picamera2:
        def __init__(self, number: int) -> None:
            self.number = number

        def create_video_configuration(self, **options: object) -> dict[str, object]:
            return options

        def configure(self, options: dict[str, object]) -> None:
            assert options["main"] == {"size": (100, 50), "format": "YUV420"}
            assert options["colour_space"] == "sycc"

        def start(self) -> None: ...
        def close(self) -> None: ...
        def capture_array(self, name: str) -> np.ndarray:
            time.sleep(0.01)
            return np.frombuffer(picture, np.uint8).reshape(-1, 128)

    module = types.ModuleType("picamera2")
    module.Picamera2 = Picamera2  # type: ignore[attr-defined]
    module.__spec__ = importlib.machinery.ModuleSpec("picamera2", None)
    colours = types.SimpleNamespace(ColorSpace=types.SimpleNamespace(Sycc=lambda: "sycc"))
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setitem(sys.modules, "libcamera", colours)
    monkeypatch.setenv("PATH", str(tmp_path))
    with Live("csi", (100, 50)) as camera:
        shot = camera.newest(timeout=20)
    assert shot is not None
    assert np.abs(shot.picture.rgb()[1:, 0].astype(int) - RED).max() <= 2
    assert np.abs(shot.picture.rgb()[1:, 99].astype(int) - BLUE).max() <= 2
