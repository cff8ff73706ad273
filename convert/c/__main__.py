"""Export to C that needs nothing: no interpreter, no allocation, no library.

From a `.keras` model the plain int8 conversion is made first and compared with its parent as `python -m convert.tflite`
does; a full-int8 `.tflite` is taken as it is. NAME.c, NAME.h, NAME_test.c (golden inputs, and what TFLite's reference
kernels make of them) and NAME_main.c (a program around it) are written, with --build also libraries for the engine
`native` and static programs, by the compiler in the package ziglang.

Every layer gives what TFLite's reference kernels give, bit for bit.

Examples:
  python -m convert.c
  python -m convert.c --build host linux-aarch64
  python -m convert.c artifacts/mnist/model_int8.tflite --output firmware/digits.c
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convert.c.build import HOST, TARGETS, resolved
from convert.c.export import PLAIN, make_c, plain_model
from convert.export import make
from convert.parent import add_parent_options, load_parent
from convert.proof import summary
from convert.run import add_gate_option
from convert.survive import survived
from edgecnn.command import GATE_FAILED, OK, command, parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.files import locked, write_file
from edgecnn.modelfile import newest_model, read_model
from edgecnn.native import description


@command
@survived
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.c`."""
    made = parser("python -m convert.c", __doc__)
    add_parent_options(made)
    made.add_argument("--output", type=Path, help="NAME.c (default: beside the model, model_int8.c)")
    made.add_argument("--build", nargs="+", default=[], metavar="TARGET", help=f"{HOST} or any of {', '.join(TARGETS)}")
    add_gate_option(made)
    options = made.parse_args(argv)
    targets = resolved(options.build)
    path = options.model or newest_model()
    if path.suffix == ".tflite":
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
    with locked(description(output)):  # it keeps the libraries that it describes already
        files, facts = make_c(model, output, targets)
        for file, data in files.items():
            write_file(file, data)
            if not file.suffix:
                file.chmod(0o755)  # a program
    if model.manifest.rewrites:
        why = f"{model.path.name} was rewritten for engines ({', '.join(model.manifest.rewrites)})"
        print(f"warning: {why}: C of the .keras file is faster", file=sys.stderr)
    if options.json:
        print_json(facts | {"written": [str(file) for file in files]})
    else:
        print(_screen(list(files), facts))
    return OK


def _screen(files: Sequence[Path], facts: dict[str, Any]) -> str:
    told = [
        f"{facts['model']} -> {files[0]}",
        f"{facts['steps']} steps, {facts['constants']:,} bytes of constants, an arena of {facts['arena']:,} bytes",
        f"golden inputs: {facts['golden']}",
    ]
    rows = [(each["target"], f"{each['library_bytes']:,}", f"{each['program_bytes']:,}") for each in facts["targets"]]
    built = ["", table(("target", "library, bytes", "program, bytes"), rows)] if rows else []
    return "\n".join([*told, *built])


if __name__ == "__main__":
    sys.exit(main())
