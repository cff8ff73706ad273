"""Write report.html: accuracy, latency, losses and their reasons of a folder's models, in one self-contained page.

It shows the verdict, accuracy against latency and size, the distribution of every latency, what limits each model, the
noise of every layer, the confusion matrix, the worst classes, the most confident mistakes, every image whose answer
flipped, the instructions on boards, and the method. The latencies are those of latency.json in the folder (python -m
benchmarks.latency); if it is missing or of other models, they are measured in a hurry.

Examples:
  python -m benchmarks.report
  python -m benchmarks.report artifacts/mnist --output report.html
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report.gathering import gather
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
    findings = gather(folder)
    page = render(findings).encode(errors="backslashreplace")  # names of files that are not UTF-8
    write_file(output, page)
    if options.json:
        document = {"written": str(output), "bytes": len(page)}
        document |= {"verdict": findings.verdict, "failures": findings.failures, "notes": findings.notes}
        print_json(document | {"latency": findings.latency, "invalid": findings.invalid})
    else:
        print(f"{output}   accuracy {findings.verdict}, latency {findings.latency}, {len(page):,} bytes")
    return OK


if __name__ == "__main__":
    sys.exit(main())
