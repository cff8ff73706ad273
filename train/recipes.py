"""How to fit the reference CNN, by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A way to fit the network."""

    name: str
    epochs: int
    batch: int
    holds_out_validation: bool  # whether the images of validation.npz are kept out of the fit


RECIPES = {
    # https://www.tensorflow.org/tutorials/images/cnn, on MNIST: all of the training split, adam as Keras sets it.
    "tutorial": Recipe("tutorial", epochs=5, batch=32, holds_out_validation=False),
}
