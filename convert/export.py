"""What every export does: convert, compare with the parent on validation.npz, and only then write."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from convert.outputs import probabilities
from convert.parent import Parent, load_parent
from edgecnn.check import MAX_DROP, Report, agreement, judge
from edgecnn.command import GATE_FAILED, OK, print_json, quiet, table
from edgecnn.engines import engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256, write_file
from edgecnn.modelfile import ModelFile, newest_model, pack_model

_TOOLS = {"tflite": ("tensorflow", "keras"), "onnx": ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime")}


@dataclass(frozen=True)
class Export:
    """One way to export: the format, the quantization, and the function that makes the bytes."""

    format: str
    quantization: str
    convert: Callable[[Parent], bytes]
    raw: bool = False  # the file takes raw pixels: their scale is inside it

    @property
    def file_name(self) -> str:
        """What the file is called where the user does not say."""
        return f"model_{'float32' if self.quantization == 'none' else self.quantization}.{self.format}"


def run_export(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, choose: Callable[[argparse.Namespace], Export]
) -> int:
    """A converter's command: its options, the export that `choose` takes from them, what it prints.

    Returns:
        The exit status: `GATE_FAILED`, and no file, where too much was lost.
    """
    parser.add_argument("model", type=Path, nargs="?", help="a .keras file (default: the newest in artifacts/)")
    parser.add_argument("--output", type=Path, help="default: beside the model")
    parser.add_argument(
        "--max-drop", type=float, default=MAX_DROP, help=f"share of right answers it may lose (default {MAX_DROP})"
    )
    options = parser.parse_args(argv)
    export = choose(options)
    path = options.model or newest_model()
    output = options.output or path.with_name(export.file_name)
    parent = load_parent(path)
    data, reports = make(parent, export, options.max_drop)
    failed = any(report.failures for report in reports.values())
    if not failed:
        write_file(output, data)
    written = None if failed else str(output)
    document = {"model": str(path), "written": written, "bytes": len(data), "sha256": sha256(data)}
    if options.json:
        print_json(document | {"engines": {name: _document(report) for name, report in reports.items()}})
    else:
        print(_summary(path, written, len(data), parent, reports))
    return GATE_FAILED if failed else OK


def make(parent: Parent, export: Export, max_drop: float) -> tuple[bytes, dict[str, Report]]:
    """Convert, and judge the result on validation.npz, on every installed engine that runs it.

    Returns:
        The bytes of the model file, and a report by engine, the best engine first.

    Raises:
        EdgecnnError: the conversion failed, or an engine cannot run what came out.
    """
    payload = _payload(parent, export)
    manifest = replace(
        parent.manifest,
        format=export.format,
        quantization=export.quantization,
        input=replace(parent.manifest.input, raw=export.raw),
        tools={name: import_module(name).__version__ for name in _TOOLS[export.format]},
    )
    model = ModelFile(Path(export.file_name), pack_model(payload, manifest), manifest)
    reports = {}
    for engine in engines_for(export.format, export.file_name):
        found = probabilities(model, engine, parent.validation.images).argmax(axis=1)
        reports[engine] = judge(parent.validation.labels, parent.answers, found, None, max_drop)
    engine, report = next(iter(reports.items()))
    return pack_model(payload, replace(manifest, agreement=agreement(report, "validation", engine))), reports


def _payload(parent: Parent, export: Export) -> bytes:
    """What the converter makes; where it fails, its log is kept beside the parent."""
    with quiet() as printed:
        try:
            return export.convert(parent)
        except Exception as error:  # converters raise whatever they like
            log = parent.path.with_name(f"{export.file_name}.log")
            write_file(log, f"{printed()}\n{type(error).__name__}: {error}\n".encode())
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise EdgecnnError(
                f"{parent.path} could not be converted to {export.format}: {first} (log: {log})"
            ) from None


def _document(report: Report) -> dict[str, Any]:
    flips = report.flips
    return {
        "images": report.images,
        "accuracy": report.accuracy,
        "lost": len(flips.lost) if flips else None,
        "gained": len(flips.gained) if flips else None,
        "verdict": report.verdict,
        "failures": list(report.failures),
    }


def _summary(path: Path, written: str | None, size: int, parent: Parent, reports: dict[str, Report]) -> str:
    seen = ", seen in training" if parent.validation.source and parent.validation.source.trained_on else ""
    head = f"{path} -> {written or 'NOTHING WRITTEN'}   {size:,} bytes"
    rows = []
    for engine, report in reports.items():
        lost, gained = (len(places) for places in (report.flips.lost, report.flips.gained)) if report.flips else (0, 0)
        rows.append((engine, f"{report.accuracy:.4f}", lost, gained, "   ".join((report.verdict, *report.failures))))
    named = f"on {len(parent.validation):,} validation images{seen}"
    return "\n".join([head, named, "", table(("engine", "accuracy", "lost", "gained", "verdict"), rows)])
