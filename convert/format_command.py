"""What the converters' commands share: options, the way from a model to a file, what is printed."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from convert.gate import make_forms
from convert.mixed_precision import check_keep, make_keeping
from convert.model_card import record
from convert.options import add_form_options, add_gate_option, add_keep_option, add_parent_options, batch
from convert.parent import load_parent
from convert.proof import Conversion, document, summary
from convert.variant import ALL, NONE, Variant
from edgecnn.command import GATE_FAILED, OK, print_json
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable, write_file
from edgecnn.modelfile import newest_model


def run_export(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    choose: Callable[[argparse.Namespace, tuple[str, ...]], Variant],
) -> int:
    """A converter's command: `choose` takes the variant from the options and from the layers kept in float.

    Returns:
        The exit status: `GATE_FAILED`, and no file, where too much was lost.
    """
    add_parent_options(parser)
    parser.add_argument("--output", type=Path, help="default: beside the model")
    parser.add_argument("--batch", type=batch, default=1, metavar="N", help="fixed batch (default 1), or 'dynamic'")
    add_gate_option(parser)
    add_keep_option(parser)
    add_form_options(parser)
    options = parser.parse_args(argv)
    if options.forms == ALL and (options.keep_float or options.optimize == NONE):
        raise EdgecnnError("--forms all goes neither with --keep-float nor with --optimize none: leave one out")

    def variant_with(kept: tuple[str, ...]) -> Variant:
        return replace(choose(options, kept), optimize=options.optimize)

    path, variant = options.model or newest_model(), variant_with(())
    check_keep(path, options.keep_float, variant.quantize)
    if variant.batch is None and variant.format == "tflite":
        print("warning: with an open batch XNNPACK stays out of tflite-runtime, which is then slow", file=sys.stderr)
    parent = load_parent(path, options)
    output = options.output or path.with_name(variant.file_name)
    check_writable(output)
    if options.forms == ALL:
        forms = make_forms(parent, variant, options.max_drop)
        for refused in (made for made in forms.values() if isinstance(made, str)):
            print(refused, file=sys.stderr)
        results = {
            output.with_stem(f"{output.stem}_{form}"): made
            for form, made in forms.items()
            if isinstance(made, Conversion)
        }
    else:
        results = {output: make_keeping(parent, options.keep_float, variant_with, options.max_drop)}
    for file, made in results.items():
        if made.passed:
            write_file(file, made.data)
            record(file, document(made, file))
    if options.json:
        documents = [_document(path, file, made) for file, made in results.items()]
        print_json(documents if options.forms == ALL else documents[0])
    else:
        print("\n\n".join(summary(made, parent, file) for file, made in results.items()))
    return OK if all(made.passed for made in results.values()) else GATE_FAILED


def _document(path: Path, file: Path, made: Conversion) -> dict[str, Any]:
    return {"model": str(path), "written": str(file) if made.passed else None, **document(made, file)}
