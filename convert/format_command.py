"""The command that converts to one format, of which `convert.tflite` and `convert.onnx` are two."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from convert.conversion import Conversion
from convert.gate import convert_every_form, exit_status, write
from convert.mixed_precision import check_keep_float, convert_keeping
from convert.options import (
    add_form_options,
    add_gate_option,
    add_keep_option,
    add_parent_options,
    add_quantization_options,
    batch,
)
from convert.parent import Parent, check_trained, has_trained_ranges, load_parent
from convert.remedies import remedies
from convert.summary import summary
from convert.variant import ALL, NONE, QAT_MODEL, Variant, for_model, quantizations
from edgecnn.command import command_parser, print_json
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable
from edgecnn.modelfile import newest_model


def parser_for(model_format: str, manual: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m convert.FORMAT`, to which the command adds the options of this format alone."""
    parser = command_parser(f"python -m convert.{model_format}", manual)
    add_parent_options(parser)
    add_quantization_options(parser, model_format)
    parser.add_argument("--output", type=Path, help="default: beside the model")
    parser.add_argument("--batch", type=batch, default=1, metavar="N", help="fixed batch (default 1), or 'dynamic'")
    add_gate_option(parser)
    add_keep_option(parser)
    add_form_options(parser)
    return parser


def chosen_variant(model_format: str, options: argparse.Namespace) -> Variant:
    """The row of the table that the shared options choose, with what they change of it."""
    return replace(
        quantizations(model_format)[options.quantize],
        batch=options.batch,
        per_channel=not options.no_per_channel,
        optimize=options.optimize,
    )


def run(variant: Variant, options: argparse.Namespace) -> int:
    """Convert to one variant, write the conversions that pass the gate, print how they did.

    Returns:
        The exit status.

    Raises:
        EdgecnnError: options contradict one another, or as `load_parent` and the conversions do.
    """
    if options.forms == ALL and (options.keep_float or options.optimize == NONE):
        raise EdgecnnError("--forms all goes neither with --keep-float nor with --optimize none: leave one out")
    path = options.model or newest_model()
    if variant.trained and options.model is None:
        path = path.with_name(QAT_MODEL)
    variant = for_model(variant, has_trained_ranges(path))
    check_trained(path, variant)
    check_keep_float(path, options.keep_float, variant)
    if variant.batch is None and variant.format == "tflite":
        print("warning: with an open batch XNNPACK stays out of tflite-runtime, which is then slow", file=sys.stderr)
    parent = load_parent(path, options)
    output = options.output or path.with_name(variant.file_name)
    check_writable(output)
    return _write_and_print(parent, variant, _conversions(parent, variant, output, options), options)


def _conversions(parent: Parent, variant: Variant, output: Path, options: argparse.Namespace) -> dict[Path, Conversion]:
    """The conversions that the options ask for, by the file that each goes to."""
    if options.forms != ALL:
        return {output: convert_keeping(parent, variant, options.keep_float, options.max_drop)}
    conversions = {}
    for form, conversion in convert_every_form(parent, variant, options.max_drop).items():
        if isinstance(conversion, str):
            print(conversion, file=sys.stderr)
        else:
            conversions[output.with_stem(f"{output.stem}_{form}")] = conversion
    return conversions


def _write_and_print(
    parent: Parent, variant: Variant, conversions: dict[Path, Conversion], options: argparse.Namespace
) -> int:
    entries = {file: write(conversion, file, {file: conversion.data}) for file, conversion in conversions.items()}
    if options.json:
        documents = [
            {"model": str(parent.path), "written": str(file) if conversions[file].passed else None, **entry}
            for file, entry in entries.items()
        ]
        print_json(documents if options.forms == ALL else documents[0])
    else:
        print("\n\n".join(summary(conversion, parent, file) for file, conversion in conversions.items()))
    for conversion in conversions.values():
        for line in remedies(parent, variant, conversion):
            print(line, file=sys.stderr)
    return exit_status(entries.values())
