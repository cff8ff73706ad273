"""What the networks with a name are built as: JSON on stdout."""

import json

import keras
import numpy as np

from train.budget import multiply_accumulates, parse_budget
from train.named_networks import named_network
from train.network_rows import NETWORKS
from workstation import architectures

APPLICATIONS = {"mobilenet_v1": keras.applications.MobileNet, "mobilenet_v2": keras.applications.MobileNetV2}
AUTOMATIC = {  # what is asked for, and by what right
    "small images": ((32, 32, 3), 500, "macs=1G"),
    "small images, small budget": ((32, 32, 3), 500, "macs=4M"),
    "small images, few parameters": ((32, 32, 3), 500, "params=10k"),
    "large images": ((96, 96, 3), 500, "macs=1G"),
    "many large images": ((96, 96, 3), 5000, "macs=1G"),
    "many large images, small budget": ((96, 96, 3), 5000, "macs=10M"),
}


def sizes() -> dict[str, list[int]]:
    """Parameters and multiply-accumulates of each row."""
    models = {row.name: named_network(row.name, None, row.shape, 10).build(row.shape, 10) for row in NETWORKS.values()}
    return {name: [model.count_params(), multiply_accumulates(model)] for name, model in models.items()}


def difference(name: str) -> float:
    """Between a MobileNet and that of keras.applications, with the same weights, as a share of the answers."""
    theirs = APPLICATIONS[name]((96, 96, 3), alpha=0.5, include_top=False, weights=None, pooling="avg")
    ours = getattr(architectures, name)((96, 96, 3), 10, 0.5)
    body = keras.Model(ours.input, ours.get_layer("pool").output)
    weighted = [layer for layer in theirs.layers if layer.weights]
    assert len(weighted) == len([layer for layer in body.layers if layer.weights])
    for layer in weighted:
        random = np.random.default_rng(0)
        layer.set_weights([random.uniform(0.5, 1, array.shape) * (-1) ** array.size for array in layer.get_weights()])
        body.get_layer(layer.name).set_weights(layer.get_weights())
    images = np.random.default_rng(1).random((2, 96, 96, 3), np.float32)
    answers = np.asarray(theirs(images))
    return float(abs(np.asarray(body(images)) - answers).max() / abs(answers).max())


def features(name: str, side: int) -> int:
    """The side of a MobileNet's last features."""
    return int(getattr(architectures, name)((side, side, 3), 10, 0.25).get_layer("pool").input.shape[1])


automatic = {
    words: named_network("auto", None, shape, 10, images=images, budget=parse_budget(budget)).name
    for words, (shape, images, budget) in AUTOMATIC.items()
}
print(
    json.dumps(
        {
            "sizes": sizes(),
            "differences": {name: difference(name) for name in APPLICATIONS},
            "features": {name: [features(name, side) for side in (28, 32, 48, 96, 160)] for name in APPLICATIONS},
            "automatic": automatic,
        }
    )
)
