"""Data for training: splits, distortions, your own images, files in MNIST's format, and your own networks."""

import gzip
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, refused, run
from PIL import Image

from edgecnn import Classifier
from edgecnn.dataset_reading import read_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.images import read_image
from edgecnn.manifest import Input, Manifest, Training
from edgecnn.modelfile import read_model
from train.datasets import Data, digits
from train.distortions import Distortion, distort
from train.parent_images import data_set_name, images_of
from train.splits import cut, split_test, split_training


def test_the_images_of_a_trained_model_are_found_by_its_bare_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest names a data set or a folder that lies here; a path in it opens nothing."""
    training = Training("best", 1, 0, "flowers", "0" * 64, False, {})
    manifest = Manifest("it", "keras", ("a", "b"), Input((8, 8, 1), (1.0,), (0.0,)), "0" * 64, training=training)
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "model.keras"
    with pytest.raises(EdgecnnError, match=r"\(flowers\) are not here: name them with --dataset"):
        data_set_name(model, manifest, None)
    (tmp_path / "flowers").mkdir()
    assert data_set_name(model, manifest, None) == "flowers"
    assert data_set_name(model, manifest, str(tmp_path / "flowers")) == str(tmp_path / "flowers")
    assert data_set_name(model, manifest, None, "cat,dog") == "auto"
    elsewhere = replace(manifest, training=replace(training, dataset=str(tmp_path / "flowers")))
    with pytest.raises(EdgecnnError, match="are not here"):
        data_set_name(model, elsewhere, None)
    with pytest.raises(EdgecnnError, match="are not here"):
        data_set_name(model, None, None)


def test_other_images_than_those_of_the_training_are_refused() -> None:
    training = Training("best", 1, 0, "digits", "0" * 64, False, {})
    entry = Input((28, 28, 1), (1.0,), (0.0,))
    manifest = Manifest("it", "keras", tuple("0123456789"), entry, "0" * 64, training=training)
    with pytest.raises(EdgecnnError, match="was trained on other images than those of digits"):
        images_of(Path("model.keras"), manifest, None)
    data = images_of(
        Path("model.keras"), replace(manifest, training=replace(training, dataset_sha256=digits().sha256)), None
    )
    assert data.name == "digits"
    with pytest.raises(EdgecnnError, match="other labels or sizes"):
        images_of(Path("model.keras"), replace(manifest, labels=("a", "b")), None)


def test_duplicates_are_on_one_side() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (300, 2, 2, 1), np.uint8)[random.integers(0, 300, 1000)]
    parts = cut(images, 200, 300)
    assert sorted(np.concatenate(parts).tolist()) == list(range(1000))
    assert [len(part) >= size for part, size in zip(parts, (200, 300), strict=False)] == [True, True]
    kinds = [{images[index].tobytes() for index in part} for part in parts]
    assert not kinds[0] & kinds[1] | kinds[1] & kinds[2] | kinds[0] & kinds[2]


def test_an_image_more_moves_few_others() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1001, 4, 4, 1), np.uint8)
    before, after = (set(split_training(images[:n])[1].tolist()) for n in (1000, 1001))
    assert len(before ^ after) <= 2


def test_distorted_copies_follow_their_seed() -> None:
    images = digits().train_images[:50]
    strong = Distortion(rotation=12, zoom=0.12, shear=0.15, shift=2, elastic=0.8)
    assert (distort(images, strong, [1, 2]) == distort(images, strong, [1, 2])).all()
    assert (distort(images, strong, [1, 2]) != distort(images, strong, [1, 3])).any()
    wide = np.random.default_rng(0).integers(0, 256, (3, 20, 31, 3), np.uint8)
    assert (distort(wide, Distortion(0, 0, 0, 0, 0), [0]) == wide).all()


def places_read(**by: float) -> np.ndarray:
    """Row and column, from the centre, at which 2,000 copies read their 17 x 17 inner pixels: (2000, 17, 17, 2).

    The image is two ramps, of rows and of columns: a pixel of a copy is its place in the original, to 1/20 of a pixel.
    """
    ramps = np.stack(np.indices((25, 25)), axis=-1).astype(np.uint8) * 10
    still = dict.fromkeys(("rotation", "zoom", "shear", "shift", "elastic"), 0.0)
    copies = distort(np.tile(ramps, (2000, 1, 1, 1)), Distortion(**still | by), [0])
    return copies[:, 4:21, 4:21] / 10 - 12


def drawn_evenly(values: np.ndarray, most: float) -> bool:
    """Whether values are as from a uniform distribution from minus `most` to plus `most`."""
    return bool(0.95 * most < abs(values).max() < 1.05 * most) and abs(values.std() / most - 1 / 3**0.5) < 0.02


def test_a_rotation_keeps_distances_and_turns_as_far_as_it_may() -> None:
    down, across = places_read(rotation=20)[:, 8, 16].T  # 8 pixels to the right of the centre
    assert abs(np.hypot(down, across) - 8).max() < 0.1
    assert drawn_evenly(np.rad2deg(np.arctan2(down, across)), 20)


def test_a_zoom_stretches_height_and_width_each_by_its_own() -> None:
    places = places_read(zoom=0.2)
    taller, wider = np.log(places[:, 16, 8, 0] / 8), np.log(places[:, 8, 16, 1] / 8)
    assert drawn_evenly(taller, 0.2)
    assert drawn_evenly(wider, 0.2)
    assert abs(np.corrcoef(taller, wider)[0, 1]) < 0.1
    assert not places[:, 16, 8, 1].any()


def test_a_shear_moves_a_column_by_its_distance() -> None:
    places = places_read(shear=0.3)
    assert drawn_evenly(places[:, 8, 16, 0] / 8, 0.3)
    assert (places[..., 1] == np.arange(-8, 9)).all()


def test_a_shift_moves_all_pixels_alike() -> None:
    moves = places_read(shift=3) - places_read()
    assert (abs(moves - moves[:, 8:9, 8:9]) < 0.06).all()
    assert drawn_evenly(moves[:, 8, 8, 0], 3)
    assert drawn_evenly(moves[:, 8, 8, 1], 3)


def test_an_elastic_distortion_moves_neighbours_alike_and_others_not() -> None:
    moves = places_read(elastic=0.8) - places_read()
    for axis in (0, 1):
        assert abs(moves[:, 8, 8, axis].std() / 0.8 - 1) < 0.05
        assert np.corrcoef(moves[:, 8, 8, axis], moves[:, 8, 9, axis])[0, 1] > 0.9
        assert abs(np.corrcoef(moves[:, 0, 0, axis], moves[:, 16, 16, axis])[0, 1]) < 0.1
    assert abs(np.corrcoef(moves[:, 8, 8, 0], moves[:, 8, 8, 1])[0, 1]) < 0.1


def test_what_lies_outside_of_an_image_is_black() -> None:
    white = np.full((200, 9, 9, 1), 255, np.uint8)
    moved = distort(white, Distortion(rotation=0, zoom=0, shear=0, shift=3, elastic=0), [0])
    assert (moved[:, 4, 4] == 255).all()
    assert (moved[:, 0, 0] == 0).any()


def test_a_class_of_few_is_in_every_split() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (1000, 4, 4, 1), np.uint8)
    labels = np.repeat([0, 1, 2, 3, 4], [940, 40, 16, 3, 1])
    random.shuffle(labels)
    for copy in np.flatnonzero(labels == 2)[:4]:
        images[copy] = images[np.flatnonzero(labels == 2)[5]]  # in one split, with their original
    test, training = split_test(images, labels)
    assert np.bincount(labels[training], minlength=5).tolist()[3:] == [2, 1]  # a single image is for training
    within = labels[training]
    calibration, validation, fitted = split_training(images[training], within)
    assert sorted([*validation, *fitted]) == list(range(len(training)))
    assert set(calibration) <= set(fitted)
    counts = [np.bincount(part, minlength=5) for part in (labels[test], within[calibration], within[validation])]
    assert counts[0][:2].tolist() == [188, 8]
    assert [count[2] > 0 for count in counts] == [True] * 3
    assert counts[1][:2].tolist() == [94, 4]
    assert counts[2][:2].tolist() == [188, 8]
    twins = [images[part][labels[part] == 2] for part in (test, training)]
    assert not {image.tobytes() for image in twins[0]} & {image.tobytes() for image in twins[1]}


def test_equal_images_of_two_classes_are_on_one_side() -> None:
    """One class has other images too, so that its own cut would lie elsewhere."""
    images = np.zeros((80, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = np.concatenate([np.arange(40) // 2, np.arange(20, 60)])
    labels = np.concatenate([np.arange(40) % 2, np.zeros(40, int)])
    test, training = split_test(images, labels)
    assert len(test) >= 16
    assert not set(images[test, 0, 0, 0].tolist()) & set(images[training, 0, 0, 0].tolist())


def test_a_group_is_on_one_side_and_own_images_for_validation_stay_there() -> None:
    """Groups of three among images that all differ; every tenth image came for validation."""
    images, labels = np.arange(300, dtype=np.int64), np.arange(300) // 150
    pixels = np.stack([images % 251, images // 251], axis=1).astype(np.uint8).reshape(300, 1, 2, 1)
    test, training = split_test(pixels, labels, groups=images // 3)
    assert len(test) == 60
    assert not set(test // 3) & set(training // 3)
    data = Data("pairs", ("a", "b"), pixels, labels, pixels[:1], labels[:1], own_validation=images[::10])
    assert data.splits.validation.tolist() == images[::10].tolist()
    assert set(data.splits.calibration) <= set(data.splits.fitted) == set(range(300)) - set(range(0, 300, 10))
    grouped = replace(data, own_validation=None, train_groups=images // 3).splits
    assert not set(grouped.validation // 3) & set(grouped.fitted // 3)


RED = "red $^$"  # which matplotlib would take for mathematics, and wrong ones
NETWORK = """
import keras
from keras import layers

