"""Write the tables of README.md and of docs/ from committed results, so that no figure was typed by hand.

A table stands between `<!-- NAME -->` and `<!-- end of NAME -->`. Its figures are those of documents in
benchmarks/reference: the `--json` of a benchmark, with its machine, time and command.

Examples:
  python -m benchmarks.readme                                       write the tables
  python -m benchmarks.readme --from artifacts/mnist/demo.json      make a new result the reference first
  python -m benchmarks.readme --from peers.json
"""

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import result_tables
from benchmarks.shipped_card import shipped_cards
from edgecnn.command import OK, command, command_parser, print_json
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, write_file

README = Path("README.md")
RESULTS = Path("docs/results.md")
SHRINKING = Path("docs/shrinking.md")
CARD = Path("runtime/MODEL_CARD.md")  # of the model in the wheel, by its own manifest
REFERENCES = Path("benchmarks/reference")


class Block(NamedTuple):
    """A generated part of a page."""

    page: Path
    references: tuple[str, ...]  # names of files in REFERENCES, in the order of the arguments of `write`
    write: Callable[..., str]  # documents -> Markdown


BLOCKS = {
    "results": Block(README, ("demo.json",), result_tables.demo_block),
    "same": Block(RESULTS, ("demo.json", "latency.json", "peers.json"), result_tables.same_block),
    "demo": Block(RESULTS, ("demo.json",), result_tables.steps_block),
    "latency": Block(RESULTS, ("latency.json",), result_tables.latency_block),
    "peers": Block(RESULTS, ("peers.json",), result_tables.peers_block),
    "suite": Block(RESULTS, ("suite.json",), result_tables.suite_block),
    "older": Block(RESULTS, ("older.json",), result_tables.older_block),
    "native": Block(RESULTS, ("native.json",), result_tables.native_block),
    "micro": Block(RESULTS, ("micro.json",), result_tables.micro_block),
    "seeds": Block(RESULTS, ("seeds.json",), result_tables.seeds_block),
    "methods": Block(SHRINKING, ("shrink.json",), result_tables.methods_block),
    "fronts": Block(SHRINKING, ("fronts.json",), result_tables.fronts_block),
    "instructions": Block(RESULTS, ("arm.json",), result_tables.instructions_block),
    "boards": Block(RESULTS, ("arm.json",), result_tables.arm_block),
}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.readme`."""
    words = command_parser("python -m benchmarks.readme", __doc__)
    words.add_argument("--from", dest="source", type=Path, help=f"a new reference: {' or '.join(references())}")
    options = words.parse_args(argv)
    if options.source:
        _adopt(options.source)
    changed = {str(page): _rewrite(page) for page in pages()}
    write_file(CARD, shipped_cards().encode())
    if options.json:
        print_json([{"file": page, "changed": differs} for page, differs in changed.items()])
    else:
        for page, differs in changed.items():
            print(f"{page}: {'written anew' if differs else 'as it was'}")
    return OK


def _rewrite(page: Path) -> bool:
    """Write a page's tables; whether that changed it."""
    text = read_file(page).decode()
    rewritten = filled(page, text)
    if rewritten != text:
        write_file(page, rewritten.encode())
    return rewritten != text


def _adopt(source: Path) -> None:
    if source.name not in references():
        raise EdgecnnError(f"{source} is no reference: give it one of the names {', '.join(references())}")
    write_file(REFERENCES / source.name, read_file(source))


def pages() -> list[Path]:
    """The pages that have generated parts."""
    return sorted({block.page for block in BLOCKS.values()})


def references() -> list[str]:
    """Names of the files in REFERENCES."""
    return sorted({name for block in BLOCKS.values() for name in block.references})


def filled(page: Path, text: str, root: Path = Path()) -> str:
    """The text of a page with all its tables written again.

    Raises:
        EdgecnnError: the page lacks the markers of a table.
    """
    for name, block in BLOCKS.items():
        if block.page == page:
            text = _replaced(text, name, block, root)
    return text


def _replaced(text: str, name: str, block: Block, root: Path) -> str:
    documents: list[dict[str, Any]] = [json.loads(read_file(root / REFERENCES / file)) for file in block.references]
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    between = re.compile(f"(?<={begin}).*?(?={end})", re.DOTALL)
    if not between.search(text):
        raise EdgecnnError(f"{block.page} has no block between {begin.strip()} and {end}")
    return between.sub(lambda _: block.write(*documents), text)


if __name__ == "__main__":
    sys.exit(main())
