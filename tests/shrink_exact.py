"""How far outputs are off when channels that nothing listens to are removed: a line of JSON a network."""

import json
import sys

import keras
import networks
import numpy as np
from keras import layers

from train.budget import multiply_accumulates
from train.shrink.graph import Graph, Kept, graph_of
from train.shrink.surgery import narrowed
from workstation import architectures


def joined() -> keras.Model:
    """Two branches side by side, added to a third, which is one layer called twice; then all places in a row."""
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(image)
    shared = layers.Conv2D(12, 3, padding="same", name="shared")
    y = layers.Concatenate()(
        [layers.Conv2D(8, 1)(x), layers.SeparableConv2D(4, 3, padding="same", depth_multiplier=2)(x)]
    )
    y = layers.Add()([y, shared(x), shared(layers.AveragePooling2D(3, 1, padding="same")(x))])
    y = layers.PReLU(shared_axes=[1, 2])(layers.MaxPooling2D(5)(y))
    y = layers.Dense(9, activation="relu")(layers.Reshape((2 * 2 * 12,))(y))
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(y)))


NETWORKS = {
    "reference": lambda: architectures.reference_cnn((28, 28, 1), 10),
    "resnet8": lambda: architectures.resnet8((32, 32, 3), 10),
    "ds_cnn": lambda: architectures.ds_cnn((28, 28, 1), 10),
    "mobilenet_v1": lambda: architectures.mobilenet_v1((32, 32, 3), 4, 0.25),
    "mobilenet_v2": lambda: architectures.mobilenet_v2((32, 32, 3), 4, 0.35),
    "joined": joined,
    "nested": networks.nested,
    "swish": networks.swish,
    "hard_swish": networks.hard_swish,
    "gelu": networks.gelu,
}


def chosen(graph: Graph, random: np.random.Generator) -> Kept:
    """Half of each family's units, drawn."""
    kept = graph.all
    for units in graph.families:
        kept[random.permutation(units)[: len(units) // 2]] = False
    return kept


def deafen(graph: Graph, kept: Kept) -> None:
    """Set all weights to zero that read a unit which is not kept."""
    for layer in graph.model.layers:
        weights = {weight.path.split("/")[-1]: weight for weight in layer.weights}
        kernel = weights.get("pointwise_kernel", weights.get("kernel"))
        if kernel is None or isinstance(layer, layers.DepthwiseConv2D):
            continue
        read = np.repeat(graph.read[layer.name], getattr(layer, "depth_multiplier", 1) or 1)
        array = kernel.numpy()
        array[..., ~kept[read], :] = 0
        kernel.assign(array)


def tried(name: str) -> dict[str, object]:
    """A network without half of its channels, beside the whole one in which nothing reads them."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    model = NETWORKS[name]()
    networks.vary(model)
    graph = graph_of(model)
    images = random.random((8, *model.input_shape[1:]), np.float32)
    whole = np.abs(graph.model(images) - model(images)).max()
    kept = chosen(graph, random)
    deafen(graph, kept)
    wanted, small = np.asarray(graph.model(images)), narrowed(graph, kept)
    return {
        "network": name,
        "flattened": float(whole),
        "off": float(np.abs(np.asarray(small(images)) - wanted).max()),
        "spread": float(wanted.std()),
        "families": len(graph.families),
        "parameters": [graph.parameters(kept), small.count_params(), model.count_params()],
        "macs": [graph.macs(kept), multiply_accumulates(small), multiply_accumulates(model)],
    }


if __name__ == "__main__":
    for network in sys.argv[1:]:
        print(json.dumps(tried(network)))
