"""How to fit a network, by name."""

from dataclasses import dataclass

from train.distortions import Distortion

# As strong as leaves every digit what it is.
_HANDS = Distortion(rotation=12, zoom=0.12, shear=0.15, shift=2, elastic=0.8)


@dataclass(frozen=True)
class Recipe:
    """A way to fit a network."""

    name: str
    epochs: int
    batch: int
    learning_rate: float
    holds_out_validation: bool  # whether the images of validation.npz are kept out of the fit
    cosine: bool = False  # a tenth of warm-up, an epoch at most, then down to nothing along a cosine; else constant
    weight_decay: float = 0.0
    normalized: bool = False  # the reference network has batch normalization while it is fitted
    distortion: Distortion | None = None  # each epoch sees the images distorted anew
    teachers: int = 0  # larger networks, trained first, whose answers are learnt instead of the labels
    copies: int = 0  # distorted copies of each image that the teachers answer
    temperature: float = 1.0  # at which their answers are learnt


RECIPES = {
    # https://www.tensorflow.org/tutorials/images/cnn, on MNIST: all of the training split, adam as Keras sets it.
    "tutorial": Recipe("tutorial", epochs=5, batch=32, learning_rate=1e-3, holds_out_validation=False),
    "best": Recipe(
        "best",
        epochs=40,
        batch=128,
        learning_rate=3e-3,
        holds_out_validation=True,
        cosine=True,
        weight_decay=1e-4,
        normalized=True,
        distortion=_HANDS,
        teachers=2,
        copies=10,
        temperature=2.0,
    ),
}
# How the networks are fitted that teach the one of `best`.
TEACHER = Recipe(
    "teacher",
    epochs=12,
    batch=128,
    learning_rate=3e-3,
    holds_out_validation=True,
    cosine=True,
    weight_decay=1e-4,
    distortion=_HANDS,
)
