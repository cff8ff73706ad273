"""The reference network: the CNN of the TensorFlow tutorial, 93,322 parameters on 28x28x1."""

import keras
from keras import layers


def reference_cnn(shape: tuple[int, ...], classes: int) -> keras.Model:
    """Build the network, untrained; it takes float32 in 0 to 1, (batch, *shape), and gives (batch, classes)."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(classes, activation="softmax"),
        ],
        name="reference_cnn",
    )
