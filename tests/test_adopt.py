"""Files of other tools are tried, and get a manifest."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import refused, run
from onnx import TensorProto, helper, numpy_helper

from convert.adopt import Probe, _quantization
from edgecnn import Classifier
from edgecnn.check import check
from edgecnn.dataset_reading import read_dataset
from edgecnn.interpreters import TensorSpec
from edgecnn.modelfile import read_model

LABELS = ("--labels", "0,1,2,3,4,5,6,7,8,9")


def stripped(source: Path, target: Path) -> Path:
    """A model of ours without its manifest, as other tools write it."""
    if source.suffix == ".onnx":
        proto = onnx.load(source)
        del proto.metadata_props[:]
        target.write_bytes(proto.SerializeToString())
    else:
        target.write_bytes(source.read_bytes().split(b"PK\x03\x04")[0])
    return target


@pytest.mark.parametrize(("name", "how"), [("model_int8.tflite", "unit"), ("model_float32.onnx", "none")])
def test_an_adopted_file_answers_as_before(trained: Path, tmp_path: Path, name: str, how: str) -> None:
    path = stripped(trained / name, tmp_path / name)
    refused(run("edgecnn", "info", path), "python -m convert.adopt")
    done = run("convert.adopt", path, *LABELS, "--normalization", how)
    assert done.returncode == 0, done.stderr
    adopted = path.with_stem(f"{path.stem}_edgecnn")
    images = np.load(trained / "evaluation.npz")["images"][:20]
    before, after = Classifier(trained / name), Classifier(adopted)
    for one, other in zip(before.predict_batch(images), after.predict_batch(images), strict=True):
        assert one.probabilities.tolist() == other.probabilities.tolist()
    refused(run("convert.adopt", adopted, *LABELS, "--normalization", how), "has a manifest already")


def test_an_adopted_file_says_unknown_if_asked_to(trained: Path, tmp_path: Path) -> None:
    """Its threshold is fitted to its own answers to images that the network never saw."""
    path, images = stripped(trained / "model_int8.tflite", tmp_path / "m.tflite"), trained / "evaluation.npz"
    about = (*LABELS, "--normalization", "unit")
    refused(run("convert.adopt", path, *about, "--reject", "0.99"), "--reject needs --validation")
    with np.load(images) as arrays:
        np.savez(tmp_path / "bare.npz", images=arrays["images"])
    refused(run("convert.adopt", path, *about, "--reject", "0.99", "--validation", tmp_path / "bare.npz"), "labels")
    never = run("convert.adopt", path, *about, "--reject", "1", "--validation", images)
    if never.returncode:
        assert never.returncode == 1
        assert "no threshold reaches --reject 1 on validation" in never.stderr
        assert not (tmp_path / "m_edgecnn.tflite").exists()
    done = run("convert.adopt", path, *about, "--reject", "0.995", "--validation", images)
    assert done.returncode == 0, done.stderr
    assert read_model(tmp_path / "m_edgecnn.tflite").manifest.reference is not None
    model = Classifier(tmp_path / "m_edgecnn.tflite")
    assert model.threshold > 0
    assert "unknown" in done.stdout
    bare = replace(read_dataset(images, model.manifest), source=None, probabilities=None)
    figures = check(model, bare).reliability
    assert figures is not None
    assert figures.selective_accuracy is not None
    assert figures.selective_accuracy >= 0.995
    assert 0.5 < figures.coverage < 1


def test_an_adopted_file_has_the_reference_of_a_conversion(trained: Path, tmp_path: Path) -> None:
    """Of the same images, without labels, and the same answers."""
    path = stripped(trained / "model_int8.tflite", tmp_path / "m.tflite")
    with np.load(trained / "validation.npz") as arrays:
        np.savez(tmp_path / "bare.npz", images=arrays["images"])
    done = run("convert.adopt", path, *LABELS, "--normalization", "unit", "--validation", tmp_path / "bare.npz")
    assert done.returncode == 0, done.stderr
    manifest = read_model(tmp_path / "m_edgecnn.tflite").manifest
    assert manifest.rejection is None
    converted = read_model(trained / "model_int8.tflite").manifest
    assert manifest.reference is not None
    assert converted.reference is not None
    if converted.rejection is None:
        assert manifest.reference == converted.reference
    else:  # whose temperature is in its probabilities
        assert replace(manifest.reference, probability=converted.reference.probability) == converted.reference


def test_files_that_metadata_appended_stay_and_labels_are_written_once(trained: Path, tmp_path: Path) -> None:
    """TFLite Metadata appends a ZIP with labels of its own."""
    path = stripped(trained / "model_int8.tflite", tmp_path / "flowers.tflite")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "a\nb\n")
        archive.writestr("words.txt", "what it is for")
    done = run("convert.adopt", path, *LABELS, "--normalization", "unit")
    assert (done.returncode, done.stderr) == (0, "")
    with zipfile.ZipFile(tmp_path / "flowers_edgecnn.tflite") as archive:
        assert sorted(archive.namelist()) == ["edgecnn.json", "labels.txt", "words.txt"]
        assert archive.read("labels.txt").split() == [b"%d" % label for label in range(10)]
        assert archive.read("words.txt") == b"what it is for"
    assert read_model(tmp_path / "flowers_edgecnn.tflite").manifest.quantization == "int8"
    assert Classifier(tmp_path / "flowers_edgecnn.tflite").predict(np.zeros((28, 28, 1), np.uint8)).label


@pytest.mark.parametrize(
    ("ends", "quantization"),
    [
        (("int8", "int8"), "int8"),
        (("uint8", "uint8"), "uint8"),
        (("int16", "int16"), "int16x8"),
        (("uint8", "int8"), "unknown"),
        (("uint8", "float32"), "unknown"),
    ],
)
def test_the_quantization_follows_from_input_and_output(ends: tuple[str, str], quantization: str) -> None:
    entry, output = (TensorSpec((1, 4), np.dtype(name)) for name in ends)
    assert _quantization(Probe("litert", entry, output, np.zeros((1, 4), np.float32))) == quantization


def test_options_that_do_not_fit_are_refused(trained: Path, tmp_path: Path) -> None:
    path = stripped(trained / "model_int8.tflite", tmp_path / "m.tflite")
    refused(run("convert.adopt", path, "--labels", "a,b", "--normalization", "unit"), "2 labels, but", "10 classes")
    refused(run("convert.adopt", path, *LABELS), "say --normalization")
    refused(run("convert.adopt", path, "--normalization", "unit"), "--labels")
    refused(run("convert.adopt", path, *LABELS, "--normalization", "torch"), "for 3 channels")
    refused(run("convert.adopt", path, *LABELS, "--pixel-scale", "1", "--output", path), "the file itself")
    refused(run("convert.adopt", trained / "model.keras", *LABELS, "--pixel-scale", "1"), "convert it")
    path.write_bytes(b"\0\0\0\0TFL3" + bytes(range(256)) * 40)
    refused(run("convert.adopt", path, *LABELS, "--normalization", "unit"), "m.tflite")
    assert [file.name for file in tmp_path.iterdir()] == ["m.tflite"]


def test_channels_first_and_logits_are_found(tmp_path: Path) -> None:
    """A network of PyTorch's kind: float32 1x3x8x8 in, logits out."""
    random = np.random.default_rng(0)
    constants = {"w": random.normal(size=(4, 3, 3, 3)), "b": random.normal(size=4)}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w", "b"], ["c"]),
            helper.make_node("GlobalAveragePool", ["c"], ["p"]),
            helper.make_node("Flatten", ["p"], ["logits"]),
        ],
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    done = run("convert.adopt", path, "--labels", "a,b,c,d", "--normalization", "torch")
    assert done.returncode == 0, done.stderr
    manifest = read_model(tmp_path / "net_edgecnn.onnx").manifest
    assert (manifest.input.layout, manifest.input.shape, manifest.output) == ("NCHW", (8, 8, 3), "logits")

    import onnxruntime

    image = random.integers(0, 256, (8, 8, 3), np.uint8)
    values = (image / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    session = onnxruntime.InferenceSession(path.read_bytes())
    (logits,) = session.run(None, {"image": values.transpose(2, 0, 1)[np.newaxis].astype(np.float32)})
    expected = np.exp(logits[0]) / np.exp(logits[0]).sum()
    np.testing.assert_allclose(
        Classifier(tmp_path / "net_edgecnn.onnx").predict(image).probabilities, expected, rtol=1e-4
    )
