"""Export to C that needs nothing: no interpreter, no allocation, no library.

MODEL is a full-int8 `.tflite`, or a `.keras` model, which is first converted to plain int8 and compared with its parent
as by `python -m convert.tflite`. The command writes NAME.c, NAME.h, NAME_test.c (golden inputs, and the outputs of
TFLite's reference kernels) and NAME_main.c (a program around it). With --build the compiler of the package ziglang adds
libraries for the engine `native` and static programs.

The engine `native` runs a library beside its model. So the command writes NAME.tflite too, unless there is one of the
same weights and calibration.

Every layer gives what TFLite's reference kernels give, bit for bit.

Examples:
  python -m convert.c
  python -m convert.c --build host linux-aarch64
  python -m convert.c artifacts/mnist/model_int8.tflite --output firmware/digits.c
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convert.c.build import HOST, TARGETS, resolved
from convert.c.c_files import Wrapping, c_files, plain_model, program
from convert.c.packages import SYSTEMS, checked
from convert.c.tile_search import tune
from convert.c.tiles import NO_TILES, Tiles, read_tiles, tiles_text
from convert.conversion import Conversion
from convert.gate import convert_and_prove, write
from convert.options import add_gate_option, add_parent_options
from convert.parent import load_parent
from convert.processes.converter import in_own_process
from convert.summary import summary
from convert.variant import PLAIN, for_model
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.file_lock import locked
from edgecnn.files import write_file
from edgecnn.modelfile import ModelFile, newest_model, read_model
from edgecnn.native_description import description_file, library_key
from workstation.keras_files.file_format import file_format


@command
@in_own_process
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.c`."""
    parser = command_parser("python -m convert.c", __doc__)
    add_parent_options(parser)
    parser.add_argument("--output", type=Path, help="NAME.c (default: beside the model, model_int8.c)")
    parser.add_argument(
        "--build", nargs="+", default=[], metavar="TARGET", help=f"{HOST} or any of {', '.join(TARGETS)}"
    )
    parser.add_argument(
        "--package", nargs="+", default=[], metavar="SYSTEM", help=f"for IDEs: some of {', '.join(SYSTEMS)}"
    )
    parser.add_argument("--license", metavar="SPDX", help="of packages, as Apache-2.0")
    parser.add_argument("--package-version", default="1.0.0", metavar="VERSION", help="default 1.0.0")
    tiles = parser.add_mutually_exclusive_group()
    tiles.add_argument("--tune-tiles", action="store_true", help="search the fastest tiles here, write NAME.tiles.json")
    tiles.add_argument("--tiles", type=Path, metavar="FILE", help="tiles that --tune-tiles wrote")
    add_gate_option(parser)
    options = parser.parse_args(argv)
    targets = resolved(options.build)
    path = options.model or newest_model()
    if options.package:
        stem = (options.output or (path if _is_tflite(path) else path.with_name(PLAIN.file_name))).stem
        options.license = checked(options.package, stem, options.package_version, options.license)
    if _is_tflite(path):
        return _export(path, read_model(path), None, targets, options)
    parent = load_parent(path, options)
    plain = for_model(PLAIN, parent.manifest.trained_ranges is not None)
    conversion = convert_and_prove(parent, plain, options.max_drop)
    if not conversion.passed:
        print(summary(conversion, parent, path.with_name(PLAIN.file_name)))
        return GATE_FAILED
    return _export(path, plain_model(path, conversion), conversion, targets, options)


def _is_tflite(path: Path) -> bool:
    """Whether a file is a `.tflite`, whatever it is called."""
    return path.is_file() and file_format(path) == "tflite"


def _export(
    path: Path, model: ModelFile, conversion: Conversion | None, targets: list[str], options: argparse.Namespace
) -> int:
    """Write the files for a model, which is the file at `path` or a conversion of it; print them."""
    output = options.output or model.path.with_suffix(".c")
    if output.suffix != ".c":
        raise EdgecnnError(f"{output} does not end in .c: name the C file")
    beside = output.with_suffix(".tflite")
    with locked(description_file(output)):  # it keeps the libraries that it describes already
        tiles, tiles_file = _tiles(model, output, options)
        version, spdx = options.package_version, options.license
        wrapping = Wrapping(options.package, version, spdx) if options.package else None
        files, facts = c_files(model, output, targets, tiles, wrapping)
        files, facts = files | tiles_file, facts | {"tiles": len(tiles)}
        models = _model_beside(model, beside, is_wanted=conversion is not None or bool(targets))
        if conversion:
            write(conversion, beside, files | models)
        else:
            _write(files | models)
        for target in targets:
            program(output, target).chmod(0o755)
    if rewrites := ", ".join(model.manifest.rewrites):
        why = f"{model.path.name} was rewritten for engines ({rewrites})"
        print(f"warning: {why}: C of the .keras file is faster", file=sys.stderr)
    if options.json:
        print_json(facts | {"model": str(path), "written": [str(file) for file in files | models]})
    else:
        packed = [file for file in files if file.suffix == ".zip"]
        print(_screen(f"{path} -> {' and '.join(map(str, [output, *models, *packed]))}", facts))
    return OK


def _tiles(model: ModelFile, output: Path, options: argparse.Namespace) -> tuple[Tiles, dict[Path, bytes]]:
    """The tiles that options name, and the file of those that were searched now."""
    if options.tiles:
        return read_tiles(options.tiles), {}
    if not options.tune_tiles:
        return NO_TILES, {}
    tuned = tune(model)
    print(f"tiles of {len(tuned.tiles)} layers: {tuned.rule_us:.1f} -> {tuned.tuned_us:.1f} us", file=sys.stderr)
    facts = {"kernels": tuned.kernels, "rule_us": round(tuned.rule_us, 2), "tuned_us": round(tuned.tuned_us, 2)}
    return tuned.tiles, {output.with_suffix(".tiles.json"): tiles_text(tuned.tiles, facts).encode()}


def _model_beside(model: ModelFile, beside: Path, is_wanted: bool) -> dict[Path, bytes]:
    """The model as a file beside the C, unless one of the same weights and calibration is there."""
    return {beside: model.data} if is_wanted and not _is_of(beside, model) else {}


def _is_of(path: Path, model: ModelFile) -> bool:
    """Whether a file is a conversion of the same weights and calibration: `native` runs beside it as well."""
    try:
        return library_key(read_model(path).manifest) == library_key(model.manifest)
    except EdgecnnError:
        return False


def _write(files: Mapping[Path, bytes]) -> None:
    for file, content in files.items():
        write_file(file, content)


def _screen(head: str, facts: dict[str, Any]) -> str:
    lines = [
        head,
        f"{facts['steps']} steps, {facts['constants']:,} bytes of constants",
        f"an arena of {facts['arena']:,} bytes; values that live at the same time take {facts['least_arena']:,}",
        f"golden inputs: {facts['golden']}",
    ]
    rows = [(row["target"], f"{row['library_bytes']:,}", f"{row['program_bytes']:,}") for row in facts["targets"]]
    if rows:
        lines += ["", table(("target", "library, bytes", "program, bytes"), rows)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
