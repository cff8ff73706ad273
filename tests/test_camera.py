"""The Raspberry Pi's camera, by a stand-in for rpicam-vid: colours, newest frames, and a camera that comes back."""

import time
from pathlib import Path

import fake_rpicam
import numpy as np
import pytest
from PIL import Image

from edgecnn import EdgecnnError, live
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
    np.testing.assert_array_equal(picture.grey(), np.asarray(image.convert("L")))
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
    assert lines[0].startswith("camera csi ended")
    assert lines[1] == "camera csi is back"


def test_a_camera_that_never_sends_is_an_error(rpicam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_ERROR", "ERROR: *** no cameras available ***")
    with Live("csi") as camera, pytest.raises(EdgecnnError, match="camera csi ended"):
        camera.newest()


def test_a_shot_becomes_the_models_input(rpicam: Path) -> None:
    wanted = Classifier().manifest.input
    with Live("csi:1", (128, 128)) as camera:
        frame = next(camera.shots()).frame(wanted, dropped=3)
    assert frame.pixels is None or frame.pixels.shape == wanted.shape
    assert (frame.dropped, frame.picture.layout.width) == (3, 128)  # type: ignore[union-attr]
