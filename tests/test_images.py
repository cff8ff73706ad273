"""Image files become raw pixels; a drawn digit is brought into the frame it was trained in."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edgecnn import EdgecnnError
from edgecnn.images import frame_character, read_image
from edgecnn.manifest import Frame, Input
from train.datasets import digits

FRAME = Frame(box=20)
DIGIT = Input((28, 28, 1), (1 / 255,), (0.0,), frame=FRAME)
PHOTO = Input((8, 6, 3), (1 / 255,), (0.0,))

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def framed() -> Pixels:
    """Forty digits, none of which is nearly another."""
    chosen: list[Pixels] = []
    for image in digits().test_images[..., 0]:
        if all(far(image, other) > 25 for other in chosen):
            chosen.append(image)
    return np.stack(chosen[:40])


def far(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_a_framed_picture_stays_as_it_is(framed: Pixels) -> None:
    for image in framed:
        assert frame_character(image, FRAME, (28, 28)) is image


def test_digits_fit_the_box_and_are_centred(framed: Pixels) -> None:
    for image in framed:
        rows, columns = np.nonzero(image)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        mass = image / image.sum()
        assert abs((mass.sum(1) @ np.arange(28)) - 14) <= 1
        assert abs((mass.sum(0) @ np.arange(28)) - 14) <= 1


@pytest.mark.parametrize("scale", [1, 6])
@pytest.mark.parametrize("dark_on_light", [False, True])
def test_any_size_place_and_polarity_gives_the_same_picture(framed: Pixels, scale: int, dark_on_light: bool) -> None:
    random = np.random.default_rng(0)
    for number, image in enumerate(framed):
        drawn = np.asarray(Image.fromarray(image).resize((28 * scale, 28 * scale), Image.Resampling.BICUBIC))
        canvas = np.zeros((60 * scale, 80 * scale), np.uint8)
        top, left = random.integers(0, 30 * scale), random.integers(0, 50 * scale)
        canvas[top : top + len(drawn), left : left + len(drawn)] = drawn
        found = frame_character(255 - canvas if dark_on_light else canvas, FRAME, (28, 28))
        assert np.argmin([far(found, each) for each in framed]) == number


def test_a_noisy_ground_is_removed(framed: Pixels) -> None:
    random = np.random.default_rng(0)
    paper = 190 - 0.6 * np.pad(framed[0].repeat(5, 0).repeat(5, 1), 60) + random.normal(0, 5, (260, 260))
    found = frame_character(paper.clip(0, 255).astype(np.uint8), FRAME, (28, 28))
    assert np.argmin([far(found, each) for each in framed]) == 0
    assert not found[:3].any()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_image_is_told(level: int) -> None:
    with pytest.raises(EdgecnnError, match="blank"):
        frame_character(np.full((50, 60), level, np.uint8), FRAME, (28, 28))


def test_files_of_every_mode_are_read(tmp_path: Path, framed: Pixels) -> None:
    drawn = 255 - np.pad(framed[3], 30)
    clear = np.zeros((*drawn.shape, 4), np.uint8)
    clear[..., 3] = 255 - drawn  # black ink on nothing: white shows through
    deep = drawn.astype(np.uint16) * 257
    for name, image in {
        "grey.png": Image.fromarray(drawn),
        "colour.jpg": Image.fromarray(drawn).convert("RGB"),
        "palette.png": Image.fromarray(drawn).convert("P"),
        "clear.png": Image.fromarray(clear),
        "deep.png": Image.fromarray(deep),
    }.items():
        image.save(tmp_path / name)
        found = read_image(tmp_path / name, DIGIT)
        assert (found.dtype, found.shape) == (np.uint8, (28, 28, 1))
        assert np.argmin([far(found[..., 0], each) for each in framed]) == 3, name


def test_an_image_lying_on_its_side_is_turned(tmp_path: Path) -> None:
    upright = np.zeros((8, 6, 3), np.uint8)
    upright[:4] = (250, 10, 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    Image.fromarray(np.rot90(upright)).save(tmp_path / "side.png", exif=exif)
    assert far(read_image(tmp_path / "side.png", PHOTO), upright) == 0


def test_what_does_not_decode_is_told(tmp_path: Path, framed: Pixels) -> None:
    text, cut = tmp_path / "text.png", tmp_path / "cut.png"
    text.write_text("no image")
    Image.fromarray(framed[0]).save(cut)
    cut.write_bytes(cut.read_bytes()[:-40])
    for path in (text, cut):
        with pytest.raises(EdgecnnError, match="does not decode"):
            read_image(path, DIGIT)
    with pytest.raises(EdgecnnError, match="does not exist"):
        read_image(tmp_path / "missing.png", DIGIT)
