"""Convert, and compare the result with its parent on every engine."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from convert.graph import facts
from convert.names import layer_in
from convert.outputs import probabilities
from convert.parent import Parent
from convert.proof import Made, Proof, prove
from edgecnn.check import agreement
from edgecnn.command import quiet
from edgecnn.engines import engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays, write_file
from edgecnn.manifest import Calibration
from edgecnn.modelfile import ModelFile, pack_model

_TOOLS = {"tflite": ("tensorflow", "keras"), "onnx": ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime")}


@dataclass(frozen=True)
class Variant:
    """One way to export: the format, the quantization, and the function that makes the bytes."""

    format: str
    quantize: str
    convert: Callable[[Parent], bytes]
    batch: int | None = 1  # None: left open
    raw: bool = False  # the file takes raw pixels: their scale is inside it
    kept: tuple[str, ...] = ()  # Keras layers that stay in float

    @property
    def file_name(self) -> str:
        """What the file is called where the user does not say."""
        kind = "float32" if self.quantize == "none" else self.quantize.replace("-", "_")
        batch = "" if self.batch == 1 else f"_batch{self.batch or 'any'}"
        return f"model_{kind}{batch}.{self.format}"


def make(parent: Parent, variant: Variant, max_drop: float) -> Made:
    """Convert, and compare the result with its parent on every installed engine.

    Raises:
        EdgecnnError: the conversion failed, or no engine runs what came out.
    """
    payload = _payload(parent, variant)
    manifest = replace(
        parent.manifest,
        format=variant.format,
        quantization=variant.quantize,
        input=replace(parent.manifest.input, raw=variant.raw),
        calibration=Calibration(len(parent.calibration), hash_arrays([parent.calibration.images])),
        tools={name: import_module(name).__version__ for name in _TOOLS[variant.format]},
    )
    model = ModelFile(Path(variant.file_name), pack_model(payload, manifest), manifest)
    proofs: dict[str, Proof | str] = {}
    for engine in engines_for(variant.format, variant.file_name):
        try:
            proofs[engine] = _prove(parent, model, engine, max_drop)
        except EdgecnnError as error:
            proofs[engine] = str(error)
    made = Made(pack_model(payload, manifest), facts(variant.format, payload), proofs, variant.kept)
    engine, proof = made.reference()
    manifest = replace(manifest, agreement=agreement(proof.validation, "validation", engine))
    return replace(made, data=pack_model(payload, manifest))


def _prove(parent: Parent, model: ModelFile, engine: str, max_drop: float) -> Proof:
    splits = [parent.validation, *([parent.evaluation] if parent.evaluation else [])]
    found = probabilities(model, engine, np.concatenate([split.images for split in splits]))
    parts = np.split(found, [len(parent.validation)])
    return prove(splits, parts, max_drop)


def _payload(parent: Parent, variant: Variant) -> bytes:
    """What the converter makes; where it fails, its log is kept beside the parent."""
    with quiet() as printed:
        try:
            return variant.convert(parent)
        except Exception as error:  # converters raise whatever they like
            log = parent.path.with_name(f"{variant.file_name}.log")
            write_file(log, f"{printed()}\n{type(error).__name__}: {error}\n".encode())
            first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            layer = layer_in(f"{error}\n{printed()}")
            where = f", at layer {layer!r}" if layer else ""
            what = f"{parent.path} could not be converted to {variant.format}{where}"
            raise EdgecnnError(f"{what}: {first}; log: {log}") from None