def small(shape, classes):
    return keras.Sequential([
        keras.Input(shape), layers.Conv2D(4, 3, 2, activation="relu"), layers.Flatten(),
        layers.Dense(classes, activation="softmax"),
    ])

def headless(shape, classes):
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(classes)])

def wide(shape, classes):
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(7, activation="softmax")])

class Odd(layers.Layer):
    def __init__(self, thing):
        super().__init__()
        self.thing = thing

    def call(self, values):
        return values

def unsaved(shape, classes):
    return keras.Sequential([small(shape, classes), Odd(object())])

def failing(shape, classes):
    raise ValueError("no such thing")
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colour pictures of two kinds, some of them twice, in folders as people have them; and a file with networks."""
    folder, random = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    (folder / "networks.py").write_text(NETWORK)
    for name, channel in (("blue", 2), (RED, 0)):
        for number in range(80):
            pixels = random.integers(0, 60, (24, 30, 3), np.uint8)
            pixels[..., channel] += 150
            for copy in ("", "_again") if number % 4 == 0 else ("",):
                path = folder / "leaves" / name / ("2024" if number % 2 else "") / f"{number}{copy}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    (folder / "leaves" / ".ipynb_checkpoints").mkdir()
    shutil.copy(folder / "leaves/blue/0.png", folder / "leaves/.ipynb_checkpoints/0-checkpoint.png")
    (folder / "leaves" / "blue" / "._0.png").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X        ")
    (folder / "leaves" / RED / "cut.png").write_bytes((folder / "leaves" / RED / "0.png").read_bytes()[:90])
    return folder


def test_your_own_pictures_and_network_reach_the_device(pictures: Path, tmp_path: Path) -> None:
    """A picture and the logs cannot be written: a folder is in the picture's place, a file in that of the logs."""
    words = ("--dataset", pictures / "leaves", "--image-size", "20x24", "--channels", 3, "--epochs", 12)
    network = ("--model", f"{pictures / 'networks.py'}:small", "--output", tmp_path)
    (tmp_path / "curves.png").mkdir()
    (tmp_path / "logs").write_text("in the way")
    done = run("train", *words, *network)
    assert done.returncode == 0, done.stderr
    assert "none for this data set" in done.stdout
    assert f"leaves: 200 images: blue: 100, {RED}: 100" in done.stderr
    assert f"warning: 1 of 201 images left out: {RED}/cut.png; {RED}/cut.png does not decode" in done.stderr
    assert (tmp_path / "left_out.csv").read_text().splitlines()[1].startswith(f"{RED}/cut.png,does not decode")
    for name in ("curves.png", "logs"):
        assert len([line for line in done.stderr.splitlines() if f"warning: {name} is left out" in line]) == 1
    for name in ("confusion.png", "mistakes.png"):
        with Image.open(tmp_path / name) as drawn:
            assert drawn.size[0] > 300
    manifest = read_model(tmp_path / "model.keras").manifest
    assert (manifest.labels, manifest.input.shape) == (("blue", RED), (20, 24, 3))
    splits = [read_dataset(tmp_path / f"{split}.npz", manifest) for split in ("validation", "evaluation")]
    seen = [{image.tobytes() for image in data.images} for data in splits]
    assert not seen[0] & seen[1]  # a picture and its copy are on one side
    for data in splits:
        assert abs(int((np.asarray(data.labels) == 0).sum()) * 2 - len(data)) <= 4
        for name, label, image in zip(data.indices.tolist(), np.asarray(data.labels), data.images, strict=True):
            assert name.startswith(manifest.labels[label])
            assert (read_image(pictures / "leaves" / name, manifest.input) == image).all()
    done = run("convert.tflite", tmp_path / "model.keras")
    assert done.returncode == 0, done.stderr
    answer = run(
        "edgecnn", "classify", pictures / "leaves" / RED / "2024/1.png", "--model", tmp_path / "model_int8.tflite"
    )
    assert RED in answer.stdout
    with Image.open(pictures / "leaves/blue/2024/1.png") as picture:
        pixels = np.asarray(picture.resize((24, 20)))
    assert Classifier(tmp_path / "model_int8.tflite").predict(pixels).label == "blue"


