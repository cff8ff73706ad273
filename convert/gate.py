"""The gate: convert, prove on every engine, refuse what loses too much, write the rest.

1. `convert_and_prove` converts with the rewrites of the rule `edge`, as far as they are proved equal, and runs the
   result on every installed engine.
2. `edgecnn.verdict.judge` says what may be lost, as for `edgecnn check` on a device. `convert.proof` adds that no
   probability may be far off.
3. A conversion that breaks a rule on any engine is refused (`Conversion.passed`): `write` writes nothing of it, and
   the exit status is 1 (`exit_status`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.conversion import Conversion, payload_of, proved, reported
from convert.equivalence import difference, random_images
from convert.formats import FORMATS
from convert.model_card import PASS, model_entry, record
from convert.parent import Parent
from convert.variant import FORMS, NONE, PIXELS, Variant
from edgecnn.command import GATE_FAILED, OK
from edgecnn.files import write_file

if TYPE_CHECKING:
    import keras


def convert_and_prove(parent: Parent, variant: Variant, max_drop: float) -> Conversion:
    """Convert, with the first rewrites of the rule `edge` that are proved equal, and compare with the float parent.

    Raises:
        EdgecnnError: the conversion failed, or no engine runs what came out.
    """
    payload = payload_of(parent, variant)
    if variant.optimize == NONE or variant.kept:
        return reported(parent, variant, proved(parent, variant, payload, max_drop), max_drop)
    candidates = [candidate for names in variant.edge_rewrites if (candidate := _rewritten(parent, names))]
    is_compared = bool(candidates) or _with_merged_pixels(variant, payload) is not None
    plain = proved(parent, variant, payload, max_drop, random_images(parent) if is_compared else None)
    best, refusals = _first_equal(parent, variant, candidates, plain, max_drop)
    best = reported(parent, variant, _merged(parent, variant, best, plain, max_drop), max_drop)
    return replace(best, notes=(*refusals, *(best.notes or ("no rewrite: the layers are as in Keras",))))


def convert_every_form(parent: Parent, variant: Variant, max_drop: float) -> dict[str, Conversion | str]:
    """Convert in every form of `convert.variant.FORMS` that applies, by name; `plain` has no rewrites.

    Returns:
        The conversions; of a form that was refused, why.
    """
    plain = proved(parent, variant, payload_of(parent, variant), max_drop, random_images(parent))
    forms: dict[str, Conversion | str] = {"plain": reported(parent, variant, plain, max_drop)}
    for form, names in FORMS.items():
        if candidate := _rewritten(parent, names):
            conversion = _compared(parent, variant, candidate, plain, max_drop)
            if isinstance(conversion, Conversion):
                conversion = _merged(parent, variant, conversion, plain, max_drop)
                conversion = reported(parent, variant, conversion, max_drop)
            forms[form] = conversion
    return forms


def write(conversion: Conversion, output: Path, files: Mapping[Path, bytes]) -> dict[str, Any]:
    """Write the files of a conversion that passed, and its entry in models.json; of one that is refused, nothing.

    Args:
        conversion: proved.
        output: the file that models.json names, if it is among the files.
        files: the conversion itself, or what was generated from it.

    Returns:
        The entry of `output`.
    """
    entry = model_entry(replace(conversion, data=files.get(output, b"")), output)
    if conversion.passed:
        for file, data in files.items():
            write_file(file, data)
        if output in files:
            record(output, entry)
    return entry


def exit_status(entries: Iterable[Mapping[str, Any]]) -> int:
    """The exit status of a command that wrote these entries: 1 where one was refused."""
    return OK if all(entry["verdict"] == PASS for entry in entries) else GATE_FAILED


@dataclass(frozen=True)
class _Candidate:
    """A parent's model after rewrites."""

    rewrites: tuple[str, ...]
    model: "keras.Model"
    notes: tuple[str, ...]  # what the rewrites changed


def _rewritten(parent: Parent, rewrites: tuple[str, ...]) -> _Candidate | None:
    """The model after rewrites; None where not all of them apply."""
    from convert.rewrites import rewritten  # it loads TensorFlow

    model, notes = rewritten(parent.model, rewrites)
    return None if model is None else _Candidate(rewrites, model, tuple(notes))


def _first_equal(
    parent: Parent, variant: Variant, candidates: Sequence[_Candidate], plain: Conversion, max_drop: float
) -> tuple[Conversion, list[str]]:
    """The first candidate with the outputs of the plain conversion, else that one; why those before were refused."""
    refusals: list[str] = []
    for candidate in candidates:
        conversion = _compared(parent, variant, candidate, plain, max_drop)
        if isinstance(conversion, Conversion):
            return conversion, refusals
        refusals.append(conversion)
    return plain, refusals


def _compared(
    parent: Parent, variant: Variant, candidate: _Candidate, plain: Conversion, max_drop: float
) -> Conversion | str:
    """Convert a rewritten model; where its outputs are not those of the plain conversion, say so."""
    payload = payload_of(replace(parent, model=candidate.model), variant)
    conversion = proved(parent, variant, payload, max_drop, random_images(parent), candidate.rewrites)
    is_exact = variant.is_integer or candidate.rewrites == FORMS["crop"]
    reason = difference(plain, conversion, is_exact, parent.manifest.multi_label)
    if reason:
        return f"{' and '.join(candidate.rewrites)} refused: {reason}"
    return replace(conversion, notes=candidate.notes)


def _merged(parent: Parent, variant: Variant, conversion: Conversion, plain: Conversion, max_drop: float) -> Conversion:
    """The same conversion, its pixels' scale merged into the first layer, where that applies and is proved equal."""
    payload = _with_merged_pixels(variant, conversion.payload)
    if payload is None:
        return conversion
    rewrites = (*conversion.rewrites, PIXELS)
    merged = proved(parent, variant, payload, max_drop, random_images(parent), rewrites)
    reason = difference(plain, merged, variant.is_integer, parent.manifest.multi_label)
    note = f"{PIXELS} refused: {reason}" if reason else f"{PIXELS}: the first layer scales them"
    return replace(conversion if reason else merged, notes=(*conversion.notes, note))


def _with_merged_pixels(variant: Variant, payload: bytes) -> bytes | None:
    merge = FORMATS[variant.format].merge_pixel_scale
    return merge(payload) if merge else None
