"""The manifest: the description of a model, within its file.

Its values depend on nothing but the inputs and the seed, so that the same conversion writes the same bytes. As text it
is JSON with the schema's version; files of every version up to `SCHEMA` stay readable.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import ClassVar

from edgecnn import bounds
from edgecnn.bounded import Bounded, from_json_value
from edgecnn.errors import EdgecnnError
from edgecnn.reference import Reference

# 2: rewrites; 3: commit, teacher_seeds, reported; 4: without CharacterFrame.dropped; 5: sigmoid, sigmoids; 6: rejection
# 7: reference, parent_sha256, budget
# 8: trained_ranges; 9: bits of them
SCHEMA = 9
FORMATS, LAYOUTS = ("keras", "tflite", "onnx"), ("NHWC", "NCHW")
OUTPUTS = ("probabilities", "logits", "sigmoid", "sigmoids")  # see edgecnn.answers
_SCALE = 1e6  # of a pixel's factor and offset
LEAST_TEMPERATURE, LARGEST_TEMPERATURE = 0.05, 20.0
LEAST_FLOOR, LARGEST_FLOOR = 1e-30, 0.5


def _check_shares(*shares: float) -> None:
    for share in shares:
        bounds.number(share, "a share", 0, 1)


@dataclass(frozen=True)
class CharacterFrame(Bounded):
    """The frame into which a drawn character of any size is brought for the network, as in MNIST.

    The character becomes light on dark, and its centre of mass the picture's centre.
    """

    dropped: ClassVar = ("polarity", "center")  # fields of earlier schemas: nothing ever read them

    box: int  # pixels: the longer side of the character


@dataclass(frozen=True)
class Input(Bounded):
    """The network's input, and how raw pixels (uint8, 0 to 255) become its values: pixel * scale + offset."""

    shape: tuple[int, ...]  # height, width, channels
    pixel_scale: tuple[float, ...]  # one for all channels, or one a channel
    pixel_offset: tuple[float, ...]
    raw: bool = False  # the file itself takes raw uint8 pixels, and normalizes them
    layout: str = "NHWC"  # or NCHW: the layout of the file's own tensor
    frame: CharacterFrame | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shape) != 3:
            raise EdgecnnError(f"the image's shape has {len(self.shape)} axes, not height, width and channels")
        for side in self.shape:
            bounds.whole(side, "a side of the image", 1, bounds.SIDE)
        bounds.whole(math.prod(self.shape), "the number of values of an image", 1, bounds.VALUES)
        for values in (self.pixel_scale, self.pixel_offset):
            if len(values) not in (1, self.shape[2]):
                raise EdgecnnError(f"{len(values)} factors or offsets of pixels, but {self.shape[2]} channels")
            for value in values:
                bounds.number(value, "a pixel's factor or offset", -_SCALE, _SCALE)
        if not any(self.pixel_scale):
            raise EdgecnnError("every pixel's factor is 0: all images would be the same")
        bounds.choice(self.layout, "layout", LAYOUTS)
        if self.frame:
            bounds.whole(self.frame.box, "box", 1, min(self.shape[:2]))


@dataclass(frozen=True)
class Training(Bounded):
    """The training that gave the weights."""

    recipe: str
    epochs: int
    seed: int
    dataset: str
    dataset_sha256: str
    trained_on_validation: bool  # whether it was fitted to the images of validation.npz too
    accuracy: dict[str, float]  # of the float model, by split
    teacher_seeds: tuple[int, ...] = ()  # of the larger networks whose answers it was fitted to
    commit: str | None = None  # of the checkout that trained it, with a `+` if files differed
    parent_sha256: str | None = None  # of the weights of the larger network that it was made from
    budget: str | None = None  # that it was made for, in words

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_shares(*self.accuracy.values())


@dataclass(frozen=True)
class Baseline(Bounded):
    """The accuracy that a model of this data set must reach, less a drop."""

    accuracy: float
    max_drop: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_shares(self.accuracy, self.max_drop)


@dataclass(frozen=True)
class Agreement(Bounded):
    """The answers of a converted model compared with its float parent's, on one split and one engine."""

    split: str
    engine: str
    images: int
    accuracy: float
    parent_accuracy: float
    lost: int  # the parent was right, this one is wrong
    gained: int  # the other way round
    agreement: float  # share of images with the same answer

    def __post_init__(self) -> None:
        super().__post_init__()
        bounds.whole(self.images, "images", 1)
        bounds.whole(max(self.lost, self.gained), "flips", 0, self.images)
        _check_shares(self.accuracy, self.parent_accuracy, self.agreement)


