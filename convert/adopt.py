"""Give a `.tflite` or `.onnx` of other tools a manifest, so that edgecnn runs it.

The file is run on random pixels, in a process of its own, since a damaged file can kill the process that opens it. A
copy with the manifest is written beside it as NAME_edgecnn.tflite (or .onnx); the file itself stays as it is.

Examples:
  python -m convert.adopt flowers.tflite --labels rose,tulip --normalization tf
  python -m convert.adopt flowers.onnx --labels labels.txt --pixel-scale 0.00392157 --layout NCHW
  python -m convert.adopt flowers.tflite --labels rose,tulip --normalization tf --reject 0.95 --validation photos/
"""

import argparse
import io
import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.processes.engine_answers import answers, in_engine_process
from convert.statistics import with_statistics
from convert.variant import quantizations
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, quiet, table
from edgecnn.dataset_reading import read_dataset
from edgecnn.engine_loading import load_engine
from edgecnn.engines import engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256, write_file
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Input, Manifest
from edgecnn.model_opening import limits
from edgecnn.modelfile import ModelFile, find_manifest, model_format, pack_model
from edgecnn.pixels import dequantize
from workstation.foreign_model import add_foreign_options, check_labels, pixel_values, read_labels
from workstation.output_kind import output_kind, within_one
from workstation.rejection import add_reject_option, check_reject, fit_rejection

LAYOUTS = ("NHWC", "NCHW")
_CHANNELS = (1, 3, 4)  # lengths of an axis of channels
_PROBES = 8  # random images
_MOST = 2**24  # bytes that TFLite Metadata may append
_QUANTIZATIONS = {"uint8": "uint8"} | {  # by the dtype of both ends
    row.ends: row.quantize for row in quantizations("tflite").values() if row.ends != "float32" and not row.trained
}


@dataclass(frozen=True)
class Probe:
    """How a model file answers random input."""

    engine: str
    input: TensorSpec
    output: TensorSpec
    answers: npt.NDArray[np.float32]  # (n, classes)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.adopt`."""
    parser = command_parser("python -m convert.adopt", __doc__)
    parser.add_argument("file", type=Path, help="a .tflite or .onnx without a manifest")
    add_foreign_options(parser)
    parser.add_argument("--layout", choices=LAYOUTS, help="of the input, if its shape leaves it open")
    parser.add_argument("--output", type=Path, help="default: beside, as NAME_edgecnn")
    add_reject_option(parser, "default: never")
    parser.add_argument(
        "--validation", type=Path, metavar="SOURCE", help="its statistics, and --reject: .npz or folder"
    )
    options = parser.parse_args(argv)
    if options.reject and not options.validation:
        raise EdgecnnError("--reject needs --validation: the threshold is set on labelled images")
    output = options.output or options.file.with_stem(f"{options.file.stem}_edgecnn")
    if output.resolve() == options.file.resolve():
        raise EdgecnnError(f"--output {output} is the file itself: name another")
    data = read_file(options.file)
    manifest = manifest_for(options.file, data, options)
    payload, members = _unzipped(options.file, data) if manifest.format == "tflite" else (data, {})
    if options.validation:
        manifest, missed = _with_validation(pack_model(payload, manifest), manifest, options)
        if missed:
            print(missed, file=sys.stderr)
            return GATE_FAILED
    write_file(output, pack_model(payload, manifest, members))
    if options.json:
        print_json({"written": str(output), "input": manifest.input.shape, "output": manifest.output})
    else:
        print(table(("", str(output)), _rows(manifest)))
    return OK


def manifest_for(path: Path, data: bytes, options: argparse.Namespace) -> Manifest:
    """The manifest that a file of other tools gets.

    Raises:
        EdgecnnError: it has one already, is no classifier of images, or an option does not fit it.
    """
    file_format = model_format(str(path), data)
    if file_format == "keras":
        raise EdgecnnError(f"{path} is a keras model, for training: convert it (python -m convert.tflite)")
    if find_manifest(str(path), data) is not None:
        raise EdgecnnError(f"{path} has a manifest already: edgecnn info {path}")
    scale, offset = pixel_values(path, options)
    labels = read_labels(path, options.labels)
    probe: Probe = in_engine_process(str(path), _probe, file_format, data, str(path), limits=limits(data))
    step = 0.0 if probe.output.dtype.kind == "f" else probe.output.scale
    _check_output(path, probe, step)
    check_labels(path, labels, probe.output.shape[1])
    layout = options.layout or guess_layout(path, probe.input)
    shape = probe.input.shape[1:] if layout == "NHWC" else (*probe.input.shape[2:], probe.input.shape[1])
    if len(scale) not in (1, shape[2]):
        raise EdgecnnError(
            f"--normalization {options.normalization} is for {len(scale)} channels, {path} has {shape[2]}"
        )
    entry = Input(shape, scale, offset, raw=_takes_raw(probe.input, scale, offset), layout=layout)
    kind = output_kind(probe.answers, step)
    return Manifest(path.stem, file_format, labels, entry, sha256(data), kind, _quantization(probe))


