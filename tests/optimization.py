"""What the loss and the optimizer of a recipe do, as JSON on stdout."""

import json
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from train.optimization import compile_model, soft_loss
from train.recipes import RECIPES

teacher = tf.math.log_softmax(tf.constant([[0.3, -0.1, 0.2, -0.4]]))


def gradient(temperature: float) -> list[float]:
    """By the student's logits, which are all 0."""
    logits = tf.Variable(tf.zeros((1, 4)))
    with tf.GradientTape() as tape:
        loss = soft_loss(temperature)(teacher, tf.nn.softmax(logits))
    return np.asarray(tape.gradient(loss, logits))[0].tolist()


def decayed(name: str) -> list[str]:
    """The variables that a recipe changes though their gradient is 0: all are 1 before, images are 0."""
    layers = keras.layers
    ends = [layers.BatchNormalization(name="norm"), layers.Dense(4, bias_initializer="ones", name="dense")]
    model = keras.Sequential([layers.Input((3,)), *ends])
    for variable in model.trainable_variables:
        variable.assign(keras.ops.zeros_like(variable) if "beta" in variable.path else keras.ops.ones_like(variable))
    compile_model(model, replace(RECIPES[name], weight_decay=0.5), 20, 1, False)
    model.compile(model.optimizer, lambda _, outputs: 0.0 * keras.ops.sum(outputs, axis=-1))
    model.fit(np.zeros((8, 3)), np.zeros((8, 4)), 8, epochs=3, verbose=0)
    return [variable.name for variable in model.trainable_variables if np.asarray(variable).min() not in (0.0, 1.0)]


if __name__ == "__main__":
    gradients = [gradient(temperature) for temperature in (4.0, 20.0)]
    print(json.dumps({"gradients": gradients, "decayed": [decayed("photos"), decayed("best")]}))
