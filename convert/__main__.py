"""Convert a Keras classifier to several variants in one go; models.json and models.md say how each did.

A variant is FORMAT:QUANTIZATION, as `python -m convert.tflite --quantize` and `python -m convert.onnx --quantize` name
them. c:int8 is converted only if you name it: the plain int8 conversion as C, with the figures of its `.tflite`. A
variant that loses too much is not written; the others go on, and the exit status is 1.

Examples:
  python -m convert
  python -m convert artifacts/mnist/model.keras --variants tflite:int8 onnx:none c:int8
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from convert.c.c_files import c_files, plain_model
from convert.conversion import Conversion
from convert.gate import convert_and_prove, exit_status, write
from convert.model_card import HEAD, failed_entry, remarks, rows
from convert.options import add_gate_option, add_optimize_option, add_parent_options
from convert.parent import Parent, check_trained, load_parent
from convert.processes.converter import cause, run_in_fork
from convert.variant import PLAIN, QAT_MODEL, VARIANTS, for_model
from edgecnn.child_process import DiedError
from edgecnn.command import OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable
from edgecnn.modelfile import newest_model

C = "c:int8"
Entry = dict[str, Any]


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert`."""
    options = _parsed(argv)
    path = options.model or newest_model()
    options.variants = options.variants or _offered(path)
    folder = options.output or path.parent
    check_writable(folder / "models.json")
    entries: list[Entry] = []
    while len(entries) < len(options.variants):
        try:
            status = run_in_fork(_convert, path, options, len(entries), on_message=entries.append)
        except DiedError as death:
            entries.append(failed_entry(file_name(options.variants[len(entries)]), cause(death)))
        else:
            if status != OK:
                return status
    if options.json:
        print_json(entries)
    else:
        print("\n".join([screen(entries), *remarks(entries), "", f"more in {folder}/models.md and models.json"]))
    return exit_status(entries)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("python -m convert", __doc__)
    add_parent_options(parser)
    add_gate_option(parser)
    words = f"any of {' '.join(VARIANTS)} (default: these; int8-qat where {QAT_MODEL} lies beside), {C}"
    parser.add_argument("--variants", nargs="+", choices=[*VARIANTS, C], metavar="VARIANT", help=words)
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: beside the model")
    add_optimize_option(parser)
    return parser.parse_args(argv)


def _offered(path: Path) -> list[str]:
    """All variants; those of train.qat where its model lies beside."""
    trained = path.with_name(QAT_MODEL).exists()
    return [name for name, row in VARIANTS.items() if trained or not row.trained]


def screen(entries: Sequence[Entry]) -> str:
    """The columns of models.md that fit a screen: all but the share of integers and the flips on the test split.

    The reason why a conversion failed stands below the table.
    """
    failed = [entry for entry in entries if not entry["engines"]]
    shown = [{**entry, "why": "see below"} if entry in failed else entry for entry in entries]
    lines = [HEAD, *(row for entry in shown for row in rows(entry))]
    head, *cells = ([*line[:2], *line[3:7], line[8]] for line in lines)
    return "\n".join([table(head, cells), *(f"{entry['file']}: {entry['why']}" for entry in failed)])


def _convert(path: Path, options: argparse.Namespace, first: int, tell: Callable[[Entry], None]) -> int:
    """Convert to the variants from number `first` on, in a process with one TensorFlow; `tell` the entry of each."""
    names = options.variants
    with tqdm(names, "converting", initial=first, unit="model", disable=None, leave=False) as bar:
        parent = load_parent(path, options)
        for name in names[first:]:
            bar.set_postfix_str(name)
            if VARIANTS.get(name, PLAIN).trained and parent.path.name != QAT_MODEL:
                check_trained(path.with_name(QAT_MODEL), VARIANTS[name])
                tell(_entry(load_parent(path.with_name(QAT_MODEL), options), name, options))
            else:
                tell(_entry(parent, name, options))
            bar.update()
    return OK


def _entry(parent: Parent, name: str, options: argparse.Namespace) -> Entry:
    """Convert to one variant, and give its entry in models.json; a failure has one too."""
    output = (options.output or parent.path.parent) / file_name(name)
    has_ranges = parent.manifest.trained_ranges is not None
    variant = for_model(PLAIN if name == C else replace(VARIANTS[name], optimize=options.optimize), has_ranges)
    try:
        conversion = convert_and_prove(parent, variant, options.max_drop)
        files = _files_in_c(parent, conversion, output) if name == C else {output: conversion.data}
    except EdgecnnError as error:
        return failed_entry(output.name, str(error))
    return write(conversion, output, files)


def _files_in_c(parent: Parent, plain: Conversion, output: Path) -> Mapping[Path, bytes]:
    return c_files(plain_model(parent.path, plain), output, [])[0] if plain.passed else {}


def file_name(name: str) -> str:
    """The name of a variant's file."""
    return f"{Path(PLAIN.file_name).stem}.c" if name == C else VARIANTS[name].file_name


if __name__ == "__main__":
    sys.exit(main())