@pytest.mark.slow
def test_a_network_that_does_not_fit_gets_a_line(pictures: Path) -> None:
    """In one process: loading TensorFlow takes seconds."""
    file = pictures / "networks.py"
    expected = {
        f"{pictures / 'none.py'}:small": ("none.py", "No such file"),
        f"{file}:tiny": ("no function tiny",),
        f"{file}:headless": ("end it with a softmax",),
        f"{file}:wide": ("(7,)", "10 probabilities"),
        f"{file}:unsaved": ("cannot be saved", "Odd"),
        f"{file}:failing": ("ValueError", "no such thing", "networks.py:29"),
    }
    done = run(ROOT / "tests/try_networks.py", *expected)
    for line, words in zip(done.stdout.splitlines(), expected.values(), strict=True):
        assert all(word in line for word in words), line
    refused(run("train", "--dataset", "digits", "--model", "networks"), "FILE.py:FUNCTION")


@pytest.mark.slow
def test_unsuitable_folders_get_a_line(pictures: Path, tmp_path: Path) -> None:
    words = ("train", "--output", tmp_path / "out", "--dataset")
    refused(run(*words, tmp_path / "nowhere"), "neither a data set's name nor a folder")
    refused(run(*words, pictures), "1 class folder, leaves", "two or more")
    (tmp_path / "few" / "a").mkdir(parents=True)
    (tmp_path / "few" / "b").mkdir()
    refused(run(*words, tmp_path / "few"), "no images in a, b")
    for name in "ab":
        Image.new("L", (30, 30)).save(tmp_path / "few" / name / "1.png")
    refused(run(*words, tmp_path / "few"), "2 images", "100 are the least")
    for number in range(100):
        Image.new("L", (30, 30), number).save(tmp_path / "few" / "a" / f"{number}.png")
    (tmp_path / "few" / "b" / "1.png").write_bytes(b"no picture")
    refused(run(*words, tmp_path / "few"), "no images that can be read in b; b/1.png: does not decode")
    (tmp_path / "few" / "b" / "loop").symlink_to(tmp_path / "few")
    refused(run(*words, tmp_path / "few"), "few/b/loop", "leads back to a folder that it lies in: remove this link")
    shutil.copytree(pictures / "leaves", tmp_path / "a\x1b[1m")
    refused(
        run(*words, tmp_path / "a\x1b[1m"), "--dataset: the name holds control characters"
    )  # before it is trained on
    assert not (tmp_path / "out" / "checkpoint.zip").exists()
    refused(run(*words, pictures / "leaves", "--image-size", 12), "18 pixels a side", "--image-size")


