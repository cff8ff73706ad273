"""Export a Keras classifier in several variants in one go; models.json and models.md tell what each is worth.

A variant is FORMAT:QUANTIZATION, as `python -m convert.tflite --quantize` and `python -m convert.onnx --quantize` name
them; c:int8, made only where it is named, is the plain int8 conversion as C, and TFLite's figures are told of it. One
that loses too much is not written, and the others go on; the exit status is then 1.

Examples:
  python -m convert
  python -m convert artifacts/mnist/model.keras --variants tflite:int8 onnx:none c:int8
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from convert.c.c_files import PLAIN, c_files, plain_model
from convert.formats import onnx, tflite
from convert.gate import make
from convert.model_card import head, record, remarks, rows
from convert.options import add_gate_option, add_optimize_option, add_parent_options
from convert.parent import Parent, load_parent
from convert.processes.converter import died, forked
from convert.proof import document
from convert.variant import NONE, Variant
from edgecnn.child_process import DiedError
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable, write_file
from edgecnn.modelfile import newest_model

VARIANTS = {f"tflite:{name}": (tflite.variant, name) for name in tflite.QUANTIZATIONS} | {
    f"onnx:{name}": (onnx.variant, name) for name in onnx.QUANTIZATIONS
}
C = "c:int8"


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert`."""
    parser = command_parser("python -m convert", __doc__)
    add_parent_options(parser)
    add_gate_option(parser)
    parser.add_argument(
        "--variants", nargs="+", choices=[*VARIANTS, C], default=[*VARIANTS], metavar="VARIANT", help=_choices()
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: beside the model")
    add_optimize_option(parser)
    options = parser.parse_args(argv)
    path = options.model or newest_model()
    check_writable((options.output or path.parent) / "models.json")
    entries: list[dict[str, Any]] = []
    while len(entries) < len(options.variants):
        try:
            status = forked(_convert, path, options, len(entries), heard=entries.append)
        except DiedError as death:
            file = file_name(options.variants[len(entries)])
            entries.append({"file": file, "verdict": "FAIL", "why": died(death), "engines": {}})
        else:
            if status != OK:
                return status
    if options.json:
        print_json(entries)
    else:
        print(screen(entries))
        for note in remarks(entries):
            print(note)
        print(f"\n{options.output or path.parent}/models.md and models.json tell the rest")
    return OK if all(entry["verdict"] == "PASS" for entry in entries) else GATE_FAILED


def screen(entries: Sequence[dict[str, Any]]) -> str:
    """What fits a screen of what models.md tells: not how much runs on integers, nor the test's flips.

    Why a conversion failed stands below.
    """
    failed = [entry for entry in entries if not entry["engines"]]
    shown = [{**entry, "why": "see below"} if entry in failed else entry for entry in entries]
    lines = [head(), *(row for entry in shown for row in rows(entry))]
    names, *cells = ([*line[:2], *line[3:7], line[8]] for line in lines)
    return "\n".join([table(names, cells), *(f"{entry['file']}: {entry['why']}" for entry in failed)])


def _convert(path: Path, options: argparse.Namespace, first: int, tell: Callable[[dict[str, Any]], None]) -> int:
    """Convert to the variants from the `first` on, in a process with one TensorFlow; tell of each its entry."""
    folder = options.output or path.parent
    names = options.variants
    with tqdm(names, "converting", initial=first, unit="model", disable=None, leave=False) as bar:
        parent = load_parent(path, options)
        for name in names[first:]:
            bar.set_postfix_str(name)
            if name == C:
                tell(_c(parent, folder, options.max_drop))
            else:
                tell(_one(parent, _variant(name, options.optimize), folder, options.max_drop))
            bar.update()
    return OK


def _variant(name: str, optimize: str) -> Variant:
    maker, quantize = VARIANTS[name]
    return replace(maker(quantize), optimize=optimize)


def file_name(name: str) -> str:
    """What the file of a variant is called."""
    return f"{Path(PLAIN.file_name).stem}.c" if name == C else _variant(name, NONE).file_name


def _choices() -> str:
    return f"any of {' '.join(VARIANTS)} (default: these), {C}"


def _one(parent: Parent, variant: Variant, folder: Path, max_drop: float) -> dict[str, Any]:
    """Export one variant; a failure becomes its entry."""
    output = folder / variant.file_name
    try:
        made = make(parent, variant, max_drop)
    except EdgecnnError as error:
        return {"file": output.name, "verdict": "FAIL", "why": str(error), "engines": {}}
    entry = document(made, output)
    if made.passed:
        write_file(output, made.data)
        record(output, entry)
    return entry


def _c(parent: Parent, folder: Path, max_drop: float) -> dict[str, Any]:
    """Export C of the plain int8 conversion; a failure becomes its entry."""
    output = (folder / PLAIN.file_name).with_suffix(".c")
    try:
        plain = make(parent, PLAIN, max_drop)
        files = c_files(plain_model(parent.path, plain), output, [])[0] if plain.passed else {}
    except EdgecnnError as error:
        return {"file": output.name, "verdict": "FAIL", "why": str(error), "engines": {}}
    entry = document(replace(plain, data=files.get(output, b"")), output)
    for file, data in files.items():
        write_file(file, data)
    if files:
        record(output, entry)
    return entry


if __name__ == "__main__":
    sys.exit(main())
