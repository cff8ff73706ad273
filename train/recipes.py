"""How to fit a network. To add a recipe, write a row in `_ROWS`."""

from dataclasses import dataclass

from train.augmentation import Augmentation
from train.distortions import Distortion

_PHOTOS = Augmentation(mirror=True, shift=0.125, zoom=0.03, colour=0.1, blur=0.02, erasing=0.03)
# The strongest that leave every digit legible.
_HANDS = Distortion(rotation=12, zoom=0.12, shear=0.15, shift=2, elastic=0.8)
# Networks of a tenth of the weights cannot learn as much: of stronger ones they only underfit.
_LIGHT_HANDS = Distortion(rotation=7, zoom=0.07, shear=0.07, shift=1, elastic=0.3)
_STATISTICS = 5_000  # images: more change nothing


@dataclass(frozen=True)
class Recipe:
    """A way to fit a network; `python -m train --recipe NAME`."""

    name: str
    epochs: int
    batch: int
    learning_rate: float
    holds_out_validation: bool  # whether the images of validation.npz are kept out of the fit
    cosine: bool = False  # the rate warms up over a tenth of the training, then falls to 0 along a cosine
    warm_up: int = 1  # epochs: the longest that the rate warms up
    momentum: float | None = None  # Nesterov's, of plain gradient descent; None: adamw
    weight_decay: float = 0.0
    normalized: bool = False  # the reference network has batch normalization while it is fitted
    distortion: Distortion | None = None  # every epoch sees the images distorted anew
    augmentation: Augmentation | None = None  # every batch sees its images changed as photographs change
    mixing: float = 0.0  # share of the batches whose images are mixed with one another
    label_smoothing: float = 0.0  # share of a label that all classes divide among themselves
    balanced: bool = False  # rare classes weigh more in the loss, where classes are unequal
    averaging: float = 0.0  # share that a running mean of the weights keeps in a batch; 0: the last weights count
    statistics: int = 0  # unchanged images that batch normalization takes its mean and variance from after every epoch
    patience: int | None = None  # stop after so many epochs, of the recipe's, without a better accuracy on validation
    teachers: int = 0  # larger networks, trained first, whose answers are learned instead of the labels
    copies: int = 0  # distorted copies of an image that the teachers answer
    temperature: float = 1.0  # at which their answers are learned

    @property
    def soft(self) -> bool:
        """Whether a target is a probability for each class, not a label."""
        return self.mixing > 0 or self.label_smoothing > 0 or self.balanced

    def patience_of(self, epochs: int) -> int | None:
        """The patience of a training of so many epochs: the same share of them, since the rate falls as slowly."""
        return None if self.patience is None else max(1, self.patience * epochs // self.epochs)


_ROWS = (
    # https://www.tensorflow.org/tutorials/images/cnn, on MNIST: all of the training split, adam as Keras sets it.
    Recipe("tutorial", epochs=5, batch=32, learning_rate=1e-3, holds_out_validation=False),
    Recipe(
        "best",
        epochs=40,
        batch=128,
        learning_rate=3e-3,
        holds_out_validation=True,
        cosine=True,
        weight_decay=1e-4,
        normalized=True,
        distortion=_HANDS,
        statistics=_STATISTICS,
        teachers=2,
        copies=10,
        temperature=2.0,
    ),
    # For what `python -m train.shrink` makes of characters' networks; by itself it learns the labels.
    Recipe(
        "small",
        epochs=40,
        batch=128,
        learning_rate=1e-2,
        holds_out_validation=True,
        cosine=True,
        weight_decay=1e-4,
        normalized=True,
        distortion=_LIGHT_HANDS,
        statistics=_STATISTICS,
        copies=10,
    ),
    # Small networks underfit pictures: of each ingredient only a little.
    Recipe(
        "photos",
        epochs=60,
        batch=128,
        learning_rate=0.1,
        holds_out_validation=True,
        cosine=True,
        warm_up=5,
        momentum=0.9,
        weight_decay=1e-3,
        normalized=True,
        augmentation=_PHOTOS,
        mixing=0.05,
        label_smoothing=0.02,
        balanced=True,
        averaging=0.998,
        statistics=_STATISTICS,
        patience=30,
    ),
)
RECIPES = {recipe.name: recipe for recipe in _ROWS}
# For the networks that teach the one of `best`.
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
