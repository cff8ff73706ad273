"""Time every model on every engine that runs it: end to end, and the engine's call alone.

End to end is raw pixels to label, as `Classifier.predict` does it; the call alone is the engine's `invoke`. Each model
on each engine lives in a process of its own; in turns, in shuffled order, they are measured in five windows on five
test images, of 10 seconds and 1,000 calls at least. Every figure has a verdict: VALID, or INVALID with the reason. The
results go to latency.json beside the models, for `python -m benchmarks.compare` and `python -m benchmarks.report`.

Examples:
  python -m benchmarks.latency
  python -m benchmarks.latency artifacts/mnist/model_int8.tflite --engine litert --threads 1,2 --batch 1,8
  python -m benchmarks.latency --quick
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.models import setups
from benchmarks.provenance import provenance
from edgecnn import arguments
from edgecnn.bench import document, leave_out, method_of, usable_counts
from edgecnn.command import OK, command, command_parser, print_json
from edgecnn.files import check_writable, write_file
from edgecnn.latency_tables import screen
from edgecnn.measuring import Measurement, measure
from edgecnn.options import add_engine_option, add_method_options
from edgecnn.subject import Method

FILE = "latency.json"


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.latency`."""
    parser = command_parser("python -m benchmarks.latency", __doc__)
    parser.add_argument("models", type=Path, nargs="*", help="model files, or a folder of them (default: the newest)")
    add_engine_option(parser, "only this one")
    parser.add_argument(
        "--threads", type=arguments.counts(), default=[1], metavar="N,…", help="threads for one inference (default 1)"
    )
    batches = arguments.counts(1, arguments.BATCH)
    parser.add_argument("--batch", type=batches, default=[1], metavar="N,…", help="images a call (default 1)")
    parser.add_argument("--output", type=Path, help=f"default: {FILE} beside the first model")
    add_method_options(parser)
    options = parser.parse_args(argv)
    method = method_of(options)
    wanted = setups(options.models, options.engine, usable_counts(options.threads), options.batch)
    output = options.output or wanted[0].model.with_name(FILE)
    check_writable(output)
    measurements = measure(wanted, method, leave_out=None if options.engine else leave_out)
    run = run_document(measurements, method)
    write_file(output, json.dumps(run, indent=1).encode())
    if options.json:
        print_json(run)
    else:
        print(f"{screen(run['results'], method)}\n\n{output}")
    return OK


def run_document(measurements: Sequence[Measurement], method: Method) -> dict[str, Any]:
    """A run for `--json`, with its time, command, commit and machine."""
    return document(measurements, method) | provenance()


if __name__ == "__main__":
    sys.exit(main())
