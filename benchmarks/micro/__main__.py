"""Count the instructions of an inference on emulated microcontrollers, with flash, RAM and stack.

MODEL is a full-int8 `.tflite`, a network of benchmarks.suite, or NAME.c that `python -m convert.c` wrote, with NAME.h
and NAME_test.c beside it; all are compiled by Debian's GCC, or by clang, with -Os and -O3. QEMU runs the golden test,
whose outputs must all be those of TFLite's reference kernels, then one inference from raw pixels to the label; a plugin
counts it. Flash and RAM are those of NAME.c: code and constants, the arena and what kernels need beside it. `RAM` is
without the stack, which has a column of its own.

Instructions are no time. With --clock an estimate in milliseconds is added: one instruction a cycle, which none of
these CPUs reaches where flash is slow.

Examples:
  python -m benchmarks.micro
  python -m benchmarks.micro reference ds_cnn --cpus m4,rv32
  python -m benchmarks.micro artifacts/mnist/model_int8.tflite --cpus m4 --clock 64
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.micro import tables
from benchmarks.micro.cpus import MICROS
from benchmarks.micro.measurement import CLANG, GCC, LEVELS, measured, test_of
from benchmarks.provenance import provenance
from benchmarks.suite.build import REFUSAL, in_c_of, model_of
from benchmarks.suite.networks import NETWORKS
from edgecnn import arguments
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, progress, table
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import read_model

SHIPPED = Path(__file__).parents[2] / "runtime/edgecnn/mnist_int8.tflite"
SMALL = ("narrow", "resnet8", "ds_cnn")  # networks of the suite that microcontrollers hold


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.micro`: `GATE_FAILED` where a golden test fails."""
    parser = command_parser("python -m benchmarks.micro", __doc__)
    networks = f"default: the shipped one, {', '.join(SMALL)}"
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help=f"file, or one of {', '.join(NETWORKS)} ({networks})"
    )
    parser.add_argument("--cpus", default=",".join(MICROS), help=f"some of {','.join(MICROS)} (default: all)")
    parser.add_argument("--levels", default=",".join(LEVELS), help=f"of optimization (default {','.join(LEVELS)})")
    parser.add_argument("--compiler", choices=(GCC, CLANG), default=GCC, help=f"default {GCC}")
    parser.add_argument("--clock", type=arguments.count(1, 10_000), metavar="MHZ", help="for an estimate of the time")
    options = parser.parse_args(argv)
    cpus, levels = options.cpus.split(","), options.levels.split(",")
    if strange := [name for name in cpus if name not in MICROS]:
        raise EdgecnnError(f"there is no microcontroller {strange[0]!r}: choose {','.join(MICROS)}")
    if strange := [level for level in levels if not re.fullmatch("-O[0-3sz]", level)]:
        raise EdgecnnError(f"{strange[0]!r} is no level of optimization: -Os, -O2, -O3")
    sources = {name: _source(name) for name in options.models or (str(SHIPPED), *SMALL)}
    rows = [
        _row(name, source, cpu, level, options.compiler, options.clock)
        for name, source in sources.items()
        for cpu in cpus
        for level in levels
    ]
    progress("")
    if options.json:
        print_json({"rows": rows, "compiler": options.compiler} | provenance())
    else:
        print(table(tables.head(rows), map(tables.cells, rows)))
        print("\n".join(("", *_verdicts(rows))))
    return GATE_FAILED if any(row["wrong"] for row in rows) else OK


def _source(name: str) -> Path:
    """NAME.c of a model, which is written if it is not there.

    Raises:
        EdgecnnError: there is no such model, or C is not written for it.
    """
    path = Path(name)
    if path.suffix == ".c":
        for file in (path, path.with_suffix(".h"), test_of(path)):
            if not file.exists():
                raise EdgecnnError(f"{file} is not there: python -m convert.c writes it")
        return path
    model = model_of(path)
    if not model.exists():
        raise EdgecnnError(f"{path} is not there: name a .tflite, a NAME.c or one of {', '.join(NETWORKS)}")
    if (kind := read_model(model).manifest.format) != "tflite":
        raise EdgecnnError(
            f"{path} is a {kind} model: name the int8 .tflite that python -m convert.tflite writes of it"
        )
    folder = in_c_of(model, ("host",))
    if (folder / REFUSAL).exists():
        raise EdgecnnError((folder / REFUSAL).read_text(encoding="utf-8"))
    return folder / "model_int8.c"


def _row(name: str, source: Path, cpu: str, level: str, compiler: str, clock: int | None) -> dict[str, Any]:
    progress(f"{name} on {MICROS[cpu].title}, {level}")
    figures = measured(source, MICROS[cpu], level, compiler)
    title = {"network": "shipped" if name == str(SHIPPED) else name, "cpu": cpu, "title": MICROS[cpu].title}
    row = title | {"level": level} | asdict(figures)
    return row | {"estimate_ms": figures.instructions / clock / 1000} if clock else row


def _verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    failed = [f"{row['network']} on {row['title']}, {row['level']}: {row['wrong']} outputs WRONG" for row in rows]
    wrong = [line for line, row in zip(failed, rows, strict=True) if row["wrong"]]
    return wrong or ["golden tests: all outputs are those of TFLite's reference kernels"]


if __name__ == "__main__":
    sys.exit(main())
