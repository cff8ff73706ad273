"""Folders of pictures as people have them become a data set: splits, near-duplicates, size, and the cache."""

import io
import os
import shutil
import threading
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from edgecnn import EdgecnnError
from train.datasets import Data, load
from train.folders import decode_pictures
from train.layouts import Listing, list_pictures
from train.near_duplicates import fingerprint, near_duplicates, without_crowds
from train.picture_cache import Pictures, cached
from train.picture_shape import picture_shape

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def scene(side: int = 120) -> Image.Image:
    """A picture like no other, with coarse and fine shapes."""
    coarse = Image.fromarray(RANDOM.integers(0, 256, (5, 5, 3), np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    fine = Image.fromarray(RANDOM.integers(0, 256, (14, 14, 3), np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    return Image.blend(coarse, fine, 0.4)


def draw(path: Path, picture: Image.Image | None = None, **options: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture or scene(40)).save(path, **options)


def fill(folder: Path, count: int) -> None:
    for name in ("cat", "dog"):
        for number in range(count):
            draw(folder / name / f"{number}.png")


def names(data: Data, indices: np.ndarray | None = None) -> list[str]:
    assert data.train_names is not None
    return [str(name) for name in (data.train_names if indices is None else data.train_names[indices])]


def test_the_splits_that_are_there_are_used(tmp_path: Path) -> None:
    for split, count in (("train", 60), ("valid", 20), ("Test", 10)):
        fill(tmp_path / "pets" / split, count)
    data = load(str(tmp_path / "pets"))
    assert data.labels == ("cat", "dog")
    assert data.test_names is not None
    assert {str(name).split("/")[0] for name in data.test_names} == {"Test"}
    assert sorted(names(data, data.splits.validation)) == sorted(
        f"valid/{kind}/{number}.png" for kind in data.labels for number in range(20)
    )
    assert {name.split("/")[0] for name in names(data, data.splits.fitted)} == {"train"}
    for name, label, image in zip(names(data), data.train_labels, data.train_images, strict=True):
        assert name.split("/")[1] == data.labels[label]
        with Image.open(tmp_path / "pets" / name) as opened:
            assert (np.asarray(opened.resize((32, 32), Image.Resampling.BILINEAR)) == image).all()


@pytest.mark.parametrize("splits", [("train",), ("train", "test"), ("training", "val")])
def test_a_split_that_lacks_is_cut_off(tmp_path: Path, splits: tuple[str, ...]) -> None:
    for split in splits:
        fill(tmp_path / "pets" / split, 60)
    data = load(str(tmp_path / "pets"))
    assert len(data.test_images) == (120 if "test" in splits else 24)
    assert len(data.splits.validation) == (120 if "val" in splits else (len(data.train_images)) // 4)


def test_a_test_without_class_folders_is_left_out(tmp_path: Path) -> None:
    """As Kaggle hands it to those who compete."""
    fill(tmp_path / "pets" / "train", 60)
    for number in range(5):
        draw(tmp_path / "pets" / "test" / f"{number}.png")
    data = load(str(tmp_path / "pets"))
    assert (len(data.train_images), len(data.test_images)) == (96, 24)
    assert "test/ has no class folders: it is left out, and images for test are cut off" in data.warnings


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (("train/cat", "train/dog", "val/cat", "val/cats"), "val has the folder cats, which .*/train has not: rename"),
        (("train/cat", "train/dog", "val/cat", "valid/cat"), "has val, valid, both for validation: remove one"),
        (("val/cat", "test/cat"), "has no train/ beside test, validation"),
        (("cat", "dog", "Dog"), "the folders Dog, dog, which differ by case alone"),
        (("pets/cat", "pets/dog"), "1 class folder, pets .name it if it holds the classes."),
        (("cat",), "1 class folder, cat"),
    ],
)
def test_other_layouts_get_a_line(tmp_path: Path, folders: tuple[str, ...], words: str) -> None:
    for folder in folders:
        draw(tmp_path / "pets" / folder / "0.png")
    with pytest.raises(EdgecnnError, match=words):
        list_pictures(tmp_path / "pets")


def test_too_many_pictures_that_cannot_be_read_end_it(tmp_path: Path) -> None:
    fill(tmp_path / "pets", 60)
    for number in range(12):
        (tmp_path / "pets" / "cat" / f"{number}.png").write_bytes(b"no picture")
    assert len(load(str(tmp_path / "pets")).unread) == 12
    (tmp_path / "pets" / "cat" / "12.png").write_bytes(b"no picture")
    with pytest.raises(EdgecnnError, match="13 of 120 images cannot be read, more than one in ten: mend or remove"):
        load(str(tmp_path / "pets"))


def copies(picture: Image.Image) -> list[Image.Image]:
    """A picture, and as it comes back from a messenger, from a gallery, and from the same hand a moment later."""
    encoded = io.BytesIO()
    picture.save(encoded, "jpeg", quality=40)
    width, height = picture.size
    return [
        picture,
        Image.open(encoded),
        picture.resize((width // 2, height // 2), Image.Resampling.LANCZOS),
        ImageEnhance.Brightness(picture).enhance(1.15),
        picture.crop((width // 50, 0, width, height - height // 50)),
    ]


def test_near_duplicates_stay_on_one_side_and_others_are_strangers(tmp_path: Path) -> None:
    for number in range(60):
        for copy, picture in enumerate(copies(scene()) if number % 2 else [scene()]):
            draw(tmp_path / "pets" / ("cat", "dog")[number // 30] / f"{number}_{copy}.png", picture)
    data = load(str(tmp_path / "pets"))
    assert "150 near-duplicates, in 30 groups: each group stays in one split" in data.notes
    assert data.test_names is not None
    photographs = [{name.split("/")[1].split("_")[0] for name in part} for part in (names(data), data.test_names)]
    assert len(data.test_images) >= 36
    assert not photographs[0] & photographs[1]
    fitted, validation = (
        {name.split("_")[0] for name in names(data, part)} for part in (data.splits.fitted, data.splits.validation)
    )
    assert not fitted & validation


def test_pictures_that_splits_share_are_told(tmp_path: Path) -> None:
    fill(tmp_path / "pets" / "train", 60)
    fill(tmp_path / "pets" / "test", 10)
    with Image.open(tmp_path / "pets/train/cat/3.png") as picture:
        draw(tmp_path / "pets/test/cat/again.jpg", picture, quality=60)
    (warning,) = load(str(tmp_path / "pets")).warnings
    assert warning.startswith("1 of 21 images for test are, or nearly are, images for training")
    assert "test/cat/again.jpg and train/cat/3.png" in warning


def test_a_crowd_of_near_duplicates_is_in_all_splits() -> None:
    groups, labels = np.array([0] * 30 + [1, 1, 2, 3, 4] * 10), np.array([0] * 30 + [1] * 50)
    parted = without_crowds(groups, labels)
    assert len(set(parted[:30].tolist())) == 30
    assert (parted[30:] == groups[30:]).sum() == 30  # of 50: 20 of a group are a crowd, 10 are none
    assert (without_crowds(groups[30:35], labels[30:35]) == groups[30:35]).all()


def test_plain_pictures_are_near_to_none() -> None:
    marks = [fingerprint(np.full((32, 32, 3), tone, np.uint8)) for tone in (0, 128, 255)]
    groups = near_duplicates(np.stack([mark.bits for mark in marks]), np.stack([mark.tones for mark in marks]))
    assert len(set(groups.tolist())) == 3


@pytest.mark.parametrize(
    ("sizes", "side"),
    [([(8, 8)], 28), ([(32, 32)], 32), ([(4000, 3000)] * 3, 96), ([(640, 60), (50, 50), (900, 63)], 48)],
)
def test_the_size_is_chosen_by_the_pictures(tmp_path: Path, sizes: list[tuple[int, int]], side: int) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(len(sizes))]
    for path, size in zip(files, sizes, strict=True):
        draw(path, Image.new("L", size, 90))
    shape, notes = picture_shape([*files, tmp_path / "none.jpg"], None, None)
    assert shape == (side, side, 1)
    assert f"images are scaled to {side}x{side}" in notes[0]
    assert picture_shape(files, (20, 24), 3) == ((20, 24, 3), ())


def test_one_picture_in_colour_makes_all_coloured(tmp_path: Path) -> None:
    """Grey ones may be stored in colour, and JPEG leaves a little colour in them."""
    grey = scene(64).convert("L")
    draw(tmp_path / "0.jpg", grey.convert("RGB"), quality=60)
    draw(tmp_path / "1.png", grey.convert("I;16"))
    draw(tmp_path / "2.png", grey.convert("P"))
    files = sorted(tmp_path.glob("*.*g"))
    assert picture_shape(files, None, None)[0][2] == 1
    draw(tmp_path / "3.webp", scene(64))
    assert picture_shape([*files, tmp_path / "3.webp"], None, None)[0][2] == 3


def test_pictures_of_every_mode_look_alike(tmp_path: Path) -> None:
    """Palette, transparency over white, 16 bits, CMYK, a turned telephone: one picture under several names."""
    picture = scene(64).convert("L").convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(tmp_path / "rgb.png", picture)
    draw(tmp_path / "grey.png", picture.convert("L"))
    draw(tmp_path / "palette.gif", picture.convert("P"))
    draw(tmp_path / "alpha.png", picture.convert("RGBA"))
    draw(tmp_path / "cmyk.jpg", picture.convert("CMYK"), quality=95)
    draw(tmp_path / "deep.png", Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257))
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    for number in range(50):
        for name in ("cat", "dog"):
            draw(tmp_path / "pets" / name / f"{number}.png")
    for path in tmp_path.glob("*.*g*"):
        draw(tmp_path / "pets" / "cat" / path.name, None)
        path.replace(tmp_path / "pets" / "cat" / path.name)
    data = load(str(tmp_path / "pets"), size=(32, 32), channels=3)
    images = np.concatenate([data.train_images, data.test_images]).astype(int)
    shown = dict(zip(np.concatenate([data.train_names, data.test_names]).tolist(), images, strict=True))
    for path in ("grey.png", "palette.gif", "alpha.png", "cmyk.jpg", "deep.png", "turned.jpg"):
        assert abs(shown[f"cat/{path}"] - shown["cat/rgb.png"]).max() <= 12, path


def test_pictures_are_decoded_once_and_again_when_they_change(tmp_path: Path) -> None:
    fill(tmp_path / "pets", 60)
    shape, decoded = (32, 32, 3), []

    def counted(listing: Listing, folder: Path) -> Pictures:
        decoded.append(folder)
        return decode_pictures(listing, shape, folder)

    def pictures() -> Pictures:
        listing = list_pictures(tmp_path / "pets")
        return cached(listing, shape, partial(counted, listing))

    first, again = pictures(), pictures()
    assert len(decoded) == 1
    assert (first.images == again.images).all()
    changed = tmp_path / "pets/cat/0.png"
    times, size = changed.stat(), len(changed.read_bytes())
    changed.write_bytes(bytes(size))
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))  # as tools do that keep times
    assert list(pictures().unread) == ["cat/0.png"]
    changed.unlink()
    assert len(pictures().images) == 119
    assert len(decoded) == 3
    assert len(list((tmp_path / "cache").rglob("images.npy"))) == 1
    assert load(str(tmp_path / "pets"), size=(20, 20)).train_images.shape[1:] == (20, 20, 3)
    assert len(list((tmp_path / "cache").rglob("images.npy"))) == 2


def test_a_damaged_entry_of_the_cache_is_written_anew(tmp_path: Path) -> None:
    fill(tmp_path / "pets", 60)
    whole = load(str(tmp_path / "pets")).sha256
    for name in ("images.npy", "index.npz", "facts.json"):
        (path,) = (tmp_path / "cache").rglob(name)
        path.write_bytes(path.read_bytes()[:90])
        assert load(str(tmp_path / "pets")).sha256 == whole


def test_two_trainings_at_once_decode_once(tmp_path: Path) -> None:
    fill(tmp_path / "pets", 60)
    listing, shape, decoded = list_pictures(tmp_path / "pets"), (32, 32, 3), []

    def counted(folder: Path) -> Pictures:
        decoded.append(folder)
        return decode_pictures(listing, shape, folder)

    threads = [threading.Thread(target=partial(cached, listing, shape, counted)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 1
    assert [path.name for path in (tmp_path / "cache/edgecnn/pictures").iterdir() if path.name.startswith(".")] == []


def test_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "pets", 60)
    monkeypatch.setattr("train.cache.MOST", 120 * 32 * 32 * 3 * 2)
    for side in (32, 28, 30):
        load(str(tmp_path / "pets"), size=(side, side))
    kept = {np.load(path, mmap_mode="r").shape[1] for path in (tmp_path / "cache").rglob("images.npy")}
    assert kept == {28, 30}
    monkeypatch.setattr("shutil.disk_usage", lambda _: os.terminal_size((0, 0)) and type("", (), {"free": 1000}))
    with pytest.raises(EdgecnnError, match="make --image-size smaller, or set XDG_CACHE_HOME"):
        load(str(tmp_path / "pets"), size=(29, 29))


def test_a_zip_file_is_read_as_its_folder_is(tmp_path: Path) -> None:
    """A folder with its name, or a split: neither is a class; what systems leave is left there."""
    fill(tmp_path / "pets", 60)
    (tmp_path / "pets" / "cat" / "note.txt").write_text("no picture")
    folder = load(str(tmp_path / "pets"))
    shutil.make_archive(str(tmp_path / "zips" / "pets"), "zip", tmp_path, "pets")
    (tmp_path / "pets").rename(tmp_path / "train")
    shutil.make_archive(str(tmp_path / "zips" / "train"), "zip", tmp_path, "train")
    for name in ("pets", "train"):
        zipped = load(str(tmp_path / "zips" / f"{name}.zip"))
        assert (zipped.name, zipped.labels, zipped.sha256) == (name, ("cat", "dog"), folder.sha256)
    assert len(list((tmp_path / "cache" / "edgecnn" / "unpacked").iterdir())) == 2
    data = bytearray((tmp_path / "zips" / "pets.zip").read_bytes())
    data[5000] ^= 1
    (tmp_path / "zips" / "broken.zip").write_bytes(data)
    with pytest.raises(EdgecnnError, match=r"broken.zip cannot be unpacked .* unpack it yourself, and name the folder"):
        load(str(tmp_path / "zips" / "broken.zip"))
    with zipfile.ZipFile(tmp_path / "zips" / "out.zip", "w") as archive:
        archive.writestr("../../evil.png", b"")
        archive.writestr("note.txt", b"")
    with pytest.raises(EdgecnnError, match=r"0 class folders"):
        load(str(tmp_path / "zips" / "out.zip"))
    assert not list(tmp_path.glob("**/zips/evil.png")) + list(tmp_path.glob("evil.png"))
