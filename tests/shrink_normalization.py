"""How far a network is off when it gets batch normalization to be fitted, and when that is folded away again."""

import json

import keras
import networks
import numpy as np

from train.flat_model import flattened
from train.shrink.normalization import folded, normalized
from workstation.architectures import reference_cnn

keras.utils.set_random_seed(0)
plain = flattened(reference_cnn((28, 28, 1), 10, (4, 8, 8, 16)))
images = np.random.default_rng(0).random((64, 28, 28, 1), np.float32)
fitted = normalized(plain, images)
begun = np.abs(fitted(images) - plain(images)).max()
networks.vary(fitted)
wanted = np.asarray(fitted(images))
order = [layer.name for layer in fitted.layers]
print(
    json.dumps(
        {
            "order": order,
            "begun": float(begun),
            "folded": float(np.abs(folded(fitted, plain)(images) - wanted).max()),
            "spread": float(wanted.std()),
        }
    )
)
