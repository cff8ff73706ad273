"""Training with rounded answers: the graph is what TFLite computes; a network that int8 breaks is mended."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, Once, refused, run

from edgecnn.modelfile import find_manifest, read_model
from edgecnn.native_description import target
from workstation.tflite_ranges import is_constant, parsed

pytestmark = pytest.mark.slow

NETWORKS = (
    *("resnet8", "ds_cnn", "mobilenet", "nested", "swish", "hard_swish", "gelu", "grouped", "mixed", "augmented"),
    *("recurrent", "recurrent_convolution", "attention", "transposed"),
)
COARSE = ("resnet8:4", "ds_cnn:4")  # weights of 4 bits
# Of operators that TFLite computes on integers by other formulas than rounding after each, or that have no node.
MORE_STEPS = {"recurrent": 4, "attention": 2, "transposed": 2}
DIGITS = ("--labels", "0,1,2,3,4,5,6,7,8,9", "--normalization", "unit")


@pytest.fixture(scope="module")
def networks(once: Once) -> dict[str, dict[str, float]]:
    """How networks do that are rounded in Keras and by TFLite (tests/rounded_networks.py)."""

    def fill(folder: Path) -> None:
        done = run(ROOT / "tests/rounded_networks.py", *NETWORKS, *COARSE)
        assert done.returncode == 0, done.stderr
        (folder / "networks.json").write_text(done.stdout)

    return json.loads((once("rounded", fill) / "networks.json").read_text())


@pytest.mark.parametrize("name", [*NETWORKS, *COARSE])
def test_the_rounded_graph_answers_as_the_int8_file(networks: dict[str, dict[str, float]], name: str) -> None:
    """Predictions are equal, outputs at most a step apart; every trainable weight is an input of the graph."""
    network = networks[name]
    assert "error" not in network, network
    assert network["same"] == 1, network
    assert network["steps"] <= MORE_STEPS.get(name, 1) + 1e-3, network
    assert network["weights"] == 0
    assert network["moved"] > 1e-5  # it is rounded
    in_file, in_graph = network["small"]
    assert in_file == in_graph
    assert (in_graph > 0) == (name in COARSE)


@pytest.fixture(scope="module")
def loud(trained: Path, once: Once) -> Path:
    """A folder with the loud network of tests/networks.py after train.qat."""

    def fill(folder: Path) -> None:
        shutil.copytree(trained, folder, dirs_exist_ok=True)
        assert run(ROOT / "tests/networks.py", "loud", "keras", folder).returncode == 0
        words = (folder / "loud.keras", "--dataset", "digits", *DIGITS, "--epochs", 2)
        done = run("train.qat", *words, "--json")
        assert done.returncode == 0, done.stderr
        (folder / "qat.json").write_text(done.stdout)

    return once("loud", fill)


@pytest.fixture(scope="module")
def coarse(trained: Path, once: Once) -> Path:
    """A folder with the trained network after train.qat with weights of 4 bits."""

    def fill(folder: Path) -> None:
        shutil.copytree(trained, folder, dirs_exist_ok=True)
        done = run("train.qat", folder / "model.keras", "--weights", 4, "--epochs", 3, "--json")
        assert done.returncode == 0, done.stderr
        (folder / "qat.json").write_text(done.stdout)

    return once("coarse", fill)


def about(folder: Path) -> list[object]:
    return ["--calibration", folder / "calibration.npz", "--validation", folder / "validation.npz"]


def test_a_loud_network_is_mended_and_stays_full_int8(loud: Path, tmp_path: Path) -> None:
    """Without the training the gate refuses it, and names the command; then it passes, no layer in float."""
    plain = run("convert.tflite", loud / "loud.keras", *DIGITS, *about(loud), "--output", tmp_path / "plain.tflite")
    assert plain.returncode == 1
    assert "--keep-float auto" in plain.stderr
    assert "python -m train.qat" in plain.stderr
    assert re.search(r"first \(\d+% of the multiply-accumulates\)", plain.stderr)
    assert re.search(r"6 epochs take about (\d+ min|a minute) for each 10,000 images", plain.stderr)
    assert "loses most in conv2d" in plain.stderr or "loses most in max_pooling2d" in plain.stderr
    words = (loud / "model_qat.keras", *about(loud), "--output", tmp_path / "mended.tflite", "--json")
    mended = run("convert.tflite", *words)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    document = json.loads(mended.stdout)
    assert (document["verdict"], document["integer_share"], document["kept_float"]) == ("PASS", 1, [])
    manifest = read_model(tmp_path / "mended.tflite").manifest
    assert (manifest.quantization, manifest.trained_ranges) == ("int8-qat", None)


def test_the_trained_graph_is_what_is_converted(loud: Path, tmp_path: Path) -> None:
    """The accuracies that the training reports are those of the int8 file."""
    report = json.loads((loud / "qat.json").read_text())
    words = (loud / "model_qat.keras", *about(loud), "--output", tmp_path / "it.tflite", "--optimize", "none", "--json")
    document = json.loads(run("convert.tflite", *words).stdout)
    figures = document["engines"]["litert"]["validation"]["accuracy"]
    assert figures == pytest.approx(
        report["accuracy"]["validation"], abs=1 / document["engines"]["litert"]["validation"]["images"]
    )


def scales(path: Path) -> set[tuple[float, int]]:
    """Scale and zero point of every int8 activation of a `.tflite`."""
    model = parsed(read_model(path).data)
    tensors = [tensor for tensor in model.subgraphs[0].tensors if tensor.type == 9 and not is_constant(model, tensor)]
    return {(float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])) for tensor in tensors}


def test_onnx_has_the_same_scales(loud: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    words = (loud / "model_qat.keras", *about(loud), "--optimize", "none", "--max-drop", 1)
    assert run("convert.tflite", *words, "--output", tmp_path / "it.tflite").returncode == 0
    assert run("convert.onnx", *words, "--quantize", "int8", "--output", tmp_path / "it.onnx").returncode == 0
    graph = onnx.load(tmp_path / "it.onnx").graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in constants]
    both = {(float(constants[node.input[1]]), int(constants[node.input[2]])) for node in nodes}
    assert scales(tmp_path / "it.tflite") <= both
    assert len(both - scales(tmp_path / "it.tflite")) <= 1  # of the pixels before they are scaled


def test_anybodys_keras_loads_what_comes_out(loud: Path, tmp_path: Path) -> None:
    """Without a class of ours; debug and verify know the files."""
    script = tmp_path / "load.py"
    script.write_text(
        "import sys, keras\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "print([type(layer).__name__ for layer in model.layers])\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('train', 'convert', 'edgecnn')]\n"
    )
    done = run(script, loud / "model_qat.keras")
    assert done.returncode == 0, done.stderr
    assert "Student" not in done.stdout
    manifest = find_manifest("it", (loud / "model_qat.keras").read_bytes())
    assert manifest is not None
    assert manifest.trained_ranges is not None
    assert manifest.trained_ranges.ends["PartitionedCall:0"] == (0.0, 255 / 256)
    words = (loud / "model_qat.keras", *about(loud), "--output", tmp_path / "it.tflite")
    assert run("convert.tflite", *words).returncode == 0
    debug = run("convert.debug", tmp_path / "it.tflite", "--parent", loud / "model_qat.keras", *about(loud), "--json")
    assert debug.returncode == 0, debug.stderr
    assert len(json.loads(debug.stdout)["layers"]) == 8
    verify = run("convert.verify", loud / "model_qat.keras", tmp_path / "it.tflite", "--max-drop", 1, "--json")
    assert verify.returncode == 0, verify.stderr


BITS = {"conv2d": 8, "conv2d_1": 4, "conv2d_2": 4, "dense": 4, "dense_1": 8}


def test_weights_of_4_bits_lie_on_their_grid_in_keras(coarse: Path, tmp_path: Path) -> None:
    """Seven steps to each side of zero in every output channel of the inner layers, and the manifest notes it."""
    script = tmp_path / "steps.py"
    script.write_text(
        "import sys, json, keras, numpy as np\n"
        "def most(kernel):\n"
        "    channels = kernel.reshape(-1, kernel.shape[-1]).T\n"
        "    return max(len(np.unique(np.round(channel, 6))) for channel in channels)\n"
        "layers = keras.models.load_model(sys.argv[1]).layers\n"
        "print(json.dumps({layer.name: most(layer.get_weights()[0]) for layer in layers if layer.weights}))\n"
    )
    done = run(script, coarse / "model_qat.keras")
    assert done.returncode == 0, done.stderr
    levels = json.loads(done.stdout.splitlines()[-1])
    assert all(count <= 15 for name, count in levels.items() if BITS[name] == 4), levels
    assert levels["dense_1"] > 15
    manifest = find_manifest("it", (coarse / "model_qat.keras").read_bytes())
    assert manifest is not None
    assert manifest.trained_ranges is not None
    assert manifest.trained_ranges.bits == json.loads((coarse / "qat.json").read_text())["bits"] == BITS


def weights_of(path: Path) -> list[int]:
    """The largest weight of each convolution and dense layer of a `.tflite`, in order."""
    from convert.c.network import read_network

    network = read_network(str(path), read_model(path).data)
    places = [part.inputs[1] for part in network.operators if part.kind in ("CONV_2D", "FULLY_CONNECTED")]
    return [int(abs(network.tensors[place].constant.astype(int)).max()) for place in places]  # type: ignore[union-attr]


def test_weights_of_4_bits_are_small_numbers_in_tflite(coarse: Path, tmp_path: Path) -> None:
    """The file answers as the graph that was trained, on all engines: its tensors are int8."""
    report = json.loads((coarse / "qat.json").read_text())
    words = (coarse / "model_qat.keras", "--output", tmp_path / "it.tflite", "--optimize", "none", "--json")
    done = run("convert.tflite", *words, "--max-drop", 0.02)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert weights_of(tmp_path / "it.tflite") == [127, 7, 7, 7, 127]
    for proof in document["engines"].values():
        images = proof["validation"]["images"]
        assert proof["validation"]["accuracy"] == pytest.approx(report["accuracy"]["validation"], abs=1 / images)
    assert (tmp_path / "it.tflite").stat().st_size < 1.1 * (coarse / "model_int8.tflite").stat().st_size


@pytest.mark.skipif(target() not in ("linux-x86_64", "linux-aarch64"), reason="libraries for it are not built")
def test_c_of_4_bits_is_exact_and_half_as_large(coarse: Path, tmp_path: Path) -> None:
    """From model_qat.keras in one command; the library and the portable kernels give what TFLite's reference gives."""
    from test_c import compiled

    words = ("--max-drop", 0.02, "--json")
    done = run("convert.c", coarse / "model_qat.keras", "--build", "host", *words, "--output", tmp_path / "four.c")
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    assert facts["golden"].startswith("all ")
    plain = run("convert.c", coarse / "model.keras", *words, "--output", tmp_path / "eight.c")
    assert plain.returncode == 0, plain.stdout + plain.stderr
    assert facts["constants"] < 0.55 * json.loads(plain.stdout)["constants"]
    assert "packed_weights" in (tmp_path / "four.c").read_text()
    sources = [tmp_path / "four.c", tmp_path / "four_test.c"]
    compiled(tmp_path, tmp_path / "t", sources, "-DEDGECNN_ONLY=portable", "-O1", "-Wall", "-Wextra", "-Werror")
    ran = subprocess.run([tmp_path / "t"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_training_that_was_killed_resumes_with_the_same_weights(copied: Path, tmp_path: Path) -> None:
    words = ("train.qat", copied / "model.keras", "--epochs", 2, "--output")
    assert run(*words, tmp_path / "whole.keras").returncode == 0
    killed = run(ROOT / "tests/killed.py", *words, tmp_path / "resumed.keras")
    assert killed.returncode == -9
    assert not (tmp_path / "resumed.keras").exists()
    done = run(*words, tmp_path / "resumed.keras", "--resume")
    assert done.returncode == 0, done.stderr
    whole, resumed = (find_manifest("it", (tmp_path / f"{name}.keras").read_bytes()) for name in ("whole", "resumed"))
    assert whole is not None
    assert resumed is not None
    assert (whole.weights_sha256, whole.trained_ranges) == (resumed.weights_sha256, resumed.trained_ranges)


def test_bad_input_gets_a_line(copied: Path, loud: Path, tmp_path: Path) -> None:
    refused(run("train.qat", copied / "loud.keras"), "loud.keras")
    refused(run("train.qat", loud / "loud.keras", *DIGITS), "--dataset")
    refused(run("train.qat", loud / "model_qat.keras"), "already")
    refused(run("train.qat", copied / "model_int8.tflite"), ".keras")
    refused(run("train.qat", copied / "model.keras", "--weights", 3), "--weights", "4")
    refused(run("train.qat", copied / "model.keras", "--all"), "--weights 4")
    refused(run("convert.tflite", copied / "model.keras", "--quantize", "int8-qat"), "no trained ranges", "train.qat")
    assert run(ROOT / "tests/networks.py", "unsupported", "keras", tmp_path).returncode == 0
    words = ("--dataset", "digits", "--labels", "a,b,c", "--normalization", "unit")
    refused(run("train.qat", tmp_path / "unsupported.keras", *words), "labels")
