"""Convert, and compare the result with its parent on every engine."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from convert.graph import facts
from convert.names import layer_in
from convert.optimize import FORMS, NONE, PIXELS, difference, edge_rewrites, noise
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
    optimize: str = NONE  # or EDGE

    @property
    def file_name(self) -> str:
        """What the file is called where the user does not say."""
        kind = "float32" if self.quantize == "none" else self.quantize.replace("-", "_")
        batch = "" if self.batch == 1 else f"_batch{self.batch or 'any'}"
        return f"model_{kind}{batch}.{self.format}"


def make(parent: Parent, variant: Variant, max_drop: float) -> Made:
    """Convert, with the rewrites of the rule `edge` that are proved equal, and compare the result with its parent.

    Raises:
        EdgecnnError: the conversion failed, or no engine runs what came out.
    """
    plain = _made(parent, variant, (), max_drop)
    if variant.optimize == NONE or variant.kept:
        return plain
    best, notes = plain, list[str]()
    for names in edge_rewrites(variant.format, variant.quantize):
        found = _rewritten(parent, variant, names, plain, max_drop)
        if isinstance(found, Made):
            best = found
            break
        notes += [found] if found else []
    best = _with_pixels_merged(parent, variant, best, plain, max_drop)
    return replace(best, notes=(*notes, *(best.notes or ("no rewrite: the layers are as in Keras",))))


def make_forms(parent: Parent, variant: Variant, max_drop: float) -> dict[str, Made | str]:
    """Convert in every form of `convert.optimize.FORMS` that applies, by name; `plain` is the one without rewrites.

    Returns:
        The conversions; for a form that was refused, why.
    """
    plain = _made(parent, variant, (), max_drop)
    found = {form: _rewritten(parent, variant, names, plain, max_drop) for form, names in FORMS.items()}
    forms = {form: made for form, made in found.items() if made is not None}
    return {"plain": plain} | {
        form: _with_pixels_merged(parent, variant, made, plain, max_drop) if isinstance(made, Made) else made
        for form, made in forms.items()
    }


def _rewritten(
    parent: Parent, variant: Variant, names: tuple[str, ...], plain: Made, max_drop: float
) -> Made | str | None:
    """Convert with rewrites; where that is not equal to the plain conversion why, where not all apply nothing."""
    from convert.rewrites import rewritten

    model, done = rewritten(parent.model, names)
    if model is None:
        return None
    found = _made(replace(parent, model=model), variant, names, max_drop)
    reason = difference(plain, found, exact=variant.quantize.startswith("int") or names == FORMS["crop"])
    return f"{' and '.join(names)} refused: {reason}" if reason else replace(found, notes=tuple(done))


def _with_pixels_merged(parent: Parent, variant: Variant, made: Made, plain: Made, max_drop: float) -> Made:
    """The same conversion, its pixels' scale merged into the first layer, where that can be and is proved equal."""
    from convert.pixels import merge_pixel_scale

    merged = merge_pixel_scale(made.payload) if variant.format == "onnx" else None
    if merged is None:
        return made
    found = _judged(parent, variant, (*made.rewrites, PIXELS), max_drop, merged)
    reason = difference(plain, found, exact=variant.quantize.startswith("int"))
    note = f"{PIXELS} refused: {reason}" if reason else f"{PIXELS}: the first layer scales them"
    return replace(made if reason else found, notes=(*made.notes, note))


def _made(parent: Parent, variant: Variant, rewrites: tuple[str, ...], max_drop: float) -> Made:
    """Convert, and compare the result with its parent on every installed engine."""
    return _judged(parent, variant, rewrites, max_drop, _payload(parent, variant))


def _judged(parent: Parent, variant: Variant, rewrites: tuple[str, ...], max_drop: float, payload: bytes) -> Made:
    """Compare a converted model with its parent on every installed engine."""
    manifest = replace(
        parent.manifest,
        format=variant.format,
        quantization=variant.quantize,
        rewrites=rewrites,
        input=replace(parent.manifest.input, raw=variant.raw),
        calibration=Calibration(len(parent.calibration), hash_arrays([parent.calibration.images])),
        tools={name: import_module(name).__version__ for name in _TOOLS[variant.format]},
    )
    model = ModelFile(Path(variant.file_name), pack_model(payload, manifest), manifest)
    engines = engines_for(variant.format, variant.file_name)
    with ThreadPoolExecutor() as pool:  # each engine is in a process of its own
        proofs = dict(
            zip(engines, pool.map(lambda engine: _prove(parent, model, engine, max_drop), engines), strict=True)
        )
    made = Made(pack_model(payload, manifest), payload, facts(variant.format, payload), proofs, variant.kept, rewrites)
    engine, proof = made.reference()
    manifest = replace(
        manifest,
        agreement=agreement(proof.validation, "validation", engine),
        reported=agreement(proof.evaluation, "evaluation", engine) if proof.evaluation else None,
    )
    return replace(made, data=pack_model(payload, manifest))


def _prove(parent: Parent, model: ModelFile, engine: str, max_drop: float) -> Proof | str:
    """The model's proof on an engine; a string says why the engine does not run it."""
    splits = [parent.validation, *([parent.evaluation] if parent.evaluation else [])]
    images = [noise(parent), *(split.images for split in splits)]
    try:
        found = probabilities(model, engine, np.concatenate(images))
    except EdgecnnError as error:
        return str(error)
    parts = np.split(found, np.cumsum([len(each) for each in images])[:-1])
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
