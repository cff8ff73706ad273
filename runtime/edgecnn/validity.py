"""Whether a latency can be trusted: the machine's state while it was measured, and the verdict.

A latency is INVALID if the CPU was throttled or its clock not at its best, if others (processes, or other guests of the
host) used the CPU, if the process waited for it, or if the windows differ among themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn.clock import Clock, Ticks, clock, cpu_ticks

MOST_OTHERS = 0.10  # of a core, on average
MOST_STEAL = 0.05  # of a core: what the host gave to other guests
LEAST_CPU = 0.95  # share of a window that the process had the CPU
LEAST_CLOCK = 0.95  # of the CPU's highest frequency
MOST_SPREAD = 0.10  # of the windows' medians, largest less smallest, over their median


@dataclass(frozen=True)
class MachineState:
    """The machine at one moment."""

    clock: Clock
    ticks: Ticks | None


@dataclass(frozen=True)
class Window:
    """The steady state, seen for a while on one image."""

    end_to_end_ns: npt.NDArray[np.int64]  # raw pixels to label, each call
    engine_call_ns: npt.NDArray[np.int64]  # the engine's own call alone
    seconds: float
    cpu_seconds: float  # of the process
    images: int  # classified, end to end or by the engine alone
    steady_mb: float | None  # memory of the process, resident, at the end
    before: MachineState
    after: MachineState
    joules: float | None  # of the machine; None if it has no counter


def machine_state(root: Path = Path("/")) -> MachineState:
    """The machine now."""
    return MachineState(clock(root), cpu_ticks(root))


def reasons(windows: Sequence[Window]) -> tuple[str, ...]:
    """Why the figures of these windows are INVALID; empty if they are VALID."""
    spread = spread_of([float(np.median(window.end_to_end_ns)) for window in windows])
    differing = (f"the medians of the windows differ by {spread:.0%}",) if spread > MOST_SPREAD else ()
    return (*_clock_reasons(windows), *_sharing_reasons(windows), *differing)


def spread_of(medians: Sequence[float]) -> float:
    """Largest less smallest, over their median."""
    return (max(medians) - min(medians)) / float(np.median(medians))


def _clock_reasons(windows: Sequence[Window]) -> list[str]:
    causes = [cause for window in windows for cause in _held_back(window)]
    lines = [f"the CPU was held back: {cause}" for cause in dict.fromkeys(causes)]
    slowest = min((window.after.clock for window in windows if window.after.clock.mhz), key=_clock_share, default=None)
    if slowest and slowest.mhz and _clock_share(slowest) < LEAST_CLOCK:
        lines.append(f"the clock was at {slowest.mhz[0]} of {slowest.mhz[1]} MHz (governor {slowest.governor})")
    return lines


def _sharing_reasons(windows: Sequence[Window]) -> list[str]:
    """Whether others used the CPU."""
    lines = []
    others, steal = max(map(_others, windows)), max(map(_steal, windows))
    if others > MOST_OTHERS:
        lines.append(f"other processes used {others:.2f} of a core")
    if steal > MOST_STEAL:
        lines.append(f"the host gave {steal:.2f} of a core to others")
    cpu = min(window.cpu_seconds / window.seconds for window in windows)
    if cpu < LEAST_CPU:
        lines.append(f"the process had the CPU only {cpu:.0%} of the time")
    return lines


def _held_back(window: Window) -> tuple[str, ...]:
    return (*window.before.clock.held_back, *window.after.clock.held_back)


def _clock_share(clock: Clock) -> float:
    """The clock's frequency over its highest."""
    return clock.mhz[0] / clock.mhz[1] if clock.mhz else 1.0


def _others(window: Window) -> float:
    """Cores that other processes used."""
    before, after = window.before.ticks, window.after.ticks
    return (after.busy - before.busy - window.cpu_seconds) / window.seconds if before and after else 0.0


def _steal(window: Window) -> float:
    """Cores that other guests of the host used."""
    before, after = window.before.ticks, window.after.ticks
    return (after.steal - before.steal) / window.seconds if before and after else 0.0
