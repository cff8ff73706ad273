"""How far a training step of `fast_network` is from that of the model itself, by network, as JSON on stdout."""

import json

import keras
import networks
import numpy as np
from keras import layers

from train.fast_network import fast_network


def shared():
    """One pointwise convolution and one normalization, called twice; a model inside the model."""
    image = keras.Input((8, 8, 4))
    pointwise, normalization = layers.Conv2D(4, 1, name="pointwise"), layers.BatchNormalization(name="normalization")
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 1, name="pointwise"), layers.ReLU()])
    x = normalization(pointwise(normalization(pointwise(image))))
    return keras.Model(image, networks.head(inner(x)))


def frozen():
    """Batch normalization that rests, without a scale and without a shift."""
    rests = layers.BatchNormalization(trainable=False, scale=False)
    stack = [layers.Conv2D(4, 1, use_bias=False), rests, layers.BatchNormalization(center=False), layers.Conv2D(4, 1)]
    end = [layers.Flatten(), layers.Dense(4, activation="softmax")]
    return keras.Sequential([keras.Input((8, 8, 3)), *stack, *end])


def step(model, fitted, images, targets):
    """The weights of `model` after `fitted`, of the same variables, saw a batch; what it then answers."""
    fitted.compile(keras.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy")
    fitted.train_on_batch(images, targets)
    return [*model.get_weights(), fitted.predict_on_batch(images)]


def difference(build):
    """The largest difference of a weight or an answer, and how many layers are faster ones."""
    keras.utils.set_random_seed(0)
    model = build()
    networks.vary(model)
    fast = fast_network(model)
    random, weights = np.random.default_rng(0), model.get_weights()
    images = random.random((32, *model.input_shape[1:]), np.float32)
    targets = np.eye(model.output_shape[1], dtype=np.float32)[random.integers(0, model.output_shape[1], 32)]
    plain = step(model, model, images, targets)
    model.set_weights(weights)
    faster = step(model, fast, images, targets)
    unlike = max(float(np.abs(one - other).max()) for one, other in zip(plain, faster, strict=True))
    kinds = [type(layer).__name__ for layer in fast._flatten_layers()]
    return {"difference": unlike} | {kind: kinds.count(kind) for kind in ("_Normalization", "_Pointwise")}


if __name__ == "__main__":
    builds = (networks.resnet8, networks.grouped, networks.mixed, shared, frozen)
    print(json.dumps({build.__name__: difference(build) for build in builds}))
