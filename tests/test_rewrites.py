"""Rewrites change no output, on any network; where none applies, a note says so."""

from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, refused, run

from edgecnn import Classifier
from edgecnn.engines import engines_for
from edgecnn.modelfile import read_model

pytestmark = pytest.mark.slow


def test_random_networks_keep_their_outputs() -> None:
    done = run(ROOT / "tests/random_rewrites.py", 80, 6)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.mark.parametrize(
    ("words", "name", "rewrites"),
    [
        (("convert.tflite",), "model_int8.tflite", ("crop", "patches")),
        (("convert.onnx", "--quantize", "int8"), "model_int8.onnx", ("crop", "patches", "pixels")),
        (("convert.onnx",), "model_float32.onnx", ("crop", "pixels")),
    ],
)
def test_exported_models_have_the_plain_outputs(
    trained: Path, tmp_path: Path, words: tuple[str, ...], name: str, rewrites: tuple[str, ...]
) -> None:
    """Our own network on digits, on every engine, on random images."""
    command, *rest = words
    done = run(command, trained / "model.keras", *rest, "--optimize", "none", "--output", tmp_path / name)
    assert done.returncode == 0, done.stderr
    edge, plain = read_model(trained / name), read_model(tmp_path / name)
    assert (edge.manifest.rewrites, plain.manifest.rewrites) == (rewrites, ())
    images = np.random.default_rng(1).integers(0, 256, (200, 28, 28), np.uint8)
    for engine in engines_for(edge.manifest.format, name):
        one, other = (
            np.stack([answer.probabilities for answer in Classifier.of(model, engine).predict_batch(images)])
            for model in (edge, plain)
        )
        bound = 0 if edge.manifest.quantization == "int8" else 1.1e-5
        np.testing.assert_allclose(one, other, rtol=0, atol=bound)


def test_all_forms_are_written_for_tune(copied: Path) -> None:
    done = run("convert.tflite", copied / "model.keras", "--forms", "all")
    assert done.returncode == 0, done.stderr
    forms = {path.stem.removeprefix("model_int8_") for path in copied.glob("model_int8_*.tflite")}
    refused_forms = {line.split(" refused:")[0].replace(" and ", "_") for line in done.stderr.splitlines()}
    assert forms >= {"plain", "crop"}
    assert forms | refused_forms >= {"plain", "crop", "patches", "blocks", "crop_patches", "crop_blocks"}
    refused(run("convert.tflite", copied / "model.keras", "--forms", "all", "--optimize", "none"), "leave one out")


def test_a_note_says_that_no_rewrite_applies(tmp_path: Path) -> None:
    from test_any_model import network

    words = network(tmp_path, "ds_cnn")
    done = run("convert.tflite", *words, "--quantize", "none", "--output", tmp_path / "model.tflite")
    assert done.returncode == 0, done.stderr
    assert "no rewrite: the layers are as in Keras" in done.stdout
    assert read_model(tmp_path / "model.tflite").manifest.rewrites == ()


def test_pixels_that_are_shifted_too_are_scaled_as_before(tmp_path: Path) -> None:
    from test_any_model import network

    words = network(tmp_path, "ds_cnn")
    at = words.index("--normalization")
    for normalization, rewrites in (("unit", ("pixels",)), ("tf", ())):
        output = tmp_path / f"{normalization}.onnx"
        done = run("convert.onnx", *words[: at + 1], normalization, *words[at + 2 :], "--output", output)
        assert done.returncode == 0, done.stderr
        assert read_model(output).manifest.rewrites == rewrites
