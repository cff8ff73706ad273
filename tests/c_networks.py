"""C for every layer of random networks: python tests/c_networks.py FOLDER EXAMPLES. A process with TensorFlow.

Each network is converted to full int8, cut behind each of its operators, and written as C with golden outputs of
TFLite's reference kernels; so are layers with extreme scales, zero points and shifts, which no converter makes.
FOLDER/all.c runs all golden tests and prints what differs; extremes_test() runs those of the latter alone.
"""

import sys
from pathlib import Path

import c_extremes
import keras
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from convert.c import banded, c_text, sharing
from convert.c.lowering import lower
from convert.c.network import Network, read_network
from convert.c.ops import depth_multiplier
from convert.formats.tflite import tflite_from_keras
from edgecnn.command import quiet
from edgecnn.manifest import Input, Manifest

folder, examples = Path(sys.argv[1]), int(sys.argv[2])
PADDING = st.sampled_from(["valid", "same"])
RELUS = st.sampled_from([None, "relu", "relu6"])
GOLDEN = 6
EXTREMES = 6  # of each kind of layer
banded.BAND, banded.WORTH, depth_multiplier.BAND = 256, 0.999, 256  # small pictures are in bands too, for every byte
written: list[str] = []
sharing.SHARED_WORK = 0  # threads share these small networks too


def squeezed(x):
    """Squeeze and excite."""
    share = layers.GlobalAveragePooling2D(keepdims=True)(x)
    share = layers.Conv2D(x.shape[3], 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="silu")(share))
    return layers.Multiply()([x, share])


def branched(x):
    """Convolutions beside one another, with holes and groups."""
    x = layers.Conv2D(8, 1)(x)
    parts = layers.Conv2D(4, 3, padding="same", dilation_rate=2)(x), layers.Conv2D(8, 3, padding="same", groups=2)(x)
    return layers.Concatenate()([*parts, layers.Subtract()([x, layers.Conv2D(8, 1)(x)])])


OTHERS = {
    "squeeze": squeezed,
    "branches": branched,
    "hard_swish": layers.Activation("hard_swish"),
    "leaky": lambda x: layers.LeakyReLU()(layers.Conv2D(5, 3, padding="same")(x)),
    "prelu": lambda x: layers.PReLU("normal", shared_axes=[1, 2])(layers.Conv2D(5, 3, padding="same")(x)),
    "transposed": lambda x: layers.Conv2DTranspose(6, 3, 2, "same")(layers.AveragePooling2D(2, padding="same")(x)),
    "nearest": lambda x: layers.Resizing(11, 14, "nearest")(layers.MaxPooling2D(2, padding="same")(x)),
    "bilinear": lambda x: layers.UpSampling2D(2, interpolation="bilinear")(layers.MaxPooling2D(2, padding="same")(x)),
}


@st.composite
def networks(draw):
    """Two to five layers of any kind that C is written for, then pooling or flattening, then a dense layer."""
    side, channels = draw(st.integers(8, 15)), draw(st.sampled_from([1, 2, 3]))
    keras.utils.set_random_seed(draw(st.integers(0, 2**16)))
    x = image = keras.Input((side, side + draw(st.integers(0, 2)), channels))
    for _ in range(draw(st.integers(2, 5))):
        kernel = draw(st.sampled_from([(1, 1), (2, 2), (3, 3), (5, 3), (1, 4), (3, 5)]))
        kernel = tuple(map(min, kernel, x.shape[1:3]))
        strides, padding, activation = draw(st.sampled_from([1, 1, 2])), draw(PADDING), draw(RELUS)
        kind = draw(st.sampled_from(["conv", "conv", "depthwise", "max", "average", "add", "pad", *OTHERS]))
        if kind == "conv":
            filters = draw(st.sampled_from([3, 8, 16, 21, 40, 70]))
            x = layers.Conv2D(filters, kernel, strides, padding, activation=activation, bias_initializer="normal")(x)
        elif kind == "depthwise":
            times = draw(st.sampled_from([1, 1, 2]))
            x = layers.DepthwiseConv2D(kernel, strides, padding, times, activation=activation)(x)
        elif kind == "add":
            x = layers.Add()([x, layers.Conv2D(x.shape[3], 3, padding="same")(x)])
            x = layers.ReLU(6.0 if activation == "relu6" else None)(x) if activation else x
        elif kind in OTHERS:
            x = OTHERS[kind](x)
        elif kind == "pad":
            x = layers.ZeroPadding2D(((1, 0), (2, 1)))(x)
        else:
            pooling = layers.MaxPooling2D if kind == "max" else layers.AveragePooling2D
            x = pooling(draw(st.integers(1, min(3, *x.shape[1:3]))), draw(st.sampled_from([None, 1, 2])), padding)(x)
    ends = [layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D]
    x = draw(st.sampled_from(ends))()(x)
    x = layers.Dense(draw(st.integers(2, 20)), activation="softmax")(x)
    return keras.Model(image, x)


