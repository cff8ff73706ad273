"""Time every engine on the networks of the suite, in turns, beside LiteRT and beside what this CPU can do at most.

The networks have seeded weights: speed depends on shapes, not on accuracy. Each is built once (Keras, int8 TFLite and
ONNX without rewrites, C), in ~/.cache/edgecnn/suite. All engines run the same int8 conversion; each lives in a process
of its own, pinned to as many cores as it has threads, and they take turns in random order. `call` is the engine's call;
that of `native` with one thread is called from C. `predict` is raw pixels to a label, from Python. Ratios are of the
medians to LiteRT's with as many threads, with a 95 % interval. `of peak` is the share of this CPU's int8 peak
(benchmarks/peak.c) by the multiply-accumulates that are needed: without those that a pooling drops. With --older there
are rows of `native` and LiteRT as they compute on a CPU with AVX2 and nothing newer; a ratio is to LiteRT there. With
--boards the instructions of a call on emulated boards are counted (benchmarks.arm). With --tune `edgecnn tune` chooses
among the network's int8 files, end to end from Python.

Examples:
  python -m benchmarks.suite
  python -m benchmarks.suite resnet8 ds_cnn --engines native,litert --threads 1
  python -m benchmarks.suite --tune --engines native --threads 1 --turns 1
  python -m benchmarks.suite --boards pi4,pi5,pc-avx2 --json > suite.json
"""

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.boards import build as build_boards
from benchmarks.library import library_of
from benchmarks.peak import peaks
from benchmarks.provenance import provenance
from benchmarks.suite.build import OURS, Files, build
from benchmarks.suite.counts import counted
from benchmarks.suite.floor import bandwidth, floor, words, work_of
from benchmarks.suite.measurement import EngineFigures, measured
from benchmarks.suite.networks import NETWORKS
from benchmarks.suite.older_cpu import ENGINES_SHOWN
from benchmarks.suite.tables import screen
from benchmarks.suite.tuning import tuned
from edgecnn import arguments
from edgecnn.bench import usable_counts
from edgecnn.command import OK, command, command_parser, print_json
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import read_model
from workstation.boards import EMULATED

NAMES = sorted(ENGINES, key=lambda name: name != OURS)  # it comes first
TURNS, SECONDS = 20, 0.04  # of each engine; of a turn, for each kind of call


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.suite`."""
    parser = command_parser("python -m benchmarks.suite", __doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(NETWORKS)} (default: all)")
    parser.add_argument("--engines", default=",".join(NAMES), help=f"some of {','.join(NAMES)} (default: all)")
    parser.add_argument(
        "--threads", type=arguments.counts(), default=[1, 2], metavar="N,…", help="for one inference (default 1,2)"
    )
    parser.add_argument("--turns", type=arguments.count(1, 10_000), default=TURNS, help=f"default {TURNS}")
    parser.add_argument("--core", type=arguments.core, default=0, help="the first to pin to (default 0)")
    parser.add_argument("--older", action="store_true", help="also as on a CPU with AVX2 and nothing newer (x86-64)")
    parser.add_argument("--tune", action="store_true", help="also say what edgecnn tune chooses")
    parser.add_argument("--boards", help=f"count instructions on some of {','.join(EMULATED)}")
    options = parser.parse_args(argv)
    names = _some(options.networks, NETWORKS, "network") or list(NETWORKS)
    engines = _some(options.engines.split(","), NAMES, "engine")
    boards = [EMULATED[name] for name in _some(options.boards.split(",") if options.boards else [], EMULATED, "board")]
    cores, threads = _cores(options.core), usable_counts(options.threads)
    targets = ["host", *dict.fromkeys(board.system.library for board in boards)]
    files = {name: build(name, targets) for name in names}
    if boards:
        build_boards(boards)
    counts = {name: counted(files[name], boards) for name in names}
    os.sched_setaffinity(0, cores[:1])  # for the peak, and the speed of copies
    peak = peaks().get("int8")
    older = _older(engines) if options.older else []
    sections = [_section(name, files[name], engines, older, threads, cores, options.turns, peak) for name in names]
    for section in sections:
        section["boards"] = counts[section["network"]]
    os.sched_setaffinity(0, cores)
    for section in sections:
        section["tuned"] = tuned(files[section["network"]], threads) if options.tune else []
    if options.json:
        print_json({"networks": sections, "int8_peak_per_ns": peak, "turns": options.turns} | provenance())
    else:
        print(screen(sections))
    return OK


def _some(names: list[str], known: Iterable[str], kind: str) -> list[str]:
    """Names of a list.

    Raises:
        EdgecnnError: one is not known.
    """
    if strange := [name for name in names if name not in known]:
        raise EdgecnnError(f"there is no {kind} {strange[0]!r}: choose {', '.join(known)}")
    return list(dict.fromkeys(names))


def _older(engines: Sequence[str]) -> list[str]:
    """The engines that can be shown an older CPU.

    Raises:
        EdgecnnError: it is no CPU that has an older one.
    """
    if platform.machine() != "x86_64":
        raise EdgecnnError("--older is for x86-64")
    return [engine for engine in engines if engine in ENGINES_SHOWN]


def _cores(first: int) -> list[int]:
    """The cores of this process, beginning with one of them."""
    cores = sorted(os.sched_getaffinity(0))
    place = cores.index(first)
    return cores[place:] + cores[:place]


def _section(
    name: str,
    files: Files,
    engines: Sequence[str],
    older: Sequence[str],
    threads: Sequence[int],
    cores: Sequence[int],
    turns: int,
    peak: float | None,
) -> dict[str, Any]:
    """What is measured of a network, for `--json`."""
    needed = None if files.refusal else library_of(files.tflite).macs
    work = work_of(read_model(files.tflite).data, needed)
    least = floor(work, peak, bandwidth(work.weight_bytes + work.activation_bytes))
    rows = [row for count in threads for row in measured(files, engines, count, cores, turns, SECONDS)]
    timed = {row.engine: row.call_us for row in rows if row.call_us is not None and row.threads == min(threads)}
    rows += [row for count in threads if older for row in measured(files, older, count, cores, turns, SECONDS, True)]
    best = min(timed, key=lambda engine: timed[engine]) if timed else ""
    return {
        "network": name,
        "title": NETWORKS[name].title,
        "work": asdict(work) | {"total_macs": work.total_macs},
        "floor": asdict(least) | {"us": least.us},
        "limit": words(work, least, best, timed[best]) if best else "no engine runs it",
        "rows": [asdict(row) | {"of_peak": _of_peak(row, work.needed_macs, peak)} for row in rows],
    }


def _of_peak(row: EngineFigures, macs: int, peak: float | None) -> float | None:
    """The share of the peak of as many cores as there are threads, by the multiply-accumulates that are needed."""
    if not peak or not row.call_us or row.older:  # an older CPU has another peak
        return None
    return macs / (1000 * row.call_us) / (peak * row.threads)


if __name__ == "__main__":
    sys.exit(main())
