"""Write report.html: accuracy, latency, losses and their reasons of a folder's models, in one self-contained page.

It tells the verdict, accuracy against latency and size, the distribution of every latency, what limits each model, the
noise of every layer, the confusion matrix, every image whose answer flipped, what the boards take, and the method. The
latencies are those of latency.json in the folder (python -m benchmarks.latency), measured in a hurry where it is not
there, or not of these models.

Examples:
  python -m benchmarks.report
  python -m benchmarks.report artifacts/mnist --output report.html
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report.facts import gather
from benchmarks.report.page import render
from edgecnn.command import OK, command, command_parser, print_json
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable, write_file
from edgecnn.modelfile import newest_model


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.report`."""
    parser = command_parser("python -m benchmarks.report", __doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="holds models and evaluation.npz (default: the newest)")
    parser.add_argument("--output", type=Path, help="default: report.html in the folder")
    options = parser.parse_args(argv)
    folder = options.folder or newest_model().parent
    if not (folder / "evaluation.npz").exists():
        raise EdgecnnError(f"{folder} has no evaluation.npz: name the folder of a training")
    output = options.output or folder / "report.html"
    check_writable(output)
    facts = gather(folder)
    page = render(facts).encode(errors="backslashreplace")  # names of files that are not UTF-8
    write_file(output, page)
    if options.json:
        said = {"verdict": facts.verdict, "failures": list(facts.failures), "notes": list(facts.notes)}
        said |= {"latency": facts.latency, "invalid": list(facts.invalid)}
        print_json({"written": str(output), "bytes": len(page), **said})
    else:
        print(f"{output}   accuracy {facts.verdict}, latency {facts.latency}, {len(page):,} bytes")
    return OK


if __name__ == "__main__":
    sys.exit(main())
