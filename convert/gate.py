"""Convert, and compare the result with its parent on every engine."""

from dataclasses import dataclass, replace
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.contents import Contents
from convert.equivalence import difference, noise
from convert.formats.onnx_graph import onnx_contents
from convert.formats.tflite import tflite_contents
from convert.layer_names import layer_in
from convert.parent import Parent
from convert.processes.all_engines import answers
from convert.proof import Conversion, largest_difference_allowed, prove, reported
from convert.variant import FORMS, NONE, PIXELS, Variant, edge_rewrites
from edgecnn.command import progress, quiet
from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays, write_file
from edgecnn.manifest import Calibration, Manifest
from edgecnn.modelfile import ModelFile, pack_model

_TOOLS = {"tflite": ("tensorflow", "keras"), "onnx": ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime")}


def make(parent: Parent, variant: Variant, max_drop: float) -> Conversion:
    """Convert, with the rewrites of the rule `edge` that are proved equal, and compare the result with its parent.

    Raises:
        EdgecnnError: the conversion failed, or no engine runs what came out.
    """
    payload = _payload(parent, variant)
    if variant.optimize == NONE or variant.kept:
        return _reported(parent, variant, _tried(parent, variant, (), max_drop, payload, None), max_drop)
    wanted = edge_rewrites(variant.format, variant.quantize)
    candidates = (each for names in wanted if (each := _rewritten(parent, names)))
    first = next(candidates, None)
    compared = first is not None or _merged(variant, payload) is not None
    plain = _tried(parent, variant, (), max_drop, payload, noise(parent) if compared else None)
    best, notes = plain, list[str]()
    for candidate in chain([first] if first else [], candidates):
        found = _compared(parent, variant, candidate, plain, max_drop)
        if isinstance(found, Conversion):
            best = found
            break
        notes.append(found)
    best = _reported(parent, variant, _with_pixels_merged(parent, variant, best, plain, max_drop), max_drop)
    return replace(best, notes=(*notes, *(best.notes or ("no rewrite: the layers are as in Keras",))))


def make_forms(parent: Parent, variant: Variant, max_drop: float) -> dict[str, Conversion | str]:
    """Convert in every form of `convert.variant.FORMS` that applies, by name; `plain` is the one without rewrites.

    Returns:
        The conversions; for a form that was refused, why.
    """
    plain = _tried(parent, variant, (), max_drop, _payload(parent, variant), noise(parent))
    candidates = {form: each for form, names in FORMS.items() if (each := _rewritten(parent, names))}
    forms = {form: _compared(parent, variant, each, plain, max_drop) for form, each in candidates.items()}
    merged = {
        form: _with_pixels_merged(parent, variant, made, plain, max_drop) if isinstance(made, Conversion) else made
        for form, made in forms.items()
    }
    found: dict[str, Conversion | str] = {"plain": plain, **merged}
    return {
        form: _reported(parent, variant, each, max_drop) if isinstance(each, Conversion) else each
        for form, each in found.items()
    }


@dataclass(frozen=True)
class _Candidate:
    """A parent's model after rewrites."""

    names: tuple[str, ...]
    model: Any
    done: tuple[str, ...]  # in words


def _rewritten(parent: Parent, names: tuple[str, ...]) -> _Candidate | None:
    """The model after rewrites; nothing where not all of them apply."""
    from convert.rewrites import rewritten

    model, done = rewritten(parent.model, names)
    return None if model is None else _Candidate(names, model, tuple(done))


def _compared(
    parent: Parent, variant: Variant, candidate: _Candidate, plain: Conversion, max_drop: float
) -> Conversion | str:
    """Convert a candidate; where that is not equal to the plain conversion, why."""
    payload = _payload(replace(parent, model=candidate.model), variant)
    found = _tried(parent, variant, candidate.names, max_drop, payload, noise(parent))
    exact = variant.quantize.startswith("int") or candidate.names == FORMS["crop"]
    reason = difference(plain, found, exact, parent.manifest.multi_label)
    name = " and ".join(candidate.names)
    return f"{name} refused: {reason}" if reason else replace(found, notes=candidate.done)


def _with_pixels_merged(
    parent: Parent, variant: Variant, made: Conversion, plain: Conversion, max_drop: float
) -> Conversion:
    """The same conversion, its pixels' scale merged into the first layer, where that can be and is proved equal."""
    merged = _merged(variant, made.payload)
    if merged is None:
        return made
    found = _tried(parent, variant, (*made.rewrites, PIXELS), max_drop, merged, noise(parent))
    reason = difference(plain, found, variant.quantize.startswith("int"), parent.manifest.multi_label)
    note = f"{PIXELS} refused: {reason}" if reason else f"{PIXELS}: the first layer scales them"
    return replace(made if reason else found, notes=(*made.notes, note))


def _merged(variant: Variant, payload: bytes) -> bytes | None:
    from convert.formats.onnx_pixels import merge_pixel_scale

    return merge_pixel_scale(payload) if variant.format == "onnx" else None


def _tried(
    parent: Parent,
    variant: Variant,
    rewrites: tuple[str, ...],
    max_drop: float,
    payload: bytes,
    random: npt.NDArray[np.uint8] | None,
) -> Conversion:
    """Run a converted model on every engine over random images, if any, and validation images; judge it by these."""
    manifest = _manifest(parent, variant, rewrites)
    model = ModelFile(Path(variant.file_name), pack_model(payload, manifest), manifest)
    images = parent.validation.images if random is None else np.concatenate([random, parent.validation.images])
    limit = largest_difference_allowed(parent, variant.quantize)
    proofs = {
        engine: found if isinstance(found, str) else prove(parent.manifest, parent.validation, found, max_drop, limit)
        for engine, found in answers(model, images).items()
    }
    count = 0 if random is None else len(random)
    return Conversion(model.data, payload, _contents(variant, payload), proofs, variant.kept, rewrites, random=count)


def _contents(variant: Variant, payload: bytes) -> Contents:
    return (tflite_contents if variant.format == "tflite" else onnx_contents)(payload)


def _reported(parent: Parent, variant: Variant, made: Conversion, max_drop: float) -> Conversion:
    """The conversion that was chosen, with what the test split reports of it, and all of it in its manifest."""
    manifest, evaluation = _manifest(parent, variant, made.rewrites), parent.evaluation
    if evaluation is not None:
        given = answers(ModelFile(Path(variant.file_name), made.data, manifest), evaluation.images)
        made = replace(
            made,
            proofs={
                engine: reported(manifest, proof, evaluation, given[engine], max_drop)
                for engine, proof in made.proofs.items()
            },
        )
    engine, proof = made.reference()
    manifest = replace(
        manifest,
        agreement=proof.validation.agreement("validation", engine),
        reported=proof.evaluation.agreement("evaluation", engine) if proof.evaluation else None,
    )
    return replace(made, data=pack_model(made.payload, manifest))


def _manifest(parent: Parent, variant: Variant, rewrites: tuple[str, ...]) -> Manifest:
    return replace(
        parent.manifest,
        format=variant.format,
        quantization=variant.quantize,
        rewrites=rewrites,
        input=replace(parent.manifest.input, raw=variant.raw),
        calibration=Calibration(len(parent.calibration), hash_arrays([parent.calibration.images])),
        tools={name: import_module(name).__version__ for name in _TOOLS[variant.format]},
    )


def _payload(parent: Parent, variant: Variant) -> bytes:
    """What the converter makes; where it fails, its log is kept beside the parent."""
    progress(f"converting to {variant.format} {variant.quantize}")
    with quiet() as printed:
        try:
            return variant.convert(parent)
        except EdgecnnError:
            raise
        except Exception as error:  # converters raise whatever they like
            log = parent.path.with_name(f"{variant.file_name}.log")
            write_file(log, f"{printed()}\n{type(error).__name__}: {error}\n".encode())
            first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            layer = layer_in(f"{error}\n{printed()}")
            where = f", at layer {layer!r}" if layer else ""
            what = f"{parent.path} could not be converted to {variant.format}{where}"
            raise EdgecnnError(f"{what}: {first}; log: {log}") from None
