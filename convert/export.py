"""What every export does: convert, compare with the parent on every engine, and only then write."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from convert.graph import facts
from convert.names import layer_in, layer_names
from convert.outputs import probabilities
from convert.parent import Parent, add_parent_options, load_parent
from convert.proof import Made, Proof, document, prove, summary
from convert.record import record
from edgecnn.check import MAX_DROP, agreement
from edgecnn.command import GATE_FAILED, OK, print_json, quiet
from edgecnn.engines import engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.files import write_file
from edgecnn.modelfile import ModelFile, newest_model, pack_model

AUTO = "auto"
NOISE_IMAGES = 64  # validation images that rank layers by their noise
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


def run_export(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    choose: Callable[[argparse.Namespace, tuple[str, ...]], Variant],
) -> int:
    """A converter's command: its options, the variant that `choose` takes from them and from the layers kept in float.

    Returns:
        The exit status: `GATE_FAILED`, and no file, where too much was lost.
    """
    add_parent_options(parser)
    parser.add_argument("--output", type=Path, help="default: beside the model")
    parser.add_argument("--batch", type=_batch, default=1, metavar="N", help="fixed batch (default 1), or 'dynamic'")
    add_gate_option(parser)
    options = parser.parse_args(argv)
    keep = tuple(options.keep_float or ())
    variant = choose(options, () if keep == (AUTO,) else keep)
    if keep and variant.quantize != "int8":
        raise EdgecnnError(f"--keep-float goes with --quantize int8, not with {variant.quantize}")
    if variant.batch is None and variant.format == "tflite":
        print("warning: with an open batch XNNPACK stays out of tflite-runtime: 4 times slower", file=sys.stderr)
    path = options.model or newest_model()
    parent = load_parent(path, options)
    check_layers(parent, variant.kept)
    made = make(parent, variant, options.max_drop)
    if keep == (AUTO,) and not made.passed:
        made = keep_fewest(parent, made, lambda kept: choose(options, kept), options.max_drop)
    output = options.output or path.with_name(variant.file_name)
    if made.passed:
        write_file(output, made.data)
        record(output, document(made, output))
    if options.json:
        print_json({"model": str(path), "written": str(output) if made.passed else None, **document(made, output)})
    else:
        print(summary(made, parent, output))
    return OK if made.passed else GATE_FAILED


def add_keep_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that keeps layers of an int8 model in float."""
    words = f"int8: Keras layers that stay in float, or {AUTO!r}: the fewest that pass the gate"
    parser.add_argument("--keep-float", nargs="+", metavar="LAYER", help=words)


def check_layers(parent: Parent, kept: Sequence[str]) -> None:
    """Raise an EdgecnnError if one of the layers to keep in float is not in the model."""
    names = layer_names(parent.model)
    if strange := [name for name in kept if name not in names]:
        raise EdgecnnError(f"--keep-float {' '.join(strange)}: {parent.path} has the layers {', '.join(names)}")


def keep_fewest(parent: Parent, made: Made, choose: Callable[[tuple[str, ...]], Variant], max_drop: float) -> Made:
    """Keep the noisiest layers in float, one more at a time until the gate passes; then drop those not needed.

    Returns:
        The model with the fewest layers in float that this finds; the last one tried where none passes.
    """
    from convert.noise import candidates, layer_noise

    variant = choose(())
    images = parent.validation.images[:NOISE_IMAGES]
    ranking = candidates(layer_noise(parent, made.data, variant.format, images))
    kept: tuple[str, ...] = ()
    while not made.passed and len(kept) < len(ranking):
        kept = tuple(ranking[: len(kept) + 1])
        print(f"trying with {', '.join(kept)} in float", file=sys.stderr)
        made = make(parent, choose(kept), max_drop)
    for layer in kept[:-1] if made.passed else ():
        fewer = tuple(name for name in kept if name != layer)
        tried = make(parent, choose(fewer), max_drop)
        if tried.passed:
            made, kept = tried, fewer
    return made


def add_gate_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how much a conversion may lose."""
    parser.add_argument(
        "--max-drop", type=_share, default=MAX_DROP, help=f"share of right answers it may lose (default {MAX_DROP})"
    )


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


def _batch(text: str) -> int | None:
    if text == "dynamic":
        return None
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of 1 or more nor 'dynamic'")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 1")
    return value