def residual():
    """A network whose sum and whose depthwise convolution need the most bytes: they are computed in bands."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((16, 16, 8))
    for _ in range(2):
        x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(layers.Add()([image, x]))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 1)(x))
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def cropped():
    """A network whose depthwise convolution of strides computes columns that nobody reads, with confusing names."""
    keras.utils.set_random_seed(0)
    image = keras.Input((9, 63, 16))
    x = layers.DepthwiseConv2D(3, 2, "same", name="a")(image)  # 32 columns, of which 17 are read
    x = layers.Conv2D(8, (3, 17), 17, activation="relu", name="a_weights")(x)
    return keras.Model(image, layers.Dense(3, activation="softmax", name="a_bias")(layers.Flatten()(x)))


def converted(model) -> bytes:
    """A model as full int8."""
    images = np.random.default_rng(0).random((24, *model.inputs[0].shape[1:]), np.float32)
    with quiet():
        return tflite_from_keras(model, images)


def write(name: str, flatbuffer: bytes, every: int = 1) -> None:
    """C for a network cut behind each of its operators, or behind every so many and the last."""
    network = read_network(name, flatbuffer)
    cuts = sorted({*range(0, len(network.operators), every), len(network.operators) - 1})
    inputs = (
        np.random.default_rng(0).integers(-128, 128, (GOLDEN, *network.tensors[network.input].shape)).astype(np.int8)
    )
    inputs[GOLDEN // 2 :] //= 2
    outputs = reference_outputs(flatbuffer, inputs)
    for cut in cuts:
        *_, output = network.operators[cut].outputs
        part = Network(network.tensors, network.operators[: cut + 1], network.input, output)
        plan = lower(name, part)
        *_, height, width, channels = (1, 1, *network.tensors[network.input].shape)
        labels = tuple(map(str, range(plan.output.size)))
        manifest = Manifest(name, "tflite", labels, Input((height, width, channels), (1.0,), (0.0,)), "0" * 64)
        names = c_text.Names.of(f"{name}_{cut}")
        written.append(f"{names.lower}_test")
        for ending, text in (
            (".h", c_text.header(names, plan, manifest)),
            (".c", c_text.source(names, plan, manifest)),
            ("_test.c", c_text.golden(names, inputs.reshape(GOLDEN, -1), outputs[output])),
        ):
            (folder / f"{names.lower}{ending}").write_text(text)


def reference_outputs(flatbuffer, inputs):
    """What TFLite's reference kernels leave in every tensor, (images, bytes) by the tensor's place."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with quiet():
        interpreter = Interpreter(
            model_content=flatbuffer,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    places = {place for op in interpreter._get_ops_details() for place in op["outputs"]}
    outputs = {place: [] for place in places}
    for row in inputs:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row)
        interpreter.invoke()
        for place in places:
            outputs[place].append(interpreter.get_tensor(place).ravel().copy())
    return {place: np.stack(values) for place, values in outputs.items()}


@settings(
    max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(networks())
def random_networks(model):
    write(f"random{len({name.split('_')[0] for name in written})}", converted(model))


if __name__ == "__main__":
    for path in map(Path, sys.argv[3:]):
        write(path.stem, path.read_bytes(), every=7)
    for name, flatbuffer in c_extremes.networks(seed=0, count=EXTREMES):
        write(name, flatbuffer, every=2)
    extreme = [name for name in written if name.startswith(tuple(kind.__name__ for kind in c_extremes.KINDS))]
    (folder / "extremes.c").write_text(
        "".join(f"int {name}(void);\n" for name in extreme)
        + f"int extremes_test(void) {{ return {' + '.join(f'{name}()' for name in extreme)}; }}\n"
    )
    write("residual", converted(residual()))
    write("cropped", converted(cropped()))
    random_networks()
    declared = "\n".join(f"int {name}(void);" for name in written)
    calls = "\n".join(
        f'    if ((wrong = {name}())) failed++, printf("{name}: %d differ\\n", wrong);' for name in written
    )
    (folder / "all.c").write_text(
        f"#include <stdio.h>\n{declared}\nint main(void) {{\n    int wrong, failed = 0;\n{calls}\n"
        f'    printf("%d of {len(written)} failed\\n", failed);\n    return failed != 0;\n}}\n'
    )
