"""Export to C that needs nothing: no interpreter, no allocation, no library.

From a `.keras` model the plain int8 conversion is made first and compared with its parent as `python -m convert.tflite`
does; a full-int8 `.tflite` is taken as it is. NAME.c, NAME.h, NAME_test.c (golden inputs, and what TFLite's reference
kernels make of them) and NAME_main.c (a program around it) are written, with --build also libraries for the engine
`native` and static programs, by the compiler in the package ziglang.

The engine `native` runs a library beside its model, NAME.tflite: it is written too, unless one of the same weights and
calibration is there.

Every layer gives what TFLite's reference kernels give, bit for bit.

Examples:
  python -m convert.c
  python -m convert.c --build host linux-aarch64
  python -m convert.c artifacts/mnist/model_int8.tflite --output firmware/digits.c
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convert.c.build import HOST, TARGETS, resolved
from convert.c.c_files import PLAIN, c_files, plain_model, program
from convert.gate import make
from convert.keras_files.keras2 import file_format
from convert.model_card import record
from convert.options import add_gate_option, add_parent_options
from convert.parent import load_parent
from convert.processes.converter import survived
from convert.proof import Conversion, document, summary
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.files import locked, write_file
from edgecnn.modelfile import ModelFile, newest_model, read_model
from edgecnn.native import description, source_hashes


@command
@survived
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.c`."""
    parser = command_parser("python -m convert.c", __doc__)
    add_parent_options(parser)
    parser.add_argument("--output", type=Path, help="NAME.c (default: beside the model, model_int8.c)")
    parser.add_argument(
        "--build", nargs="+", default=[], metavar="TARGET", help=f"{HOST} or any of {', '.join(TARGETS)}"
    )
    add_gate_option(parser)
    options = parser.parse_args(argv)
    targets = resolved(options.build)
    path = options.model or newest_model()
    plain: Conversion | None = None
    if _is_tflite(path):
        model = read_model(path)
    else:
        parent = load_parent(path, options)
        plain = make(parent, PLAIN, options.max_drop)
        if not plain.passed:
            print(summary(plain, parent, path.with_name(PLAIN.file_name)))
            return GATE_FAILED
        model = plain_model(path, plain)
    output = options.output or model.path.with_suffix(".c")
    if output.suffix != ".c":
        raise EdgecnnError(f"{output} does not end in .c: name the C file")
    beside, is_there = output.with_suffix(".tflite"), plain is None and not targets
    is_there = is_there or _is_of(beside, model)
    with locked(description(output)):  # it keeps the libraries that it describes already
        files, facts = c_files(model, output, targets)
        _write(files | ({} if is_there else {beside: model.data}), [program(output, target) for target in targets])
    if plain and not is_there:
        record(beside, document(plain, beside))
    if model.manifest.rewrites:
        why = f"{model.path.name} was rewritten for engines ({', '.join(model.manifest.rewrites)})"
        print(f"warning: {why}: C of the .keras file is faster", file=sys.stderr)
    written = [*files, *([] if is_there else [beside])]
    if options.json:
        print_json(facts | {"model": str(path), "written": [str(file) for file in written]})
    else:
        print(_screen(f"{path} -> {' and '.join(map(str, [output, *written[len(files) :]]))}", facts))
    return OK


def _is_tflite(path: Path) -> bool:
    """Whether a file is a `.tflite`, whatever it is called."""
    return path.is_file() and file_format(path) == "tflite"


def _is_of(path: Path, model: ModelFile) -> bool:
    """Whether there is a conversion of the same weights and calibration, which `native` takes as well."""
    try:
        return source_hashes(read_model(path).manifest) == source_hashes(model.manifest)
    except EdgecnnError:
        return False


def _write(files: Mapping[Path, bytes], programs: Sequence[Path]) -> None:
    for file, data in files.items():
        write_file(file, data)
        if file in programs:
            file.chmod(0o755)


def _screen(head: str, facts: dict[str, Any]) -> str:
    told = [
        head,
        f"{facts['steps']} steps, {facts['constants']:,} bytes of constants, an arena of {facts['arena']:,} bytes",
        f"golden inputs: {facts['golden']}",
    ]
    rows = [(each["target"], f"{each['library_bytes']:,}", f"{each['program_bytes']:,}") for each in facts["targets"]]
    built = ["", table(("target", "library, bytes", "program, bytes"), rows)] if rows else []
    return "\n".join([*told, *built])


if __name__ == "__main__":
    sys.exit(main())
