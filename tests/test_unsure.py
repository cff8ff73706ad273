"""Unsure pictures: whole, with their answers, never more than there is room for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_watch import lines, watched

from edgecnn.unsure import UnsureFolder, encoded
from train.datasets import digits

IMAGES = digits().test_images[:40]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_a_png_with_its_message(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    (tmp_path / "a.png").write_bytes(encoded(pixels, {"label": "unknown", "top": {"é": 0.5}}))
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)
        assert image.text == {"edgecnn": '{"label": "unknown", "top": {"\\u00e9": 0.5}}'}


def test_watch_keeps_what_is_unknown(tmp_path: Path) -> None:
    folder = tmp_path / "unsure"
    done = watched("-", "--threshold", 0.9, "--keep-unsure", folder, input=IMAGES.tobytes())
    unknown = [int(answer["frame"]) for answer in lines(done.stdout) if answer["unknown"]]
    kept = sorted(folder.iterdir())
    assert len(kept) == len(unknown) > 0
    for path, number in zip(kept, unknown, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), IMAGES[number][..., 0])


def test_the_oldest_go_and_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(b"x" * 5000)
    size = len(encoded(IMAGES[0], {"frame": "000"}))
    for _ in range(2):  # a restart finds those that are there
        folder = UnsureFolder(tmp_path, 4 * size)
        for number in range(10):
            folder.keep(IMAGES[0], {"frame": f"{number:03}"})
    kept = sorted(tmp_path.glob("2*.png"))
    assert [Image.open(path).text["edgecnn"] for path in kept] == [f'{{"frame": "00{n}"}}' for n in range(6, 10)]
    assert (tmp_path / "mine.png").exists()


def test_one_that_was_collected_meanwhile_is_no_error(tmp_path: Path) -> None:
    folder = UnsureFolder(tmp_path, 1500)
    for _ in range(5):
        folder.keep(IMAGES[0], {})
        for path in tmp_path.iterdir():
            path.unlink()


def test_a_pause_is_kept_and_a_lost_folder_gets_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = UnsureFolder(tmp_path / "a", 10**6, pause=60)
    for _ in range(3):
        folder.keep(IMAGES[0], {})
    assert len(list((tmp_path / "a").iterdir())) == 1

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgecnn.unsure.write_file", full)
    lost = UnsureFolder(tmp_path / "b", 10**6)
    for _ in range(3):
        lost.keep(IMAGES[0], {})
    assert capsys.readouterr().err.count("No space left on device: unsure pictures are lost") == 1
