"""Folders of images as people have them: what is read, what is left out, what is refused."""

import os
import re
import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecnn import EdgecnnError
from edgecnn.dataset_reading import read_dataset
from edgecnn.manifest import CharacterFrame, Input, Manifest

PLAIN = Input((6, 8, 3), (1 / 255,), (0.0,))
PETS = Manifest("pets", "tflite", ("cat", "dog", "café"), PLAIN, "0" * 64)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 8, 3), np.uint8)


def draw(path: Path, pixels: np.ndarray = IMAGES[0]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A folder of two classes, with what systems and tools leave in one."""
    root = tmp_path / "pets"
    for number in range(4):
        draw(root / "cat" / f"{number}.png", IMAGES[number])
        draw(root / "dog" / "2024" / "may" / f"{number}.PNG", IMAGES[4 + number])
    draw(root / ".ipynb_checkpoints" / "0-checkpoint.png")
    draw(root / "cat" / ".ipynb_checkpoints" / "0-checkpoint.png")
    draw(root / "__MACOSX" / "cat" / "0.png")
    draw(root / "dog" / "@eaDir" / "0.png")
    (root / "cat" / "._0.png").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X        " + bytes(60))
    (root / "cat" / ".DS_Store").write_bytes(bytes(9))
    os.mkfifo(root / "cat" / "pipe.png")  # to open it would wait for ever
    draw(root / "__pycache__" / "0.png")  # the folder is that of a network in a file beside the classes
    (root / "empty").mkdir()
    return root


def test_what_systems_leave_is_no_image(pets: Path) -> None:
    data = read_dataset(pets, PETS)
    assert data.labels is not None
    assert data.labels.tolist() == [0] * 4 + [1] * 4
    assert data.indices.tolist()[3:5] == ["cat/3.png", "dog/2024/may/0.PNG"]
    assert (data.images == IMAGES[:8]).all()
    assert (data.unread, data.notes) == ({}, ())


def test_images_that_cannot_be_read_are_left_out_and_named(pets: Path) -> None:
    """In the middle, so that labels, names and images would come apart if one of them were not left out."""
    cut = pets / "cat" / "1.png"
    cut.write_bytes(cut.read_bytes()[:60])
    (pets / "dog" / "2024" / "may" / "2.PNG").write_text("no picture")
    draw(pets / "5.png")
    data = read_dataset(pets, PETS)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.indices.tolist() == [
        "cat/0.png",
        "cat/2.png",
        "cat/3.png",
        "dog/2024/may/0.PNG",
        "dog/2024/may/1.PNG",
        "dog/2024/may/3.PNG",
    ]
    assert (data.images == IMAGES[[0, 2, 3, 4, 5, 7]]).all()
    assert list(data.unread) == ["cat/1.png", "dog/2024/may/2.PNG"]
    assert all(why.startswith("does not decode") for why in data.unread.values())
    assert data.warnings == (
        f"2 of 8 images left out: cat/1.png, dog/2024/may/2.PNG; cat/1.png {data.unread['cat/1.png']}",
        "left out, since in no folder of a class: 5.png",
    )


def test_a_blank_picture_of_a_character_is_left_out(tmp_path: Path) -> None:
    for number in range(3):
        draw(tmp_path / "d" / f"{number}.png", np.full((30, 30), 200, np.uint8))
    digit = replace(PETS, input=replace(PLAIN, shape=(28, 28, 1), frame=CharacterFrame(20)))
    with pytest.raises(EdgecnnError, match=r"none of its 3 images can be read; 0.png: is blank"):
        read_dataset(tmp_path / "d", digit)
    drawn = np.full((30, 30), 200, np.uint8)
    drawn[8:20, 14:16] = 20
    draw(tmp_path / "d" / "1.png", drawn)
    data = read_dataset(tmp_path / "d", digit)
    assert (data.labels, data.indices.tolist(), list(data.unread)) == (None, ["1.png"], ["0.png", "2.png"])


@pytest.mark.parametrize("splits", [("train", "test"), ("Train", "VAL", "unsorted"), ("train",)])
def test_splits_are_no_classes(tmp_path: Path, splits: tuple[str, ...]) -> None:
    for split in splits:
        draw(tmp_path / "pets" / split / "cat" / "0.png")
    with pytest.raises(EdgecnnError, match="which are no classes: name one of them") as caught:
        read_dataset(tmp_path / "pets", PETS)
    assert str(tmp_path / "pets" / max(set(splits) - {"unsorted"}, key=str.lower)) in str(caught.value)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    vehicles = replace(PETS, labels=("car", "train"))
    for label in vehicles.labels:
        draw(tmp_path / "vehicles" / label / "0.png")
    data = read_dataset(tmp_path / "vehicles", vehicles)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1]


def test_names_of_other_systems_are_matched_and_shown(tmp_path: Path) -> None:
    """MacOS takes accents apart; old archives hold names in Latin-1."""
    draw(tmp_path / "pets" / "cafe\u0301" / "0.png")
    folder = tmp_path / "pets" / "cafe\u0301"
    (folder / "0.png").rename(folder / os.fsdecode(b"\xe9.png"))
    data = read_dataset(tmp_path / "pets", PETS)
    assert data.labels is not None
    assert data.labels.tolist() == [2]
    assert data.indices.tolist() == ["cafe\u0301/\\xe9.png"]
    draw(tmp_path / "pets" / "dog\nrm" / "0.png")
    with pytest.raises(EdgecnnError, match="the name of a folder holds control characters"):
        read_dataset(tmp_path / "pets", PETS)


@pytest.mark.parametrize("content", [None, b"", b"<html>"])
def test_the_cause_is_named_of_files_that_are_no_pictures(tmp_path: Path, content: bytes | None) -> None:
    draw(tmp_path / "cat/0.png")
    path = tmp_path / "cat/1.png"
    path.symlink_to("nowhere.png") if content is None else path.write_bytes(content)
    data = read_dataset(tmp_path, PETS)
    assert (len(data), list(data.unread)) == (1, ["cat/1.png"])
    assert re.search("does not exist|it is empty|does not know: save", data.unread["cat/1.png"])


def test_a_zip_of_pictures_is_to_be_unpacked(tmp_path: Path) -> None:
    draw(tmp_path / "pets/cat/0.png")
    shutil.make_archive(str(tmp_path / "pets"), "zip", tmp_path / "pets")
    with pytest.raises(EdgecnnError, match=r"pets\.zip has no array images, but files: unpack it"):
        read_dataset(tmp_path / "pets.zip", PETS)


def test_links_are_followed_and_a_loop_of_them_gets_a_line(tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere" / "0.png", IMAGES[1])
    draw(tmp_path / "pets" / "dog" / "0.png")
    (tmp_path / "pets" / "cat").mkdir()
    (tmp_path / "pets" / "cat" / "2024").symlink_to(tmp_path / "elsewhere")
    data = read_dataset(tmp_path / "pets", PETS)
    assert data.indices.tolist() == ["cat/2024/0.png", "dog/0.png"]
    loop = tmp_path / "elsewhere" / "again"
    for target in (tmp_path / "pets", tmp_path / "pets" / "cat"):
        loop.symlink_to(target)
        with pytest.raises(EdgecnnError, match="cat/2024/again.* leads back to a folder that it lies in: remove"):
            read_dataset(tmp_path / "pets", PETS)
        loop.unlink()
    loop.symlink_to(loop)  # nothing at all
    assert len(read_dataset(tmp_path / "pets", PETS)) == 2


def test_classes_that_differ_by_case_alone_are_refused_unless_the_model_has_both(tmp_path: Path) -> None:
    for name in ("a", "A"):
        draw(tmp_path / "letters" / name / "0.png")
    with pytest.raises(EdgecnnError, match="the folders A, a, which differ by case alone: merge them, or rename one"):
        read_dataset(tmp_path / "letters", replace(PETS, labels=("a", "b")))
    data = read_dataset(tmp_path / "letters", replace(PETS, labels=("a", "A")))
    assert data.labels is not None
    assert sorted(data.labels.tolist()) == [0, 1]


def claimed(path: Path, width: int, height: int) -> None:
    """A PNG whose head claims a size; its pixels are those of a small picture."""
    draw(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)


def test_a_picture_that_claims_to_be_huge_is_left_out(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "0.png")
    claimed(tmp_path / "cat" / "1.png", 40_000, 40_000)
    data = read_dataset(tmp_path, PETS)
    assert (len(data), list(data.unread)) == (1, ["cat/1.png"])
    assert "it claims more than 178,956,970 pixels, the most that are read: shrink it" in data.unread["cat/1.png"]


def test_a_still_gif_is_read_and_animations_and_heic_are_left_out(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    (tmp_path / "cat").mkdir()
    frames[0].save(tmp_path / "cat" / "0.gif")
    for name in ("1.gif", "2.png", "3.webp"):
        frames[0].save(tmp_path / "cat" / name, save_all=True, append_images=frames[1:])
    (tmp_path / "cat" / "4.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    data = read_dataset(tmp_path, PETS)
    assert data.images[0, 0, 0].tolist() == [255, 0, 0]
    assert len(data) == 1
    for name in ("1.gif", "2.png", "3.webp"):
        assert "is an animation: save the picture of it that counts" in data.unread[f"cat/{name}"]
    assert "save it as JPEG" in data.unread["cat/4.heic"]
