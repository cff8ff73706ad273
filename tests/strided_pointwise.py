"""How far gradients through a 1x1 convolution with strides are from the right ones, where trainings take them, as JSON.

oneDNN's own gradient dies, or is wrong: of 8 channels, an odd number of images, and more threads than one.
"""

import json

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from train.fast_network import fast_network
from train.qat.graph import Graph
from train.qat.plan import plan_of

IMAGES, SHAPE, CLASSES, STRIDES = 7, (32, 32, 8), 3, (2, 2)


def right(images, kernel, bias, dense, dense_bias):
    """What the network answers, by the pixels that the strides meet."""
    values = tf.nn.relu(images[:, :: STRIDES[0], :: STRIDES[1]] @ kernel[0, 0] + bias)
    return tf.nn.softmax(tf.reduce_mean(values, (1, 2)) @ dense + dense_bias)


def gradients(answer):
    """Of the probabilities' squares, by all weights."""
    weights = [tf.constant(array) for array in arrays] if answer is not fast else model.trainable_variables
    with tf.GradientTape() as tape:
        tape.watch([getattr(weight, "value", weight) for weight in weights])
        loss = tf.reduce_sum(tf.square(answer(weights)))
    return tape.gradient(loss, [getattr(weight, "value", weight) for weight in weights])


def fast(_):
    return fast_network(model)(images, training=True)


keras.utils.set_random_seed(0)
stack = [layers.Conv2D(8, 1, STRIDES, padding="same", activation="relu"), layers.GlobalAveragePooling2D()]
model = keras.Sequential([keras.Input(SHAPE), *stack, layers.Dense(CLASSES, "softmax")])
images = np.random.default_rng(0).random((IMAGES, *SHAPE), np.float32)
arrays = model.get_weights()
graph = Graph(model, plan_of(model, images[:2]))
rounded = graph.function([graph.last], quantizes=False)
order = [next(at for at, v in enumerate(model.trainable_variables) if v is mine) for mine in graph.variables.values()]
wanted = gradients(lambda weights: right(images, *weights))
answers = {
    "fast": fast,
    "rounded": lambda weights: rounded(images, *(weights[place] for place in order))[0],
}
far = {
    name: max(float(np.abs(a - b).max()) for a, b in zip(gradients(answer), wanted, strict=True))
    for name, answer in answers.items()
}
print(json.dumps(far | {"least": min(float(np.abs(array).max()) for array in wanted)}))
