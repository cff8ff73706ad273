"""Round networks as TFLite does, in Keras and by the converter: python tests/rounded_networks.py NAME...

Prints, as JSON, by network: the largest difference between both in steps of the output, the share of equal predictions,
how far rounding moves the outputs at all, and how many tensors the graph lacks; or the error.
"""

import json
import sys

import keras
import networks
import numpy as np
from convert_networks import tflite_outputs

from convert.formats.tflite import tflite_from_keras
from convert.formats.tflite_graph import _parsed
from edgecnn.command import quiet
from train.qat.calibration import calibrated_ranges
from train.qat.graph import Graph
from train.qat.plan import plan_of

IMAGES = 32


def rounded(name):
    keras.utils.set_random_seed(0)
    model = getattr(networks, name)()
    networks.vary(model)
    shape = tuple(model.inputs[0].shape[1:])
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, *shape)).astype(np.float32) / np.float32(255)
    graph = Graph(model, plan_of(model, images[:2]))
    weights = [variable.numpy() for variable in graph.variables.values()]
    ranges = calibrated_ranges(graph, weights, images, clips=False)
    ends = [np.float32(end) for both in ranges for end in both]
    ours = graph.function([graph.last])(images, *weights, *ends)[0].numpy()
    with quiet():
        flatbuffer = tflite_from_keras(model, images[:2], ranges=graph.named(ranges))
    theirs = tflite_outputs(flatbuffer, images)
    main = _parsed(flatbuffer).subgraphs[0]
    step = float(main.tensors[main.outputs[0]].quantization.scale[0])
    return {
        "steps": float(np.abs(ours - theirs).max() / step),
        "same": float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()),
        "moved": float(np.abs(model.predict(images, verbose=0) - ours).max()),
        "weights": len(weights) - len(model.trainable_variables),
    }


def rounded_or_error(name):
    try:
        return rounded(name)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:500]}


if __name__ == "__main__":
    print(json.dumps({name: rounded_or_error(name) for name in sys.argv[1:]}))
