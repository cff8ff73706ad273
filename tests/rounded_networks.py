"""Round networks as TFLite does, in Keras and by the converter: python tests/rounded_networks.py NAME...

NAME:4 has weights of 4 bits. Prints, as JSON, by network: the largest difference between both in steps of the output,
the share of equal predictions, how far rounding moves the outputs at all, how many tensors the graph lacks, and of how
many layers the weights are small in the file and of 4 bits in the graph; or the error.
"""

import json
import sys

import keras
import networks
import numpy as np
from convert_networks import tflite_outputs

from convert.c.network import read_network
from convert.formats.tflite import tflite_from_keras
from convert.formats.tflite_graph import _parsed
from convert.formats.tflite_grid import with_grids
from edgecnn.command import quiet
from train.qat.calibration import calibrated_ranges
from train.qat.graph import Graph
from train.qat.kernels import fitted_sizes, on_grid
from train.qat.plan import plan_of

IMAGES = 32


def rounded(name, bits=8):
    keras.utils.set_random_seed(0)
    model = getattr(networks, name)()
    networks.vary(model)
    shape = tuple(model.inputs[0].shape[1:])
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, *shape)).astype(np.float32) / np.float32(255)
    exact = model.predict(images, verbose=0)
    graph = Graph(model, plan_of(model, images[:2]), bits)
    weights = [variable.numpy() for variable in graph.variables.values()]
    sizes = [fitted_sizes(graph.variables[name].numpy()) for name in graph.coarse]
    ranges = calibrated_ranges(graph, weights, images, sizes, clips=False)
    ends = [np.float32(end) for both in ranges for end in both]
    ours = graph.function([graph.last])(images, *weights, *ends, *sizes)[0].numpy()
    for place, size in zip(graph.coarse, sizes, strict=True):
        graph.variables[place].assign(on_grid(graph.variables[place].numpy(), size))
    with quiet():
        flatbuffer = tflite_from_keras(model, images[:2], ranges=graph.named(ranges))
    flatbuffer = with_grids(flatbuffer) if bits == 4 else flatbuffer
    theirs = tflite_outputs(flatbuffer, images)
    main = _parsed(flatbuffer).subgraphs[0]
    step = float(main.tensors[main.outputs[0]].quantization.scale[0])
    return {
        "steps": float(np.abs(ours - theirs).max() / step),
        "same": float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()),
        "moved": float(np.abs(exact - ours).max()),
        "weights": len(weights) - len(model.trainable_variables),
        "small": [small_layers(flatbuffer), len(graph.coarse)],
    }


def small_layers(flatbuffer):
    """How many layers have weights from -7 to 7."""
    network = read_network("it", flatbuffer)
    weighted = [part.inputs[1] for part in network.operators if part.kind in ("CONV_2D", "FULLY_CONNECTED")]
    return sum(bool((np.abs(network.tensors[place].constant.astype(np.int16)) <= 7).all()) for place in weighted)


def rounded_or_error(name):
    name, _, bits = name.partition(":")
    try:
        return rounded(name, int(bits or 8))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:500]}


if __name__ == "__main__":
    print(json.dumps({name: rounded_or_error(name) for name in sys.argv[1:]}))
