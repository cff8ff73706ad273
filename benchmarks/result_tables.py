"""The tables of README.md and of docs/, as Markdown, from the documents in benchmarks/reference."""

from collections.abc import Sequence
from typing import Any

from benchmarks.demo import HEAD, REPORT, cells
from benchmarks.fronts import HEAD as FRONTS_HEAD
from benchmarks.fronts import rows as front_rows
from benchmarks.micro import tables as micro_tables
from benchmarks.seeds import mean
from benchmarks.shrink import HEAD as SHRINK_HEAD
from benchmarks.shrink import rows as shrink_rows
from benchmarks.suite import tables
from edgecnn import latency_tables
from workstation.boards import COUNTED

# A model on an engine, and the name that it has among the peers.
SAME = (
    ("model_int8.tflite", "litert", "edgecnn_litert_int8"),
    ("model_int8.tflite", "tflite", None),
    ("model_float32.onnx", "onnx", "edgecnn_onnx_float"),
    ("model_int8.onnx", "onnx", "edgecnn_onnx_int8"),
)


def source(run: dict[str, Any]) -> str:
    """A paragraph: the machine, the day and the command of a run. Older documents know only the day of their commit."""
    return f"*{machine(run)}; {day(run)}; `{run['command']}`*\n"


def machine(run: dict[str, Any]) -> str:
    """A run's CPU with the features that count for int8, its cores, system and Python, as far as they were recorded."""
    device = run.get("device")
    if not device:
        return "host not recorded"
    features = " and ".join(device["features"]) or "no vector instructions"
    cores = f"{device['cores']} core{'s' if device['cores'] > 1 else ''}" if "cores" in device else None
    python = f"Python {device['python']}" if "python" in device else None
    known = (f"{device['cpu']} with {features}", cores, device.get("system"), device.get("machine"), python)
    return ", ".join(filter(None, known))


def day(run: dict[str, Any]) -> str:
    """The day of a measurement, or that of its commit."""
    return f"measured {run['time'][:10]}" if "time" in run else f"recorded {run['committed']}"


def demo_block(demo: dict[str, Any]) -> str:
    """Accuracy and latency of each model on each engine, for the README."""
    images = demo["results"][0]["images"]
    return (
        f"{markdown(HEAD, [cells(row) for row in demo['results']])}\n\n"
        f"{demo['folder']}, {images:,} test images. {source(demo)}"
    )


def steps_block(demo: dict[str, Any]) -> str:
    """The demo's commands and their seconds."""
    rows = [(f"`{step['command']}`", f"{step['seconds']:.1f}") for step in demo["steps"]]
    rows.append(("all of these", f"{sum(step['seconds'] for step in demo['steps']):.1f}"))
    report = " ".join(("python -m", *REPORT))
    missing = "" if report in {step["command"] for step in demo["steps"]} else f"`{report}` was not timed in this run. "
    return f"{markdown(('command', 'seconds'), rows)}\n\n{missing}{source(demo)}"


def same_block(demo: dict[str, Any], latency: dict[str, Any], peers: dict[str, Any]) -> str:
    """The medians of the same models on the same engines in three tables, and the differences between these runs."""
    runs = (demo, latency, peers)
    rows = [
        ("CPU", *(f"{run['device']['cpu']}, {' and '.join(run['device']['features'])}" for run in runs)),
        ("day", *map(day, runs)),
        ("method", "short windows (`--quick`)", "five windows of ten seconds", "40 short turns on one core"),
    ]
    for model, engine, peer in SAME:
        medians = (_p50(demo, model, engine), _p50(latency, model, engine), _peer(peers, peer))
        rows.append((f"`{model}` on {engine}", *medians))
    return f"{markdown(('', 'demo', 'latency', 'peers'), rows)}\n\nMedian microseconds from raw pixels to label.\n"


def _p50(run: dict[str, Any], model: str, engine: str) -> str:
    rows = [row for row in run["results"] if (row["model"], row["engine"]) == (model, engine)]
    return "–" if not rows else f"{rows[0].get('end_to_end', rows[0])['p50_us']:.1f}"


