"""Random networks through every rewrite: python tests/random_rewrites.py EXAMPLES INT8_EXAMPLES.

Fails if a rewrite changes the outputs: in float by more than 1e-5 of the largest value; in int8 by a byte, where
calibration saw the same ranges.
"""

import sys

import keras
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from convert.formats.tflite import tflite_from_keras
from convert.rewrites import REWRITES, rewritten
from edgecnn.command import quiet

examples, int8_examples = map(int, sys.argv[1:])
applied: dict[str, int] = dict.fromkeys([*REWRITES, "int8"], 0)
PADDING = st.sampled_from(["valid", "same"])


@st.composite
def networks(draw):
    """One to three convolutions, each perhaps with normalization, activation and pooling; then a dense layer."""
    side, channels = draw(st.integers(12, 21)), draw(st.sampled_from([1, 1, 2, 3]))
    keras.utils.set_random_seed(draw(st.integers(0, 2**16)))
    x = image = keras.Input((side, side + draw(st.integers(0, 2)), channels))
    for _ in range(draw(st.integers(1, 3))):
        kernel = draw(st.sampled_from([(1, 1), (2, 2), (3, 3), (3, 3), (4, 4), (5, 3), (2, 4)]))
        activation = draw(st.sampled_from([None, "relu", "tanh"]))
        filters = draw(st.sampled_from([3, 8]))
        x = layers.Conv2D(
            filters, kernel, draw(st.sampled_from([1, 1, 2])), draw(PADDING), activation=activation,
            use_bias=draw(st.booleans()), bias_initializer="random_normal",
        )(x)  # fmt: skip
        if draw(st.booleans()):
            x = layers.BatchNormalization(gamma_initializer="random_normal", beta_initializer="random_normal")(x)
        if draw(st.booleans()):
            x = draw(st.sampled_from([layers.ReLU, layers.LeakyReLU]))()(x)
        if min(x.shape[1:3]) >= 3 and draw(st.integers(0, 3)):
            pooling = draw(st.sampled_from([layers.MaxPooling2D, layers.MaxPooling2D, layers.AveragePooling2D]))
            x = pooling(draw(st.integers(2, 3)), draw(st.sampled_from([None, None, None, 1, 2])), draw(PADDING))(x)
        if min(x.shape[1:3]) < 5:
            break
    return keras.Model(image, layers.Dense(4)(layers.Flatten()(x)))


relaxed = settings(
    max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@relaxed
@given(networks())
def float_outputs_stay(model):
    images = np.random.default_rng(0).random((8, *model.inputs[0].shape[1:]), np.float32)
    exact = np.asarray(model(images))
    for names in ([name] for name in REWRITES):
        _compare(model, names, images, exact)
    for name in ("patches", "blocks"):
        _compare(model, ["crop", name], images, exact)


def _compare(model, names, images, exact):
    other, changes = rewritten(model, names)
    if other is None:
        return
    applied[names[-1]] += len(changes) > 0
    assert other.inputs[0].shape[1:] == model.inputs[0].shape[1:]
    np.testing.assert_allclose(np.asarray(other(images)), exact, rtol=0, atol=1e-5 * max(1, np.abs(exact).max()))


@settings(relaxed, max_examples=int8_examples)
@given(networks())
def int8_outputs_stay(model):
    images = np.random.default_rng(0).random((24, *model.inputs[0].shape[1:]), np.float32)
    plain = None
    for names in (["crop"], ["patches"], ["blocks"]):
        other, _ = rewritten(model, names)
        if other is not None:
            expected, known = plain = plain or _int8(model, images)
            outputs, scales = _int8(other, images)
            if scales <= known:  # else calibration saw its extremes where nobody reads: the converters refuse that
                np.testing.assert_array_equal(outputs, expected, err_msg=str(names))
                applied["int8"] += 1


def _int8(model, images):
    """The outputs of the int8 model, and the scales of all tensors but weights."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(model_content=tflite_from_keras(model, images))
        interpreter.allocate_tensors()
    (entry,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = entry["quantization"]
    outputs = []
    for image in images:
        stored = (np.rint(image / scale) + zero_point).clip(-128, 127).astype(np.int8)
        interpreter.set_tensor(entry["index"], stored[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(output["index"])[0])
    written = {entry["index"]} | {place for op in interpreter._get_ops_details() for place in op["outputs"]}
    details = interpreter.get_tensor_details()
    return np.array(outputs), {tensor["quantization"][0] for tensor in details if tensor["index"] in written}


if __name__ == "__main__":
    float_outputs_stay()
    int8_outputs_stay()
    print(applied)
    assert all(applied.values()), "a rewrite was never tried"
