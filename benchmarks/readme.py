"""Write the README's tables from the committed results of a demo, so that no figure in it was typed by hand.

Between `<!-- results -->` and `<!-- end of results -->` stands what benchmarks/reference/demo.json says.

Examples:
  python -m benchmarks.readme
  python -m benchmarks.readme --from artifacts/mnist/demo.json      take a new demo's results as the reference
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.demo import HEAD, cells
from edgecnn.command import OK, command, parser, print_json
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, write_file

README = Path("README.md")
REFERENCE = Path("benchmarks/reference/demo.json")
_BLOCK = re.compile(r"(?<=<!-- results -->\n).*?(?=<!-- end of results -->)", re.DOTALL)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.readme`."""
    made = parser("python -m benchmarks.readme", __doc__)
    made.add_argument("--from", dest="source", type=Path, help="a demo.json to take as the new reference")
    options = made.parse_args(argv)
    if options.source:
        write_file(REFERENCE, read_file(options.source))
    text = read_file(README).decode()
    changed = filled(text, json.loads(read_file(REFERENCE)))
    if changed != text:
        write_file(README, changed.encode())
    said = {"file": str(README), "changed": changed != text}
    if options.json:
        print_json(said)
    else:
        print(f"{README}: {'written anew' if changed != text else 'as it was'}")
    return OK


def filled(text: str, demo: dict[str, Any]) -> str:
    """The README's text with the block of results made anew.

    Raises:
        EdgecnnError: the README has no such block.
    """
    if not _BLOCK.search(text):
        raise EdgecnnError(f"{README} has no block between <!-- results --> and <!-- end of results -->")
    return _BLOCK.sub(lambda _: block(demo), text)


def block(demo: dict[str, Any]) -> str:
    """Markdown: the table of results, the machine, the commands and their times."""
    machine = demo["machine"]
    results = markdown(HEAD, [cells(row) for row in demo["results"]])
    steps = markdown(
        ("command", "seconds"), [(f"`{step['command']}`", f"{step['seconds']:.0f}") for step in demo["steps"]]
    )
    total = sum(step["seconds"] for step in demo["steps"])
    images = demo["results"][0]["images"]
    return (
        f"{results}\n\n"
        f"{demo['folder']}, {images:,} test images; flips: right answers lost and gained against the float model;"
        f" p50: median microseconds from raw pixels to label, one thread, {machine['cpu']}"
        f" ({machine['cores']} cores, {machine['system']} {machine['machine']}, Python {machine['python']}).\n\n"
        f"{steps}\n\n"
        f"{total:.0f} seconds in all.\n"
    )


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    sys.exit(main())
