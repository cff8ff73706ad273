"""Figures of microcontrollers as people read them."""

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = ("network", "microcontroller", "level", "M instr.", "flash, bytes", "RAM, bytes", "stack, bytes")
CLOCKED = ("estimate, ms",)


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A row, under `HEAD`, and `CLOCKED` where a clock was named."""
    numbers = (f"{row[name]:,}" for name in ("flash", "ram", "stack"))
    estimate = (f"{row['estimate_ms']:,.1f}",) if "estimate_ms" in row else ()
    return (row["network"], row["title"], row["level"], f"{row['instructions'] / 1e6:.2f}", *numbers, *estimate)


def head(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The head of a table of such rows."""
    return HEAD + (CLOCKED if any("estimate_ms" in row for row in rows) else ())
