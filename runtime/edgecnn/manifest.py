"""The manifest: what a model file says of itself.

It holds only what the inputs and the seed determine, so that the same conversion gives the same bytes. As text it is
JSON with the schema's version; files of every version up to `SCHEMA` stay readable.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import ClassVar

from edgecnn import bounds
from edgecnn.bounded import Bounded, from_json_value
from edgecnn.errors import EdgecnnError

SCHEMA = 5  # 2: rewrites; 3: commit, teacher_seeds, reported; 4: without CharacterFrame.dropped; 5: sigmoid, sigmoids
FORMATS, LAYOUTS = ("keras", "tflite", "onnx"), ("NHWC", "NCHW")
OUTPUTS = ("probabilities", "logits", "sigmoid", "sigmoids")  # see edgecnn.answers
_SIDE, _AREA = 2**15, 2**26  # pixels of an image's side; values of an image
_SCALE = 1e6  # of a pixel's factor and offset


def _check_shares(*shares: float) -> None:
    for share in shares:
        bounds.number(share, "a share", 0, 1)


@dataclass(frozen=True)
class CharacterFrame(Bounded):
    """How a drawn character of any size is brought into the picture the network was trained on, as in MNIST.

    It becomes light on dark, and its centre of mass the picture's centre.
    """

    dropped: ClassVar = ("polarity", "center")  # fields of earlier schemas: nothing ever read them

    box: int  # pixels: the longer side of the character


@dataclass(frozen=True)
class Input(Bounded):
    """What the network takes, and how raw pixels (uint8, 0 to 255) become that: pixel * scale + offset."""

    shape: tuple[int, ...]  # height, width, channels
    pixel_scale: tuple[float, ...]  # one for all channels, or one a channel
    pixel_offset: tuple[float, ...]
    raw: bool = False  # the file itself takes raw uint8 pixels: the rest happens inside it
    layout: str = "NHWC"  # or NCHW: how the file's own tensor is laid out
    frame: CharacterFrame | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shape) != 3:
            raise EdgecnnError(f"the image's shape has {len(self.shape)} axes: height, width and channels are wanted")
        for side in self.shape:
            bounds.whole(side, "a side of the image", 1, _SIDE)
        bounds.whole(math.prod(self.shape), "the number of values of an image", 1, _AREA)
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
    """Where the weights come from."""

    recipe: str
    epochs: int
    seed: int
    dataset: str
    dataset_sha256: str
    trained_on_validation: bool  # whether the images of validation.npz were among those it was fitted to
    accuracy: dict[str, float]  # the float model's own, by split
    teacher_seeds: tuple[int, ...] = ()  # of the larger networks that it learnt from
    commit: str | None = None  # of the checkout that trained it, `+` behind it where files differed

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_shares(*self.accuracy.values())


@dataclass(frozen=True)
class Baseline(Bounded):
    """The accuracy that a model of this data set is held to."""

    accuracy: float
    max_drop: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_shares(self.accuracy, self.max_drop)


@dataclass(frozen=True)
class Agreement(Bounded):
    """How a converted model answered beside its float parent, on one split and one engine."""

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
class Manifest(Bounded):
    """What a model file says of itself."""

    name: str
    format: str  # keras, tflite or onnx
    labels: tuple[str, ...]
    input: Input
    weights_sha256: str  # of the float weights it was made from
    output: str = "probabilities"  # one of OUTPUTS
    quantization: str = "none"
    rewrites: tuple[str, ...] = ()  # that its layers went through, see convert.rewrites
    training: Training | None = None
    baseline: Baseline | None = None
    agreement: Agreement | None = None  # on validation, which the gate read
    reported: Agreement | None = None  # on the test split, which chose nothing
    calibration: Calibration | None = None
    tools: dict[str, str] = dataclasses.field(default_factory=dict)  # what made it: package and version

    def __post_init__(self) -> None:
        super().__post_init__()
        bounds.choice(self.format, "format", FORMATS)
        bounds.choice(self.output, "output", OUTPUTS)
        if not self.labels:
            raise EdgecnnError("there are no labels")
        if self.output == "sigmoid" and len(self.labels) != 2:
            raise EdgecnnError(f"there are {len(self.labels)} labels, but one sigmoid tells two apart")

    @property
    def multi_label(self) -> bool:
        """Whether an image may show several of the labels, or none."""
        return self.output == "sigmoids"

    def to_json(self) -> str:
        """This manifest as JSON text, the schema's version first."""
        return json.dumps({"schema": SCHEMA} | dataclasses.asdict(self), indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(source: str, text: str) -> "Manifest":
        """Read `text`, found in the file named `source`.

        Raises:
            EdgecnnError: it is no manifest, or its schema is newer than this package knows.
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
