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


def gradients(answer, weights):
    """Of the probabilities' squares, by all weights."""
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = tf.reduce_sum(tf.square(answer()))
    return tape.gradient(loss, weights)


def far(answer, weights):
    """The largest difference of a gradient from the right one."""
    return max(float(np.abs(a - b).max()) for a, b in zip(gradients(answer, weights), wanted, strict=True))


keras.utils.set_random_seed(0)
stack = [layers.Conv2D(8, 1, STRIDES, padding="same", activation="relu"), layers.GlobalAveragePooling2D()]
model = keras.Sequential([keras.Input(SHAPE), *stack, layers.Dense(CLASSES, "softmax")])
images = np.random.default_rng(0).random((IMAGES, *SHAPE), np.float32)
variables = model.trainable_variables
constants = [tf.constant(variable) for variable in variables]
wanted = gradients(lambda: right(images, *constants), constants)
graph = Graph(model, plan_of(model, images[:2]))
rounded = graph.function([graph.last], quantizes=False)
order = [[variable is mine for variable in variables].index(True) for mine in graph.variables.values()]
document = {
    "fast": far(lambda: fast_network(model)(images, training=True), [variable.value for variable in variables]),
    "rounded": far(lambda: rounded(images, *(constants[place] for place in order))[0], constants),
    "least": min(float(np.abs(array).max()) for array in wanted),
}
print(json.dumps(document))
