"""How far a network is off when it gets batch normalization to be fitted, and when that is folded away again.

Then half of the channels are removed: how far the means of what layers give are from those of the whole network.
"""

import json

import keras
import networks
import numpy as np

from train.shrink.graph import graph_of
from train.shrink.normalization import begin_as, folded, normalized
from train.shrink.surgery import narrowed
from workstation.architectures import reference_cnn

NORMS = "conv2d_shrink_norm", "conv2d_1_shrink_norm", "conv2d_2_shrink_norm"


def means(model: keras.Model, name: str) -> np.ndarray:
    """Of a layer's channels over images, when batches are normalized."""
    return np.asarray(keras.Model(model.inputs[0], model.get_layer(name).output)(images, training=True)).mean((0, 1, 2))


def far() -> float:
    """The largest distance of a mean of the narrower network from the whole one's, in deviations."""
    distances = []
    for name in NORMS:
        channels = kept[graph.written[name.removesuffix("_shrink_norm")]]
        scale = whole.get_layer(name).gamma.numpy()[channels]
        distances.append(np.abs((means(narrow, name) - means(whole, name)[channels]) / scale).max())
    return float(max(distances))


keras.utils.set_random_seed(0)
graph = graph_of(reference_cnn((28, 28, 1), 10, (4, 8, 8, 16)))
plain, images = graph.model, np.random.default_rng(0).random((64, 28, 28, 1), np.float32)
whole = normalized(plain, images)
begun = np.abs(whole(images) - plain(images)).max()

kept = graph.all
for units in graph.families:
    kept[units[::2]] = False
narrow = normalized(narrowed(graph, kept), images)
before = far()
begin_as(whole, narrow, lambda name: kept[graph.written[name]])
after = far()

networks.vary(whole)
wanted = np.asarray(whole(images))
document = {
    "order": [layer.name for layer in whole.layers],
    "begun": float(begun),
    "folded": float(np.abs(folded(whole, plain)(images) - wanted).max()),
    "spread": float(wanted.std()),
    "means": [before, after],
}
print(json.dumps(document))
