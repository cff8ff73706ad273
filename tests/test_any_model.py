"""Any Keras classifier converts: other shapes, other layers, other files, without a manifest."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import ROOT, Once, refused, run

from edgecnn import Classifier
from edgecnn.engine_loading import load_engine
from edgecnn.engines import ENGINES, packaged
from edgecnn.modelfile import read_model
from edgecnn.pixels import stored_pixels

pytestmark = pytest.mark.slow

NETWORKS = {"resnet8": 10, "ds_cnn": 12, "mobilenet": 10, "nested": 4}


def network(folder: Path, name: str, kind: str = "keras") -> list[str]:
    """Write a network and its calibration images into `folder`, and give the arguments that convert it."""
    done = run(ROOT / "tests/networks.py", name, kind, folder)
    assert done.returncode == 0, done.stderr
    path = folder / (name if kind == "saved" else f"{name}.{kind}")
    labels = ",".join(f"class{number}" for number in range(NETWORKS.get(name, 3)))
    normalization = "none" if name == "nested" else "unit"
    return [
        str(path),
        "--labels",
        labels,
        "--normalization",
        normalization,
        "--calibration",
        str(folder / "calibration.npz"),
    ]


def raw_outputs(path: Path, engine: str, images: np.ndarray) -> np.ndarray:
    """Outputs of an engine for raw pixels, before any softmax, (n, classes)."""
    model = read_model(path)
    _, loaded = load_engine(engine, model.data, model.manifest.format, str(path), 1)
    outputs = []
    for image in images:
        loaded.feed()[0] = stored_pixels(image, model.manifest.input, loaded.input)
        loaded.invoke()
        outputs.append(loaded.result()[0].copy())
    return np.stack(outputs)


def converted(once: Once, name: str) -> Path:
    """The folder of a network and its conversions, C among them."""

    def fill(folder: Path) -> None:
        variants = ["tflite:none", "onnx:none", "tflite:int8", "onnx:int8", "c:int8"]
        done = run("convert", *network(folder, name), "--max-drop", "1", "--variants", *variants, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        (folder / "entries.json").write_text(done.stdout)

    return once(name, fill)


@pytest.mark.parametrize("name", NETWORKS)
def test_float_exports_equal_keras_on_every_engine(once: Once, name: str) -> None:
    """Within 1e-6 + 1e-5 of the largest output; and int8 is written when the user allows its losses."""
    folder = converted(once, name)
    images, expected = np.load(folder / "calibration.npz")["images"], np.load(folder / "expected.npy")
    bound = 1e-6 + 1e-5 * max(1, np.abs(expected).max())
    for kind in packaged():
        if kind.installed:
            outputs = raw_outputs(folder / f"model_float32.{kind.format}", kind.name, images)
            assert np.abs(outputs - expected).max() <= bound
    graph = onnx.load(folder / "model_float32.onnx").graph
    assert not {node.op_type for node in graph.node} & {"Shape", "Gather", "Slice", "Concat"}
    entries = {entry["file"]: entry for entry in json.loads((folder / "entries.json").read_text())}
    assert entries["model_int8.tflite"]["integer_share"] > 0.9
    assert entries["model_int8.onnx"]["integer_share"] > 0.5
    models = [file for file in entries if not file.endswith(".c")]
    for file in models:
        predictions = Classifier(folder / file).predict_batch(images[:4])
        assert all(abs(prediction.probabilities.sum() - 1) < 0.02 for prediction in predictions)
    manifest = read_model(folder / "model_int8.tflite").manifest
    assert manifest.output == ("logits" if name == "nested" else "probabilities")
    card = (folder / "models.md").read_text()
    assert all(file in card for file in models)


CONVERTED = (
    *("swish", "hard_swish", "gelu", "grouped", "mixed", "augmented"),
    *("recurrent", "recurrent_convolution", "attention", "transposed"),
)


@pytest.fixture(scope="module")
def conversions(once: Once) -> dict[str, dict[str, float]]:
    """Of networks that people bring: largest differences to Keras, and counts (tests/convert_networks.py)."""

    def fill(folder: Path) -> None:
        done = run(ROOT / "tests/convert_networks.py", *CONVERTED)
        assert done.returncode == 0, done.stderr
        (folder / "networks.json").write_text(done.stdout)

    return json.loads((once("conversions", fill) / "networks.json").read_text())


@pytest.mark.parametrize("name", CONVERTED)
def test_networks_that_people_bring_convert(conversions: dict[str, dict[str, float]], name: str) -> None:
    """In float they answer as Keras does, in int8 nearly so; ONNX has the same bytes both times."""
    network = conversions[name]
    assert "error" not in network
    bound = 2e-3 if name == "mixed" else 1e-6  # Keras itself computes that one in float16
    assert network["tflite"] < bound, network
    assert network["onnx"] < bound, network
    assert network["tflite int8"] < 0.02, network
    assert network["onnx int8"] < 0.03, network
    if name != "attention":  # tf2onnx's optimizer leaves a Reshape more there at times; the values are the same
        assert network["same"]
    assert network["operators"] > 3  # with those in the bodies of loops


def test_the_work_of_a_network_is_counted(conversions: dict[str, dict[str, float]]) -> None:
    """Of two convolutions of 3x3, one of them in 4 groups, and a dense layer, with their biases."""
    first, second, last = (3 * 3 * 3 * 8 + 8) * 14 * 14, (3 * 3 * 2 * 8 + 8) * 14 * 14, 8 * 4 + 4
    assert conversions["grouped"]["work"] == first + second + last


def test_a_converter_that_dies_is_one_variant(tmp_path: Path) -> None:
    words = network(tmp_path, "nested")
    variants = ("--variants", "onnx:none", "tflite:int8", "tflite:none")
    done = run(ROOT / "tests/dying_converter.py", *words, "--max-drop", 1, *variants, "--json")
    assert done.returncode == 1, done.stderr
    entries = {entry["file"]: entry for entry in json.loads(done.stdout)}
    assert {file: entry["verdict"] for file, entry in entries.items()} == {
        "model_float32.onnx": "PASS",
        "model_int8.tflite": "FAIL",
        "model_float32.tflite": "PASS",
    }
    assert "died of this network (SIGSEGV)" in entries["model_int8.tflite"]["why"]
    assert len(json.loads((tmp_path / "models.json").read_text())["models"]) == 2


@pytest.mark.parametrize("kind", ["h5", "saved"])
def test_older_files_convert_alike(tmp_path: Path, kind: str) -> None:
    """An .h5 as Keras 2 wrote it and a SavedModel answer as the .keras file does."""
    words = network(tmp_path, "nested", kind)
    for command in ("convert.tflite", "convert.onnx"):
        done = run(command, *words, "--quantize", "none", "--output", tmp_path / command)
        assert done.returncode == 0, done.stderr
        engine = "litert" if command == "convert.tflite" else "onnx"
        outputs = raw_outputs(tmp_path / command, engine, np.load(tmp_path / "calibration.npz")["images"])
        np.testing.assert_allclose(outputs, np.load(tmp_path / "expected.npy"), atol=1e-5)
    if kind == "saved":
        refused(run("convert.tflite", *words, "--keep-float", "auto"), "SavedModel", "layers are gone")


def test_models_that_are_no_classifier_or_not_safe_are_refused(tmp_path: Path) -> None:
    words = network(tmp_path, "nested")
    refusals = {"two_inputs": "2 inputs", "no_classifier": "a classifier gives", "with_lambda": "Lambda"}
    for name, message in refusals.items():
        network(tmp_path, name)
        refused(run("convert.tflite", tmp_path / f"{name}.keras", *words[1:]), message)
    network(tmp_path, "reads_files", "saved")
    refused(run("convert.tflite", tmp_path / "reads_files", *words[1:]), "holds ReadFile")


def test_a_failing_conversion_names_the_layer_and_keeps_the_log(tmp_path: Path) -> None:
    words = network(tmp_path, "unsupported")
    refused(run("convert.tflite", *words), "at layer 'shrink'", "model_int8.tflite.log")
    assert "ScaleAndTranslate" in (tmp_path / "model_int8.tflite.log").read_text()
    assert not list(tmp_path.glob("*.tflite"))


def test_a_model_without_a_manifest_asks_for_its_options(tmp_path: Path) -> None:
    path, *words = network(tmp_path, "nested")
    labels, normalization, source = words[:2], words[2:4], words[4:]
    refused(run("convert.tflite", path), "--labels, --normalization and --calibration")
    refused(run("convert.tflite", path, *normalization, *source), "name its classes in order with --labels")
    refused(run("convert.tflite", path, *labels, *source), "say --normalization")
    refused(run("convert.tflite", path, "--labels", "a,b", *normalization, *source), "2 labels, but", "gives 4 classes")
    refused(run("convert.tflite", path, "--labels", "a,a,b,c", *normalization, *source), "twice")
    cut = tmp_path / "cut.keras"
    cut.write_bytes(Path(path).read_bytes()[:-2000])
    refused(run("convert.tflite", cut, *words), "cut.keras")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((20, 16, 16, 3), np.float32), "store raw pixels, uint8"),
        (np.full((20, 16, 16, 3), np.nan, np.float32), "NaN"),
        (np.zeros((20, 8, 8, 3), np.uint8), "holds images of 8x8x3, the model takes 16x16x3"),
        (np.zeros((0, 16, 16, 3), np.uint8), "holds no images"),
        (np.zeros((9, 16, 16, 3), np.uint8), "9 images for calibration: give 10 or more"),
    ],
)
def test_wrong_calibration_images_are_refused(network_once: list[str], tmp_path: Path, images, message: str) -> None:
    np.savez(tmp_path / "wrong.npz", images=images)
    refused(run("convert.tflite", *network_once[:-1], tmp_path / "wrong.npz"), message)


@pytest.fixture(scope="module")
def network_once(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return network(tmp_path_factory.mktemp("nested"), "nested")


def test_few_images_are_warned_of_and_folders_calibrate(network_once: list[str], tmp_path: Path) -> None:
    from PIL import Image

    for number, image in enumerate(np.load(network_once[-1])["images"]):
        folder = tmp_path / "images" / f"class{number % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    words = [*network_once[:-1], tmp_path / "images", "--calibration-count", 20, "--max-drop", 1]
    done = run("convert.tflite", *words, "--output", tmp_path / "model.tflite")
    assert done.returncode == 0, done.stderr
    assert "warning: 20 images for calibration" in done.stderr
    refused(run("convert.tflite", *words, "--calibration-count", 99), "there are 40 images")


def test_batches_are_fixed_or_open(trained: Path, tmp_path: Path) -> None:
    """A file for batches of 4 answers as one for single images does, also where the last batch is short."""
    images = np.load(trained / "evaluation.npz")["images"][:6]
    for name, command, quantize in (("tflite", "convert.tflite", "int8"), ("onnx", "convert.onnx", "none")):
        single = Classifier(trained / f"model_{'float32' if quantize == 'none' else quantize}.{name}")
        expected = np.stack([prediction.probabilities for prediction in single.predict_batch(images)])
        for batch in ("4", "dynamic"):
            path = tmp_path / f"{batch}.{name}"
            words = [trained / "model.keras", "--quantize", quantize, "--batch", batch, "--output", path]
            done = run(command, *words)
            assert done.returncode == 0, done.stderr
            assert ("XNNPACK stays out" in done.stderr) == (batch == "dynamic" and name == "tflite")
            predictions = Classifier(path).predict_batch(images)
            probabilities = np.stack([prediction.probabilities for prediction in predictions])
            np.testing.assert_allclose(probabilities, expected, atol=1e-6 if quantize == "none" else 0.05)


def test_every_variant_of_ours(trained: Path, tmp_path: Path) -> None:
    """All in one go; models.json and models.md say which engines run each, and which do not."""
    done = run("convert", trained / "model.keras", "--output", tmp_path, "--max-drop", "0.02", "--optimize", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    models = {entry["file"]: entry for entry in json.loads((tmp_path / "models.json").read_text())["models"]}
    assert len(models) == 10
    assert models["model_int8.tflite"]["integer_share"] == 1
    assert models["model_float32.tflite"]["integer_share"] == 0
    assert models["model_float32.tflite"]["parameters"] == models["model_float32.onnx"]["parameters"] - 1 == 93_322
    if ENGINES["tflite"].installed:
        assert models["model_dynamic.tflite"]["engines"]["tflite"]["runs"] is False
        assert "does not run it" in (tmp_path / "models.md").read_text()
    for name in models:
        assert Classifier(tmp_path / name).manifest.agreement is not None


def test_the_same_conversion_gives_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    """In a fresh process, and in one that converted another variant before."""
    variants = ["onnx:none", "onnx:int8", "tflite:int8"]
    done = run("convert", trained / "model.keras", "--output", tmp_path, "--variants", *variants)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.split("\n\n")[0].splitlines())) <= 80
    for name in ("model_int8.tflite", "model_int8.onnx", "model_float32.onnx"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_verify_compares_any_two(trained: Path) -> None:
    keras, tflite, onnx = (trained / name for name in ("model.keras", "model_int8.tflite", "model_float32.onnx"))
    same = json.loads(run("convert.verify", keras, onnx, "--json").stdout)
    assert (same["agreement"], same["lost"], same["verdict"]) == (1, [], "PASS")
    assert same["largest_difference"] < 1e-5
    int8 = json.loads(run("convert.verify", onnx, tflite, "--data", trained / "evaluation.npz", "--json").stdout)
    assert int8["b"]["engine"] == "litert"
    assert int8["largest_difference_steps"] >= 1
    refused(run("convert.verify", onnx, f"{tflite}@onnx"), "runs .onnx files")
