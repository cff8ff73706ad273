"""Image files become raw pixels; a drawn digit is brought into the frame it was trained in."""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from conftest import run
from PIL import Image

from edgecnn import EdgecnnError
from edgecnn.images import frame_character, read_image
from edgecnn.manifest import CharacterFrame, Input
from train.datasets import digits

FRAME = CharacterFrame(box=20)
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
        brought = frame_character(255 - canvas if dark_on_light else canvas, FRAME, (28, 28))
        assert np.argmin([far(brought, digit) for digit in framed]) == number


def test_a_noisy_ground_is_removed(framed: Pixels) -> None:
    random = np.random.default_rng(0)
    paper = 190 - 0.6 * np.pad(framed[0].repeat(5, 0).repeat(5, 1), 60) + random.normal(0, 5, (260, 260))
    brought = frame_character(paper.clip(0, 255).astype(np.uint8), FRAME, (28, 28))
    assert np.argmin([far(brought, digit) for digit in framed]) == 0
    assert not brought[:3].any()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_image_is_refused(level: int) -> None:
    with pytest.raises(EdgecnnError, match="blank"):
        frame_character(np.full((50, 60), level, np.uint8), FRAME, (28, 28))


def test_files_of_every_mode_are_read(tmp_path: Path, framed: Pixels) -> None:
    drawn = 255 - np.pad(framed[3], 30)
    clear = np.zeros((*drawn.shape, 4), np.uint8)
    clear[..., 3] = 255 - drawn  # black ink on nothing
    white = clear.copy()
    white[..., :3] = 255
    for name, image in {
        "grey.png": Image.fromarray(drawn),
        "colour.jpg": Image.fromarray(drawn).convert("RGB"),
        "palette.png": Image.fromarray(drawn).convert("P"),
        "clear.png": Image.fromarray(clear),
        "white.png": Image.fromarray(white),
        "deep.png": Image.fromarray(drawn.astype(np.uint16) * 257),
        "twelve.png": Image.fromarray(drawn.astype(np.uint16) * 16),
        "shares.tif": Image.fromarray(drawn.astype(np.float32) / 255),
        "levels.tif": Image.fromarray(drawn.astype(np.float32)),
        "print.jpg": Image.fromarray(drawn).convert("CMYK"),
    }.items():
        image.save(tmp_path / name)
        pixels = read_image(tmp_path / name, DIGIT)
        assert (pixels.dtype, pixels.shape) == (np.uint8, (28, 28, 1))
        assert np.argmin([far(pixels[..., 0], digit) for digit in framed]) == 3, name


def test_an_image_lying_on_its_side_is_turned(tmp_path: Path) -> None:
    upright = np.zeros((8, 6, 3), np.uint8)
    upright[:4] = (250, 10, 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    Image.fromarray(np.rot90(upright)).save(tmp_path / "side.png", exif=exif)
    assert far(read_image(tmp_path / "side.png", PHOTO), upright) == 0


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("cut.avif", "does not decode"),
        ("damaged.dds", "does not decode"),
        ("telephone.heic", "it is HEIC, as telephones take it, which Pillow does not read: save it as JPEG"),
        ("drawing.eps", "is EPS, which is not read here: save it as JPEG or PNG"),
        ("signed.tif", "its values go from -1 to 1: save it as JPEG or PNG"),
        ("colours.tif", "its colours seem to have 12 of the 16 bits that they are stored in: save it as JPEG or PNG"),
        ("nan.tif", "its values go from nan to nan: save it as JPEG or PNG"),
    ],
)
def test_what_is_not_read_is_refused_with_its_cure(tmp_path: Path, framed: Pixels, name: str, cure: str) -> None:
    path = tmp_path / name
    if name.endswith("heic"):
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    elif name == "colours.tif":
        cv2.imwrite(str(path), np.repeat(framed[0][..., np.newaxis].astype(np.uint16) * 16, 3, axis=2))
    elif name.endswith("tif"):
        values = framed[0] / np.float32(127.5) - 1
        Image.fromarray(values * (np.nan if name == "nan.tif" else 1)).save(path)
    else:
        Image.fromarray(framed[0]).convert("RGB").save(path)
    if name == "cut.avif":
        path.write_bytes(path.read_bytes()[:-200])
    if name == "damaged.dds":
        data = bytearray(path.read_bytes())
        data[84:88] = b"WHAT"  # the kind of its pixels
        data[80] = 4
        path.write_bytes(data)
    with pytest.raises(EdgecnnError) as caught:
        read_image(path, DIGIT)
    assert cure in str(caught.value)


def test_a_decoder_that_murmurs_is_not_heard(tmp_path: Path) -> None:
    path = tmp_path / "damaged.tif"
    Image.new("L", (200, 200), 7).save(path, compression="tiff_lzw")
    data = path.read_bytes()
    path.write_bytes(data.replace(data[8:40], b"\xff" * 32))  # libtiff reports it on stderr
    done = run("edgecnn", "classify", path)
    assert done.returncode == 2
    assert re.fullmatch(r"error: .*damaged\.tif does not decode as an image: .*\n", done.stderr)


def test_what_does_not_decode_is_refused(tmp_path: Path, framed: Pixels) -> None:
    text, cut = tmp_path / "text.png", tmp_path / "cut.png"
    text.write_text("no image")
    Image.fromarray(framed[0]).save(cut)
    cut.write_bytes(cut.read_bytes()[:-40])
    for path in (text, cut):
        with pytest.raises(EdgecnnError, match="does not decode"):
            read_image(path, DIGIT)
    with pytest.raises(EdgecnnError, match="does not exist"):
        read_image(tmp_path / "missing.png", DIGIT)
    os.mkfifo(tmp_path / "pipe.png")  # it, and /dev/zero, would be read for ever
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(EdgecnnError, match="it is a pipe or a device, not a file"):
            read_image(path, DIGIT)
