"""One conversion: a model's bytes in one format, run on every engine and compared with the float parent."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.contents import Contents
from convert.formats import FORMATS
from convert.parent import Parent
from convert.processes.engine_answers import answers_by_engine
from convert.proof import Proof, largest_difference_allowed, prove, with_rejection, with_test_report
from convert.statistics import with_statistics
from convert.variant import Variant
from edgecnn.command import progress, quiet
from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays, write_file
from edgecnn.manifest import Calibration, Manifest
from edgecnn.modelfile import ModelFile, pack_model
from workstation.layer_names import layer_in
from workstation.rejection import fit_rejection


@dataclass(frozen=True)
class Conversion:
    """A converted model, and how it did."""

    data: bytes  # the file
    payload: bytes  # the converter's output: the file without its manifest
    contents: Contents
    proofs: dict[str, Proof | str]  # by engine; a string says why the engine does not run it
    kept: tuple[str, ...] = ()  # Keras layers that stayed in float
    rewrites: tuple[str, ...] = ()  # of convert.rewrites
    notes: tuple[str, ...] = ()  # which rewrites the layers went through; which were refused, and why
    random: int = 0  # random images that rewrites were compared on

    @property
    def passed(self) -> bool:
        """Whether no engine that runs the model loses too much."""
        return not any(proof.validation.failures for proof in self.proofs.values() if isinstance(proof, Proof))

    def reference(self) -> tuple[str, Proof]:
        """The best engine that runs the model, and its proof.

        Raises:
            EdgecnnError: no engine runs it.
        """
        for engine, proof in self.proofs.items():
            if isinstance(proof, Proof):
                return engine, proof
        raise EdgecnnError(f"no engine here runs the result: {'; '.join(map(str, self.proofs.values()))}")


def payload_of(parent: Parent, variant: Variant) -> bytes:
    """Convert a model to bytes, without a manifest.

    Raises:
        EdgecnnError: the converter failed; its log is kept beside the parent.
    """
    progress(f"converting to {variant.format} {variant.quantize}")
    with quiet() as printed:
        try:
            return FORMATS[variant.format].convert(parent, variant)
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


def proved(
    parent: Parent,
    variant: Variant,
    payload: bytes,
    max_drop: float,
    random: npt.NDArray[np.uint8] | None = None,
    rewrites: tuple[str, ...] = (),
) -> Conversion:
    """Run a converted model on every engine, and judge its answers to the validation images.

    Args:
        parent: the model as it was loaded.
        variant: how it was converted.
        payload: what the converter made of it.
        max_drop: share of right answers that may be lost.
        random: images that come before those of validation; their outputs are kept, not judged.
        rewrites: the rewrites that the model's layers went through.
    """
    manifest = _manifest(parent, variant, rewrites)
    model = ModelFile(Path(variant.file_name), pack_model(payload, manifest), manifest)
    images = parent.validation.images if random is None else np.concatenate([random, parent.validation.images])
    # The answers of a model with trained ranges are compared with those of the model that it was trained from.
    limit = 1.0 if parent.manifest.trained_ranges else largest_difference_allowed(parent.model, variant)
    proofs: dict[str, Proof | str] = {
        engine: answers if isinstance(answers, str) else prove(manifest, parent.validation, answers, max_drop, limit)
        for engine, answers in answers_by_engine(model, images).items()
    }
    count = 0 if random is None else len(random)
    contents = FORMATS[variant.format].contents(payload)
    return Conversion(model.data, payload, contents, proofs, variant.kept, rewrites, random=count)


def reported(parent: Parent, variant: Variant, conversion: Conversion, max_drop: float) -> Conversion:
    """Set a conversion's threshold for `unknown` and its reference, run it over the test split, and note all of it.

    Raises:
        EdgecnnError: no engine runs it.
    """
    engine, proof = conversion.reference()
    rejection, missed = fit_rejection(proof.answers_to(parent.validation), parent.validation_labels, parent.reject)
    manifest = _manifest(parent, variant, conversion.rewrites)
    manifest = with_statistics(manifest, rejection, parent.validation.images, proof.answers_to(parent.validation))
    proofs = {
        name: with_rejection(manifest, other, parent.validation, missed if name == engine else "")
        for name, other in conversion.proofs.items()
    }
    if (test := parent.evaluation) is not None:
        model = ModelFile(Path(variant.file_name), conversion.data, manifest)
        tested = answers_by_engine(model, test.images)
        proofs = {
            name: with_test_report(manifest, other, test, tested[name], max_drop) for name, other in proofs.items()
        }
    conversion = replace(conversion, proofs=proofs)
    _, proof = conversion.reference()
    manifest = replace(
        manifest,
        agreement=proof.validation.agreement("validation", engine),
        reported=proof.evaluation.agreement("evaluation", engine) if proof.evaluation else None,
    )
    return replace(conversion, data=pack_model(conversion.payload, manifest))


def _manifest(parent: Parent, variant: Variant, rewrites: tuple[str, ...]) -> Manifest:
    file_format = FORMATS[variant.format]
    return replace(
        parent.manifest,
        format=variant.format,
        quantization=variant.quantize,
        rewrites=rewrites,
        rejection=None,
        reference=None,
        trained_ranges=None,
        input=replace(parent.manifest.input, raw=file_format.takes_raw_pixels),
        calibration=Calibration(len(parent.calibration), hash_arrays([parent.calibration.images])),
        tools={name: import_module(name).__version__ for name in file_format.tools},
    )
