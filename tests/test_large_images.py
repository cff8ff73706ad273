"""Large pictures are read in bands of their rows: as if whole, in little memory."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgecnn import EdgecnnError, decoding, shrinking
from edgecnn.images import read_image
from edgecnn.manifest import CharacterFrame, Input
from train.datasets import digits

FRAME = CharacterFrame(box=20)
DIGIT = Input((28, 28, 1), (1 / 255,), (0.0,), frame=FRAME)
GREY = Input((8, 6, 1), (1 / 255,), (0.0,))
PHOTO = Input((8, 6, 3), (1 / 255,), (0.0,))

Crop = Callable[..., Image.Image]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_large_png_is_read_in_bands_as_if_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 256, (90, 70, len(mode)), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 8
    path = tmp_path / "image.png"
    options = {"transparency": tuple(map(int, values[3, 4]))} if mode == "RGB" else {}
    Image.fromarray(values, mode=mode).save(path, exif=exif, **options)
    whole = [read_image(path, wanted) for wanted in (GREY, PHOTO)]
    monkeypatch.setattr(decoding, "_LARGE", 0)
    monkeypatch.setattr(shrinking, "_BAND", 70 * 7)
    monkeypatch.setattr(Image.Image, "crop", kept_to_rows(Image.Image.crop, 8))
    for wanted, expected in zip((GREY, PHOTO), whole, strict=True):
        assert (read_image(path, wanted) == expected).all()
    data = path.read_bytes()
    for damaged in (data[:-3000], data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]):
        path.write_bytes(damaged)
        with pytest.raises(EdgecnnError, match="does not decode"):
            read_image(path, PHOTO)


@pytest.mark.parametrize("options", [{"compression": None}, {"tiffinfo": {278: 13}}], ids=str)
@pytest.mark.parametrize("suffix", ["bmp", "ppm", "tif", "dib"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_large_uncompressed_picture_is_read_in_bands_as_if_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, mode: str, options: dict[str, Any]
) -> None:
    """In strips of 13 rows too (tag 278), while a band has 7."""
    values = np.random.default_rng(0).integers(0, 256, (90, 71, len(mode)), np.uint8)
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(values, mode=mode).save(path, **(options if suffix == "tif" else {}))
    whole = [read_image(path, wanted) for wanted in (GREY, PHOTO)]
    monkeypatch.setattr(decoding, "_LARGE", 0)
    monkeypatch.setattr(shrinking, "_BAND", 71 * 7)
    monkeypatch.setattr(Image.Image, "crop", kept_to_rows(Image.Image.crop, 8))
    for wanted, expected in zip((GREY, PHOTO), whole, strict=True):
        assert (read_image(path, wanted) == expected).all()
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(EdgecnnError, match="does not decode"):
        read_image(path, PHOTO)


def kept_to_rows(crop: Crop, most: int) -> Crop:
    """`Image.crop` that fails on an image of more rows."""

    def cropped(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
        assert image.size[1] <= most
        return crop(image, box)

    return cropped


_READ = """
import resource, sys
from pathlib import Path
from edgecnn.frames import folder_frames
from edgecnn.images import read_image
from edgecnn.manifest import CharacterFrame, Input
wanted = Input((28, 28, 1), (1 / 255,), (0.0,), frame=CharacterFrame(box=20))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small, *others = map(Path, sys.argv[1:])
print(read_image(small, wanted).sum())
"""


def child(script: str, *words: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _READ + script, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


def test_a_photograph_takes_little_memory(tmp_path: Path) -> None:
    drawn = Image.new("RGB", (600, 400), (225, 222, 215))
    drawn.paste((40, 40, 60), (200, 100, 260, 300))
    drawn.save(tmp_path / "small.png")
    large = drawn.resize((6000, 4000), Image.Resampling.NEAREST)
    large.save(tmp_path / "large.jpg")
    large.save(tmp_path / "large.png", compress_level=1)
    large.save(tmp_path / "large.bmp")
    large.save(tmp_path / "large.tif")
    script = "before = peak()\nfor path in others: print(read_image(path, wanted).sum())\nprint(peak() - before)"
    names = ("small.png", "large.jpg", "large.png", "large.bmp", "large.tif")
    small, *sums, kilobytes, _ = child(script, *(tmp_path / name for name in names))
    assert [int(total) for total in sums] == pytest.approx([int(small)] * 4, rel=0.05)
    assert int(kilobytes) < 60_000


def test_where_memory_ends_the_stream_goes_on(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("in/b.png", "small.png"):
        Image.fromarray(np.pad(digits().test_images[0, ..., 0], 40)).save(tmp_path / name)
    Image.new("L", (9000, 9000)).save(tmp_path / "in/a.png")
    script = """
virtual = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (virtual + 30_000_000, virtual + 30_000_000))
frames = folder_frames(others[0], wanted)
for frame in (next(frames), next(frames)): print(frame.name, frame.error)
"""
    _, good, large, _ = child(script, tmp_path / "small.png", tmp_path / "in")
    assert large.endswith("a.png takes more memory than there is: make the picture smaller")
    assert good == "b.png "


def test_a_photograph_is_decoded_no_larger_than_its_model_needs(tmp_path: Path) -> None:
    """A character may be anywhere in a picture; all of a photograph counts alike."""
    Image.new("L", (4000, 3000), 90).save(tmp_path / "large.jpg")
    assert decoding.decode(tmp_path / "large.jpg", "L", (96, 96), 1).size == (500, 375)
    assert decoding.decode(tmp_path / "large.jpg", "L", (28, 28)).size == (500, 375)
