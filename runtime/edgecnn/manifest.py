"""The manifest: what a model file says of itself.

It holds only what the inputs and the seed determine, so that the same conversion gives the same bytes. As text it is
JSON with the schema's version; files of every version up to `SCHEMA` stay readable.
"""

import dataclasses
import json
from dataclasses import dataclass
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from edgecnn.errors import EdgecnnError

SCHEMA = 3  # 2: rewrites; 3: commit, teacher_seeds, reported

_T = TypeVar("_T")


@dataclass(frozen=True)
class Frame:
    """How a drawn character of any size is brought into the picture the network was trained on, as in MNIST."""

    box: int  # pixels: the longer side of the character
    polarity: str = "light-on-dark"
    center: str = "mass"


@dataclass(frozen=True)
class Input:
    """What the network takes, and how raw pixels (uint8, 0 to 255) become that: pixel * scale + offset."""

    shape: tuple[int, ...]  # height, width, channels
    pixel_scale: tuple[float, ...]  # one for all channels, or one a channel
    pixel_offset: tuple[float, ...]
    raw: bool = False  # the file itself takes raw uint8 pixels: the rest happens inside it
    layout: str = "NHWC"  # or NCHW: how the file's own tensor is laid out
    frame: Frame | None = None


@dataclass(frozen=True)
class Training:
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


@dataclass(frozen=True)
class Baseline:
    """The accuracy that a model of this data set is held to."""

    accuracy: float
    max_drop: float


@dataclass(frozen=True)
class Agreement:
    """How a converted model answered beside its float parent, on one split and one engine."""

    split: str
    engine: str
    images: int
    accuracy: float
    parent_accuracy: float
    lost: int  # the parent was right, this one is wrong
    gained: int  # the other way round
    agreement: float  # share of images with the same answer


@dataclass(frozen=True)
class Calibration:
    """The images whose activations set the ranges of a quantized model."""

    images: int
    sha256: str  # of their pixels


@dataclass(frozen=True)
class Manifest:
    """What a model file says of itself."""

    name: str
    format: str  # keras, tflite or onnx
    labels: tuple[str, ...]
    input: Input
    weights_sha256: str  # of the float weights it was made from
    output: str = "probabilities"  # or logits: the runtime then takes their softmax
    quantization: str = "none"
    rewrites: tuple[str, ...] = ()  # that its layers went through, see convert.rewrites
    training: Training | None = None
    baseline: Baseline | None = None
    agreement: Agreement | None = None  # on validation, which the gate read
    reported: Agreement | None = None  # on the test split, which chose nothing
    calibration: Calibration | None = None
    tools: dict[str, str] = dataclasses.field(default_factory=dict)  # what made it: package and version

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
            document = json.loads(text)
            schema = document.pop("schema")
            if isinstance(schema, int) and schema > SCHEMA:
                raise EdgecnnError(
                    f"{source} was made by a newer edgecnn (manifest schema {schema}, this one reads up to {SCHEMA}):"
                    " update edgecnn here"
                )
            return _read(Manifest, document)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise EdgecnnError(f"{source} has a manifest that cannot be read ({error}): make the file again") from None


def _read(kind: type[_T], value: Any) -> _T:
    """Build a value of the annotated type `kind` from what JSON gave."""
    if isinstance(kind, UnionType):  # every union here is `X | None`
        return value if value is None else _read(get_args(kind)[0], value)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: _read(hints[name], item) for name, item in value.items()})
    if get_origin(kind) is tuple:
        return tuple(_read(get_args(kind)[0], item) for item in value)  # type: ignore[return-value]
    if get_origin(kind) is dict:
        return {str(name): _read(get_args(kind)[1], item) for name, item in value.items()}  # type: ignore[return-value]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)  # type: ignore[return-value]
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value