def write_idx(path: Path, array: np.ndarray) -> None:
    """An IDX file, gzipped where its name says so."""
    path.parent.mkdir(exist_ok=True)
    data = struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    """Digits as the four files of a data set in MNIST's format, two of them gzipped."""
    data, folder = digits(), tmp_path / "fashion"
    write_idx(folder / "train-images-idx3-ubyte.gz", data.train_images[..., 0])
    write_idx(folder / "train-labels-idx1-ubyte", data.train_labels.astype(np.uint8))
    write_idx(folder / "t10k-images-idx3-ubyte", data.test_images[..., 0])
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", data.test_labels.astype(np.uint8))
    return folder


def test_files_in_mnists_format_are_read(fashion: Path, tmp_path: Path) -> None:
    names = "top,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,boot"
    words = ("train", "--data", fashion, "--epochs", 1, "--output", tmp_path / "out")
    done = run(*words, "--labels", names)
    assert done.returncode == 0, done.stderr
    manifest = read_model(tmp_path / "out" / "model.keras").manifest
    assert manifest.name == "fashion"
    assert manifest.labels == tuple(names.split(","))
    assert (read_dataset(tmp_path / "out" / "evaluation.npz", manifest).images == digits().test_images).all()
    refused(run(*words, "--labels", "top,trouser"), "2 classes", "labels up to 9")
    refused(run(*words, "--labels", names.replace("boot", "top")), "twice")
    refused(run(*words), "--labels")
    labels = fashion / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-5])
    refused(run(*words, "--labels", names), "train-labels-idx1-ubyte", "damaged")