@dataclass(frozen=True)
class Calibration(Bounded):
    """The images whose activations set the ranges of a quantized model."""

    images: int
    sha256: str  # of their pixels


@dataclass(frozen=True)
class Rejection(Bounded):
    """How sure an answer must be: one whose probability is below the threshold is `unknown`.

    Temperature and threshold are those of this file's own outputs: a conversion has others than its parent.
    """

    share: float  # wanted: of the answers to validation images that are not `unknown`, so many are right
    threshold: float  # of the probability at the temperature
    temperature: float = 1.0  # see edgecnn.answers.at_temperature
    floor: float = LEAST_FLOOR  # probabilities below it count as it, before the temperature

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_shares(self.share, self.threshold)
        bounds.number(self.temperature, "temperature", LEAST_TEMPERATURE, LARGEST_TEMPERATURE)
        bounds.number(self.floor, "floor", LEAST_FLOOR, LARGEST_FLOOR)

    @property
    def words(self) -> str:
        """The threshold, for people."""
        wanted = f"of the other answers to validation images {self.share:g} were to be right"
        return f"below {self.threshold:.4f} at temperature {self.temperature:.2f}; {wanted}"


@dataclass(frozen=True)
class TrainedRanges(Bounded):
    """The ranges of activations that a model was trained with, for its conversion to integers."""

    parent_sha256: str  # of the weights of the float model that it was trained from, and is compared with
    ends: dict[str, tuple[float, ...]]  # the least and the largest value, by the name of a tensor
    bits: dict[str, int] = dataclasses.field(default_factory=dict)  # of each layer's weights; empty: all have 8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, ends in self.ends.items():
            if len(ends) != 2 or not ends[0] <= 0 <= ends[1] or ends[0] == ends[1]:
                raise EdgecnnError(f"the range of {bounds.short(name)} is none: two ends, zero between them")
        for bits in self.bits.values():
            bounds.whole(bits, "bits of weights", 4, 8)


@dataclass(frozen=True)
class Manifest(Bounded):
    """The description of a model, within its file."""

    name: str
    format: str  # keras, tflite or onnx
    labels: tuple[str, ...]
    input: Input
    weights_sha256: str  # of the float weights
    output: str = "probabilities"  # one of OUTPUTS
    quantization: str = "none"
    rewrites: tuple[str, ...] = ()  # of its layers, see convert.rewrites
    training: Training | None = None
    baseline: Baseline | None = None
    agreement: Agreement | None = None  # on validation, by which the gate decides
    reported: Agreement | None = None  # on the test split, by which nothing decides
    calibration: Calibration | None = None
    rejection: Rejection | None = None  # None: every answer is one of the labels
    reference: Reference | None = None  # of validation, see edgecnn.drift
    trained_ranges: TrainedRanges | None = None  # of a Keras model that was trained to be rounded to integers
    tools: dict[str, str] = dataclasses.field(default_factory=dict)  # versions of the packages that wrote it

    def __post_init__(self) -> None:
        super().__post_init__()
        bounds.choice(self.format, "format", FORMATS)
        bounds.choice(self.output, "output", OUTPUTS)
        if not self.labels:
            raise EdgecnnError("there are no labels")
        if self.output == "sigmoid" and len(self.labels) != 2:
            raise EdgecnnError(f"there are {len(self.labels)} labels, but one sigmoid tells two apart")
        if self.reference and len(self.reference.labels) != len(self.labels):
            raise EdgecnnError(f"the reference has {len(self.reference.labels)} labels, not {len(self.labels)}")
        if self.rejection and self.multi_label:
            raise EdgecnnError("there is a threshold for unknown images, but an image may show none of the labels")

    @property
    def multi_label(self) -> bool:
        """Whether an image may show several of the labels, or none."""
        return self.output == "sigmoids"

    def to_json(self) -> str:
        """This manifest as JSON text, the schema's version first."""
        return json.dumps({"schema": SCHEMA} | dataclasses.asdict(self), indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(source: str, text: str) -> "Manifest":
        """Read the manifest `text` of the file named `source`.

        Raises:
            EdgecnnError: it is no manifest, or its schema is newer than this package.
        """
        try:
            document = bounds.parsed(text)
            schema = bounds.whole(document.pop("schema"), "schema", 1)
            if schema <= SCHEMA:
                return from_json_value(Manifest, document)
        except (EdgecnnError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise EdgecnnError(f"{source} has a manifest that cannot be read ({error}): make the file again") from None
        raise EdgecnnError(
            f"{source} was made by a newer edgecnn (manifest schema {schema}, this one reads up to {SCHEMA}):"
            " update edgecnn here"
        )
