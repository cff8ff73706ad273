"""The gradient of the loss that learns a teacher's answers, by temperature, as JSON on stdout."""

import json

import numpy as np
import tensorflow as tf

from train.optimization import soft_loss

teacher = tf.math.log_softmax(tf.constant([[0.3, -0.1, 0.2, -0.4]]))


def gradient(temperature: float) -> list[float]:
    """By the student's logits, which are all 0."""
    logits = tf.Variable(tf.zeros((1, 4)))
    with tf.GradientTape() as tape:
        loss = soft_loss(temperature)(teacher, tf.nn.softmax(logits))
    return np.asarray(tape.gradient(loss, logits))[0].tolist()


if __name__ == "__main__":
    print(json.dumps([gradient(temperature) for temperature in (4.0, 20.0)]))