def _peer(peers: dict[str, Any], name: str | None) -> str:
    rows = [row for row in peers["rows"] if row["name"] == name]
    return f"{rows[0]['p50_us']:.1f}" if rows else "–"


def arm_block(arm: dict[str, Any]) -> str:
    """A row for each board and engine, with the worst result of its models."""
    head = ("board", "system", "engine", "int8: right", "off by", "float32: right", "off by", "verdict")
    rows = [_engine_row(board, engine, arm["trials"]) for board in arm["boards"] for engine in board["engines"]]
    return f"{markdown(head, rows)}\n\n{source(arm)}"


def _engine_row(board: dict[str, Any], engine: dict[str, Any], trials: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    name = f"{engine['engine']} {engine['version'] or ''}".strip()
    head = (board["name"], f"{board['system']}, Python {board['python']}, {board['machine']}", name)
    own = [trial for trial in trials if (trial["board"], trial["engine"]) == (board["name"], engine["engine"])]
    if not own:
        return (*head, "–", "–", "–", "–", engine["state"])
    int8 = _worst([trial for trial in own if trial["steps"]], "{:.0f}")
    float32 = _worst([trial for trial in own if not trial["steps"]], "{:.0e}")
    return (*head, *int8, *float32, "PASS" if all(trial["passed"] for trial in own) else "FAIL")


def _worst(trials: Sequence[dict[str, Any]], form: str) -> tuple[str, str]:
    if not trials:
        return "–", "–"
    return str(min(trial["correct"] for trial in trials)), form.format(max(trial["worst"] for trial in trials))


def instructions_block(arm: dict[str, Any]) -> str:
    """Thousand instructions an inference, a column for each board on which every model was counted."""
    counts = {(row["engine"], row["model"], row["board"]): row for row in arm["trials"] if row["instructions"]}
    models = list(dict.fromkeys((engine, model) for engine, model, _ in counts))
    boards = [board for board in dict.fromkeys(board for *_, board in counts) if board in COUNTED]
    rows = [
        (engine, f"`{model}`", *(_counted(counts.get((engine, model, board))) for board in boards))
        for engine, model in models
    ]
    return f"{markdown(('engine', 'model', *boards), rows)}\n\n{source(arm)}"


def _counted(trial: dict[str, Any] | None) -> str:
    if trial is None:
        return "–"
    share = f" ({trial['of_plain']:.2f})" if trial["of_plain"] else ""
    return f"{trial['instructions'] / 1000:,.0f}{share}"


def peers_block(peers: dict[str, Any]) -> str:
    """The times of the contestants, and the ratios."""
    rows = [(row["name"], _accuracy(row), f"{row['p50_us']:.1f}", f"{row['p99_us']:.1f}") for row in peers["rows"]]
    ratios = [
        (row["ours"], row["theirs"], _three(row["ratio"]), f"{_three(row['low'])} to {_three(row['high'])}")
        for row in peers["ratios"]
    ]
    return (
        f"{markdown(('contestant', 'accuracy', 'p50 us', 'p99 us'), rows)}\n\n"
        f"{markdown(('ours', 'theirs', 'ratio', '95 %'), ratios)}\n\n{source(peers)}"
    )


def _three(ratio: float) -> str:
    """Three significant digits: a ratio may be far below 1."""
    return f"{ratio:#.3g}"


def _accuracy(row: dict[str, Any]) -> str:
    return "–" if row["accuracy"] is None else f"{row['accuracy']:.3f}"


def native_block(native: dict[str, Any]) -> str:
    """Time and size of the library and the program, beside the CPU's peak and Python."""
    rows = [
        ("raw pixels to label, microseconds, one core", f"{native['p50_us']:.1f}"),
        ("multiply-accumulates", f"{native['multiply_accumulates']:,}"),
        ("the least time for them at this CPU's int8 peak, microseconds", f"{native['floor_us']:.1f}"),
        ("static program, bytes", f"{native['program_bytes']:,}"),
        ("arena, bytes", f"{native['arena_bytes']:,}"),
        ("static program, from process start to label, milliseconds", f"{native['start_to_label_ms']:.1f}"),
        ("Python runtime on LiteRT, the same, milliseconds", f"{native['python_start_to_label_ms']:.0f}"),
    ]
    return f"{markdown(('the reference network in C', ''), rows)}\n\n{source(native)}"


def micro_block(micro: dict[str, Any]) -> str:
    """Instructions, flash, RAM and stack by network and microcontroller."""
    rows = micro["rows"]
    return f"{markdown(micro_tables.head(rows), list(map(micro_tables.cells, rows)))}\n\n{source(micro)}"


def seeds_block(seeds: dict[str, Any]) -> str:
    """A row for each recipe and seed, then the mean over the seeds."""
    columns = list(dict.fromkeys((row["model"], row["engine"]) for row in seeds["spread"]))
    head = ("recipe", "seed", "float", *(f"`{model}` on {engine}" for model, engine in columns), "minutes")
    rows = [_training_row(training, columns) for training in seeds["trainings"]]
    for recipe in dict.fromkeys(row["recipe"] for row in seeds["spread"]):
        spread = {(row["model"], row["engine"]): row for row in seeds["spread"] if row["recipe"] == recipe}
        rows.append((recipe, "mean ± deviation", "", *(mean(spread[column]) for column in columns), ""))
    return f"{markdown(head, rows)}\n\n{source(seeds)}"


def methods_block(shrink: dict[str, Any]) -> str:
    """The methods of `train.shrink` over seeds, a row for each budget and method."""
    jobs = sorted({f"recipe `{point['recipe']}`, {point['epochs']} epochs" for point in shrink["points"]})
    return f"{markdown(SHRINK_HEAD, shrink_rows(shrink['points']))}\n\n{'; '.join(jobs)}. {source(shrink)}"


def fronts_block(fronts: dict[str, Any]) -> str:
    """What `train.shrink` makes of photographs' networks, a row for each smaller one."""
    return f"{markdown(FRONTS_HEAD, front_rows(fronts['points']))}\n\n{source(fronts)}"


def _training_row(training: dict[str, Any], columns: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    models = {(model["model"], model["engine"]): model for model in training["models"]}
    head = (training["recipe"], str(training["seed"]), f"{training['float']:.4f}")
    return (*head, *(_with_flips(models[column]) for column in columns), f"{training['seconds'] / 60:.0f}")


def _with_flips(model: dict[str, Any]) -> str:
    return f"{model['accuracy']:.4f} (-{model['lost']} +{model['gained']})"


def suite_block(suite: dict[str, Any]) -> str:
    """Every engine on the suite's networks, the boards' instructions, and what limits each network."""
    sections = suite["networks"]
    timed = [tables.cells(section, row) for section in sections for row in section["rows"] if not row["reason"]]
    parts = [markdown(tables.HEAD, timed)]
    if counted := [row for section in sections for row in tables.board_cells(section)]:
        parts.append(markdown(tables.BOARDS_HEAD, counted))
    parts.append("\n".join(f"- {line}" for section in sections for line in tables.notes(section)))
    return "\n\n".join((*parts, source(suite)))


def older_block(suite: dict[str, Any]) -> str:
    """`native` and LiteRT as on a CPU with AVX2 and nothing newer: times, and the instructions of an emulated one."""
    sections = suite["networks"]
    timed = [tables.cells(section, row) for section in sections for row in section["rows"] if row["older"]]
    counted = [row for section in sections for row in tables.board_cells(section)]
    return "\n\n".join((markdown(tables.HEAD, timed), markdown(tables.BOARDS_HEAD, counted), source(suite)))


def latency_block(run: dict[str, Any]) -> str:
    """The percentiles of every model on every engine."""
    return f"{markdown(latency_tables.HEAD, list(map(latency_tables.cells, run['results'])))}\n\n{source(run)}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
