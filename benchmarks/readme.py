"""Write the README's tables from committed results, so that no figure in it was typed by hand.

Between `<!-- results -->` and `<!-- end of results -->` stands what benchmarks/reference/demo.json says; `boards` and
`instructions` are arm.json, the others the file of their name.

Examples:
  python -m benchmarks.readme
  python -m benchmarks.readme --from artifacts/mnist/demo.json      take new results as the reference
  python -m benchmarks.readme --from arm.json                       made by python -m benchmarks.arm --json
  python -m benchmarks.readme --from peers.json                     made by python -m benchmarks.peers --json
"""

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.card import card
from benchmarks.demo import HEAD, cells
from benchmarks.seeds import mean
from edgecnn import SHIPPED, bench
from edgecnn.command import OK, command, parser, print_json
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, write_file
from edgecnn.modelfile import read_model

README = Path("README.md")
CARD = Path("runtime/MODEL_CARD.md")  # of the model in the wheel, by its own manifest
REFERENCES = Path("benchmarks/reference")
COUNTED = ("pi3", "pi4", "pi5")  # the others have the CPU and the engines of one of these


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.readme`."""
    made = parser("python -m benchmarks.readme", __doc__)
    made.add_argument("--from", dest="source", type=Path, help=f"a new reference: {' or '.join(_references())}")
    options = made.parse_args(argv)
    if options.source:
        _take(options.source)
    text = changed = read_file(README).decode()
    for name, (file, _) in BLOCKS.items():
        changed = filled(changed, name, json.loads(read_file(REFERENCES / file)))
    if changed != text:
        write_file(README, changed.encode())
    write_file(CARD, card(read_model(SHIPPED)).encode())
    said = {"file": str(README), "changed": changed != text}
    if options.json:
        print_json(said)
    else:
        print(f"{README}: {'written anew' if changed != text else 'as it was'}")
    return OK


def _take(source: Path) -> None:
    if source.name not in _references():
        raise EdgecnnError(f"{source} is no reference: give it one of the names {', '.join(_references())}")
    write_file(REFERENCES / source.name, read_file(source))


def _references() -> list[str]:
    return sorted({file for file, _ in BLOCKS.values()})


def filled(text: str, name: str, results: dict[str, Any]) -> str:
    """The README's text with one of its blocks made anew.

    Raises:
        EdgecnnError: the README has no such block.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    block = re.compile(f"(?<={begin}).*?(?={end})", re.DOTALL)
    if not block.search(text):
        raise EdgecnnError(f"{README} has no block between {begin.strip()} and {end}")
    return block.sub(lambda _: BLOCKS[name][1](results), text)


def demo_block(demo: dict[str, Any]) -> str:
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


def arm_block(arm: dict[str, Any]) -> str:
    """Markdown: a row for each board and engine, with the worst of its models."""
    head = ("board", "system", "engine", "int8: right", "off by", "float32: right", "off by", "verdict")
    rows = [_engine_on(board, finding, arm["trials"]) for board in arm["boards"] for finding in board["engines"]]
    return (
        f"{markdown(head, rows)}\n\n"
        "right: of 200 test images; off by: the largest difference from the same engine on x86-64, on plain images and"
        " on ones blended with noise: in steps of the int8 output, or of a probability.\n"
    )


def _engine_on(board: dict[str, Any], finding: dict[str, Any], trials: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    engine = f"{finding['engine']} {finding['version'] or ''}".strip()
    named = (board["name"], f"{board['system']}, Python {board['python']}, {board['machine']}", engine)
    mine = [each for each in trials if (each["board"], each["engine"]) == (board["name"], finding["engine"])]
    if not mine:
        return (*named, "–", "–", "–", "–", finding["state"])
    int8 = _worst([each for each in mine if each["steps"]], "{:.0f}")
    float32 = _worst([each for each in mine if not each["steps"]], "{:.0e}")
    return (*named, *int8, *float32, "PASS" if all(each["passed"] for each in mine) else "FAIL")


def _worst(trials: Sequence[dict[str, Any]], form: str) -> tuple[str, str]:
    if not trials:
        return "–", "–"
    return str(min(each["correct"] for each in trials)), form.format(max(each["worst"] for each in trials))


def instructions_block(arm: dict[str, Any]) -> str:
    """Markdown: thousand instructions an inference, a column for each board on which every model was counted."""
    counts = {(each["engine"], each["model"], each["board"]): each for each in arm["trials"] if each["instructions"]}
    models = list(dict.fromkeys((engine, model) for engine, model, _ in counts))
    boards = [board for board in dict.fromkeys(board for *_, board in counts) if board in COUNTED]
    rows = [
        (engine, f"`{model}`", *(_counted(counts.get((engine, model, board))) for board in boards))
        for engine, model in models
    ]
    return (
        f"{markdown(('engine', 'model', *boards), rows)}\n\n"
        "Thousand instructions of one engine's call, one thread; in brackets the share of the plain conversion's.\n"
    )


def _counted(trial: dict[str, Any] | None) -> str:
    if trial is None:
        return "–"
    share = f" ({trial['of_plain']:.2f})" if trial["of_plain"] else ""
    return f"{trial['instructions'] / 1000:,.0f}{share}"


def peers_block(peers: dict[str, Any]) -> str:
    """Markdown: what each contestant takes, and the ratios."""
    rows = [(row["name"], _accuracy(row), f"{row['p50_us']:.1f}", f"{row['p99_us']:.1f}") for row in peers["rows"]]
    ratios = [
        (each["ours"], each["theirs"], f"{each['ratio']:.2f}", f"{each['low']:.2f} to {each['high']:.2f}")
        for each in peers["ratios"]
    ]
    return (
        f"{markdown(('contestant', 'accuracy', 'p50 us', 'p99 us'), rows)}\n\n"
        "Accuracy on the first 1,000 test images, Keras's on 100; microseconds from raw pixels to label, `call` the"
        " engine's call alone; a ratio is of medians, with its 95 % interval.\n\n"
        f"{markdown(('ours', 'theirs', 'ratio', '95 %'), ratios)}\n"
    )


def native_block(native: dict[str, Any]) -> str:
    """Markdown: what the library and the program take, beside the CPU's peak and Python."""
    rows = [
        ("raw pixels to label, microseconds, one core", f"{native['p50_us']:.1f}"),
        ("multiply-accumulates", f"{native['multiply_accumulates']:,}"),
        ("what they take at this CPU's int8 peak, microseconds", f"{native['floor_us']:.1f}"),
        ("static program, bytes", f"{native['program_bytes']:,}"),
        ("arena, bytes", f"{native['arena_bytes']:,}"),
        ("process start to label, milliseconds", f"{native['start_to_label_ms']:.1f}"),
        ("the same of the Python runtime on LiteRT", f"{native['python_start_to_label_ms']:.0f}"),
    ]
    return f"{markdown(('the reference network in C', ''), rows)}\n\nBy `python -m benchmarks.native`.\n"


def micro_block(micro: dict[str, Any]) -> str:
    """Markdown: flash and RAM by microcontroller."""
    rows = [(name, f"{size['flash']:,}", f"{size['ram']:,}") for name, size in micro["sizes"].items()]
    said = f"On the emulated board {micro['board']}: {micro['golden']}."
    return f"{markdown(('microcontroller', 'flash, bytes', 'RAM, bytes'), rows)}\n\n{said}\n"


def seeds_block(seeds: dict[str, Any]) -> str:
    """Markdown: a row for each recipe and seed, then the mean over the seeds."""
    columns = list(dict.fromkeys((each["model"], each["engine"]) for each in seeds["spread"]))
    head = ("recipe", "seed", "float", *(f"`{model}` on {engine}" for model, engine in columns), "minutes")
    rows = []
    for each in seeds["trainings"]:
        found = {(model["model"], model["engine"]): model for model in each["models"]}
        cells_ = [_with_flips(found[column]) for column in columns]
        rows.append((each["recipe"], str(each["seed"]), f"{each['float']:.4f}", *cells_, f"{each['seconds'] / 60:.0f}"))
    for recipe in dict.fromkeys(each["recipe"] for each in seeds["spread"]):
        mine = {(each["model"], each["engine"]): each for each in seeds["spread"] if each["recipe"] == recipe}
        means = [mean(mine[column]) for column in columns]
        rows.append((recipe, "mean ± deviation", "", *means, ""))
    return (
        f"{markdown(head, rows)}\n\n"
        "Accuracy on the 10,000 test images, flips against the float model; one standard deviation of the test itself"
        " is 0.0006. Minutes by the clock, beside what else the machine did, without the teachers, which were there.\n"
    )


def _with_flips(found: dict[str, Any]) -> str:
    return f"{found['accuracy']:.4f} (-{found['lost']} +{found['gained']})"


def latency_block(run: dict[str, Any]) -> str:
    """Markdown: the percentiles of every model on every engine."""
    device = f"{run['device']['cpu']} with {' and '.join(run['device']['features']) or 'no vector instructions'}"
    said = f"Microseconds from raw pixels to label, {device}; {run['time'][:10]}."
    return f"{markdown(bench.HEAD, list(map(bench.cells, run['results'])))}\n\n{said}\n"


def _accuracy(row: dict[str, Any]) -> str:
    return "–" if row["accuracy"] is None else f"{row['accuracy']:.3f}"


# By the name of the block: the reference's file, and what makes Markdown of it.
BLOCKS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "results": ("demo.json", demo_block),
    "boards": ("arm.json", arm_block),
    "instructions": ("arm.json", instructions_block),
    "peers": ("peers.json", peers_block),
    "native": ("native.json", native_block),
    "micro": ("micro.json", micro_block),
    "seeds": ("seeds.json", seeds_block),
    "latency": ("latency.json", latency_block),
}


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    sys.exit(main())
