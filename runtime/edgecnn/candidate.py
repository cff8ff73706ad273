"""A candidate of `edgecnn tune`, and what its turns measured."""

import statistics
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.validity import Window


@dataclass
class Candidate:
    """A model on an engine with a number of threads, and its turns so far."""

    model: str
    engine: str
    threads: int
    medians: list[float] = field(default_factory=list)  # microseconds end to end, one a turn
    memory_mb: float = 0.0
    failure: str = ""  # why it is out

    @property
    def p50_us(self) -> float:
        """The median of the turns' medians, microseconds."""
        return statistics.median(self.medians)

    @property
    def spread_us(self) -> float:
        """Half the range of the turns' medians, microseconds."""
        return (max(self.medians) - min(self.medians)) / 2

    def add(self, turn: Window) -> None:
        """Add a turn."""
        self.medians.append(float(np.median(turn.end_to_end_ns)) / 1000)
        self.memory_mb = max(self.memory_mb, turn.steady_mb or 0.0)

    def as_document(self) -> dict[str, Any]:
        """For `selection.json` and `--json`."""
        key = {"model": self.model, "engine": self.engine, "threads": self.threads}
        if self.failure:
            return key | {"failure": self.failure}
        times = {"p50_us": round(self.p50_us, 2), "spread_us": round(self.spread_us, 2), "turns": len(self.medians)}
        return key | times | {"memory_mb": self.memory_mb}