def _with_validation(data: bytes, manifest: Manifest, options: argparse.Namespace) -> tuple[Manifest, str]:
    """The manifest with the statistics of --validation and the threshold of --reject; and why none reaches the share.

    Raises:
        EdgecnnError: the images do not fit the model, or --reject is there and they have no labels.
    """
    validation = read_dataset(options.validation, manifest)
    if options.reject:
        check_reject(manifest, validation)
    engine, *_ = engines_for(manifest.format, str(options.file))
    probabilities, _ = answers(ModelFile(options.file, data, manifest), engine, validation.images)
    rejection, missed = fit_rejection(probabilities, np.asarray(validation.labels), options.reject or 0)
    return with_statistics(manifest, rejection, validation.images, probabilities), missed


def _quantization(probe: Probe) -> str:
    """The quantization, if input and output are of one integer dtype; else `unknown`."""
    ends = {probe.input.dtype.name, probe.output.dtype.name}
    return _QUANTIZATIONS.get(ends.pop(), "unknown") if len(ends) == 1 else "unknown"


def _unzipped(path: Path, data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """A flatbuffer, and the files that TFLite Metadata appended to it: our manifest goes into one ZIP with them.

    Raises:
        EdgecnnError: these files are damaged, or too large to be labels and descriptions.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return data, {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _MOST:
                raise EdgecnnError(f"{path} has files of more than {_MOST:,} bytes appended: leave them out")
            begin = min((entry.header_offset for entry in entries), default=archive.start_dir)
            return data[:begin], {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise EdgecnnError(f"{path} has files appended that cannot be read ({error}): copy it again") from None


def guess_layout(path: Path, tensor: TensorSpec) -> str:
    """NHWC or NCHW, by the axis that has a length of channels.

    Raises:
        EdgecnnError: the input is no image, or both axes have.
    """
    if len(tensor.shape) != 4:
        raise EdgecnnError(f"{path} takes {tensor.shape}: a classifier of images takes 4 axes")
    last, second = tensor.shape[3] in _CHANNELS, tensor.shape[1] in _CHANNELS
    if last == second:
        raise EdgecnnError(f"{path} takes {tensor.shape}, which leaves open where the channels are: say --layout")
    return "NHWC" if last else "NCHW"


def _takes_raw(tensor: TensorSpec, scale: tuple[float, ...], offset: tuple[float, ...]) -> bool:
    """Whether the file takes raw pixels as they are: uint8, neither scaled nor shifted."""
    plain = tensor.dtype == np.uint8 and tensor.scale == 1 and tensor.zero_point == 0
    return plain and set(scale) == {1.0} and set(offset) == {0.0}


def _check_output(path: Path, probe: Probe, step: float) -> None:
    if len(probe.output.shape) != 2:
        raise EdgecnnError(f"{path} gives {probe.output.shape}: a classifier gives (batch, classes)")
    if not np.isfinite(probe.answers).all():
        raise EdgecnnError(f"{path} gives NaN or infinity for random pixels: its weights are damaged")
    if probe.output.shape[1] == 1 and not within_one(probe.answers, step):
        raise EdgecnnError(f"{path} gives one value beyond 0 to 1, a logit: export it with a sigmoid behind it")


def _probe(file_format: str, data: bytes, source: str) -> Probe:
    """Load a model and run it on random input; called in a process of its own."""
    with quiet():
        name, engine = load_engine("auto", data, file_format, source, threads=1)
    random = np.random.default_rng(0)
    answers = []
    for _ in range(_PROBES):
        values = random.random(engine.input.shape)
        integer = engine.input.dtype.kind != "f"
        engine.feed()[...] = values * 255 - (128 if engine.input.dtype == np.int8 else 0) if integer else values
        engine.invoke()
        answers.append(dequantize(engine.result(), engine.output).reshape(engine.output.shape)[0])
    return Probe(name, engine.input, engine.output, np.stack(answers))


def _rows(manifest: Manifest) -> list[tuple[str, str]]:
    shape = "x".join(map(str, manifest.input.shape))
    return [
        ("input", f"{shape} raw pixels (uint8), {manifest.input.layout} within"),
        ("labels", " ".join(manifest.labels)),
        ("output", manifest.output),
        *([("unknown", manifest.rejection.words)] if manifest.rejection else []),
        *([("reference", f"{manifest.reference.images:,} images")] if manifest.reference else []),
    ]


if __name__ == "__main__":
    sys.exit(main())
