"""The suite's figures as people read them; a section is what `--json` has of one network."""

from collections.abc import Sequence
from typing import Any

from edgecnn.command import table
from edgecnn.tables import paragraph

HEAD = ("network", "engine", "threads", "call us", "predict us", "of peak", "call / LiteRT", "95 %", "predict / LiteRT",
        "arena", "code")  # fmt: skip
OLDER = ", AVX2"  # behind an engine that saw a CPU with AVX2 and nothing newer
TUNED_HEAD = ("network", "edgecnn tune", "model", "threads", "us", "next", "us")
BOARDS_HEAD = ("network", "board", "native, k instr.", "LiteRT, k instr.", "ratio")


def screen(sections: Sequence[dict[str, Any]]) -> str:
    """All tables, then a sentence for each network: what limits it."""
    rows = [cells(section, row) for section in sections for row in section["rows"]]
    parts = [table(HEAD, rows)]
    if counted := [row for section in sections for row in board_cells(section)]:
        parts.append(table(BOARDS_HEAD, counted))
    if chosen := [row for section in sections for row in tuned_cells(section)]:
        parts.append(table(TUNED_HEAD, chosen))
    parts += [paragraph(line) for section in sections for line in notes(section)]
    return "\n\n".join(parts)


def notes(section: dict[str, Any]) -> list[str]:
    """What limits the network, and why an engine does not run it."""
    missing: dict[str, list[str]] = {}
    for row in section["rows"]:
        if row["reason"]:
            missing.setdefault(row["reason"], []).append(f"{row['engine']} with {row['threads']}")
    reasons = [f"{section['network']}: no {', '.join(names)}: {reason}" for reason, names in missing.items()]
    return [f"{section['network']}: {section['limit']}.", *reasons]


def cells(section: dict[str, Any], row: dict[str, Any]) -> tuple[str, ...]:
    """A row, under `HEAD`."""
    ratio = row["call_ratio"]
    return (
        section["network"],
        row["engine"] + (OLDER if row.get("older") else ""),  # earlier documents have no such rows
        str(row["threads"]),
        _one(row["call_us"]),
        _one(row["predict_us"]),
        f"{row['of_peak']:.0%}" if row["of_peak"] else "–",
        f"{ratio[0]:.2f}" if ratio else "–",
        f"{ratio[1]:.2f} to {ratio[2]:.2f}" if ratio else "–",
        f"{row['predict_ratio'][0]:.2f}" if row["predict_ratio"] else "–",
        _bytes(row["arena_bytes"]),
        _bytes(row["code_bytes"]),
    )


def board_cells(section: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row for each board, under `BOARDS_HEAD`."""
    return [
        (section["network"], name, *(_thousands(counts.get(engine)) for engine in ("native", "litert")), _ratio(counts))
        for name, counts in section["boards"].items()
    ]


def tuned_cells(section: dict[str, Any]) -> list[tuple[str, ...]]:
    """What `edgecnn tune` chose, and the fastest of the other engines; under `TUNED_HEAD`."""
    passed = [candidate for candidate in section["tuned"] if "p50_us" in candidate]
    rows = []
    for chosen in (candidate for candidate in passed if candidate["chosen"]):
        others = [candidate for candidate in passed if candidate["engine"] != chosen["engine"]]
        next_one = (others[0]["engine"], _one(others[0]["p50_us"])) if others else ("–", "–")
        words = (chosen["engine"], chosen["model"], str(chosen["threads"]), _one(chosen["p50_us"]))
        rows.append((section["network"], *words, *next_one))
    return rows


def _ratio(counts: dict[str, int]) -> str:
    return f"{counts['native'] / counts['litert']:.2f}" if {"native", "litert"} <= counts.keys() else "–"


def _one(number: float | None) -> str:
    return "–" if number is None else f"{number:,.1f}"


def _bytes(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _thousands(number: int | None) -> str:
    return "–" if number is None else f"{number / 1000:,.0f}"
