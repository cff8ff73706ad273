"""The tables of `edgecnn bench`."""

from collections.abc import Sequence
from typing import Any

from edgecnn.subject import Method
from edgecnn.tables import paragraph, table


def screen(rows: Sequence[dict[str, Any]], method: Method) -> str:
    """A run for people: the latency end to end, the rates, the start."""
    parts = [_columns(names, rows) for names in (_LATENCY, _RATE, _START)]
    throughputs = [
        (row["engine"], workers, f"{rate:,.0f}")
        for row in rows
        for workers, rate in row["images_per_second_by_workers"].items()
    ]
    if throughputs:
        parts.append(table(("engine", "workers", "images/s"), throughputs))
    parts.append(_notes(rows, method))
    return "\n\n".join(parts)


def _notes(rows: Sequence[dict[str, Any]], method: Method) -> str:
    """The method, and why figures are INVALID, in words."""
    times = f"{method.windows} windows of {method.seconds:g} s and {method.calls:,} calls at least"
    lines = [f"microseconds; {times}" + ("" if method.comparable else ": NOT COMPARABLE with other runs")]
    lines += [f"INVALID {subject_name(row)}: {'; '.join(row['reasons'])}" for row in rows if row["reasons"]]
    return "\n".join(map(paragraph, lines))


def subject_name(row: dict[str, Any]) -> str:
    """Model, engine, threads and batch of a row, in words."""
    threads = f", {row['threads']} threads" if row["threads"] > 1 else ""
    return f"{row['model']} on {row['engine']}{threads}" + (
        f", {row['batch']} images a call" if row["batch"] > 1 else ""
    )


HEAD = (
    *("model", "engine", "threads", "batch", "p50", "p90", "p99", "p99.9", "min", "±"),
    *("images/s", "call p50", "verdict"),
)
_START_HEAD = ("load ms", "first ms", "steady MB", "peak MB", "mJ an image")
# Three tables for a screen of 80 columns, with threads and batch if one is not 1.
_LATENCY = ("p50", "p90", "p99", "p99.9", "±", "verdict")
_RATE = ("min", "call p50", "images/s", "mJ an image")
_START = ("load ms", "first ms", "steady MB", "peak MB")


def _columns(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """A table of some of the figures."""
    key = ["model", "engine", *(name for name in ("threads", "batch") if any(row[name] != 1 for row in rows))]
    figures = [dict(zip((*HEAD, *_START_HEAD), (*cells(row), *_start_cells(row)), strict=True)) for row in rows]
    return table([*key, *names], [[row[name] for name in (*key, *names)] for row in figures])


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row as people read it, under `HEAD`."""
    end_to_end = row["end_to_end"]
    return (
        row["model"],
        row["engine"],
        str(row["threads"]),
        str(row["batch"]),
        *(f"{end_to_end[key]:.1f}" for key in ("p50_us", "p90_us", "p99_us", "p99.9_us", "min_us")),
        f"{end_to_end['spread']:.1%}",
        f"{row['images_per_second']:,.0f}",
        f"{row['engine_call']['p50_us']:.1f}",
        row["verdict"],
    )


def _start_cells(row: dict[str, Any]) -> tuple[str, ...]:
    energy = row["millijoules_an_image"]
    return (
        f"{row['load_ms']:.0f}",
        f"{row['first_ms']:.1f}",
        *(f"{value:.0f}" if value else "–" for value in row["memory_mb"].values()),
        f"{energy:.3f}" if energy else "–",
    )
