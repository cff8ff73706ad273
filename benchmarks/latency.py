"""Time every model on every engine that runs it: end to end, and the engine's call alone.

End to end is raw pixels to label, as `Classifier.predict` does it; the call alone is the engine's `invoke`. Warm-up
calls are kept apart, and all contestants take turns in one run. Microseconds; images a second from the mean.

Examples:
  python -m benchmarks.latency
  python -m benchmarks.latency artifacts/mnist/model_int8.tflite --engine litert --threads 2
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.models import Contestant, contestants
from edgecnn.bench import CALLS, ROUNDS, WARM_UP, measure
from edgecnn.command import OK, command, parser, print_json, table


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.latency`."""
    made = parser("python -m benchmarks.latency", __doc__)
    made.add_argument("models", type=Path, nargs="*", help="model files, or a folder of them (default: the newest)")
    made.add_argument("--engine", help="only this one")
    made.add_argument("--threads", type=int, default=1, help="threads for one inference (default 1)")
    made.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns a contestant (default {ROUNDS})")
    made.add_argument("--calls", type=int, default=CALLS, help=f"timed calls a turn (default {CALLS})")
    options = made.parse_args(argv)
    rows = latencies(contestants(options.models, options.engine, options.threads), options.rounds, options.calls)
    if options.json:
        print_json({"warm_up": WARM_UP, "rounds": options.rounds, "threads": options.threads, "results": rows})
    else:
        print(_table(rows))
    return OK


def latencies(found: Sequence[Contestant], rounds: int = ROUNDS, calls: int = CALLS) -> list[dict[str, Any]]:
    """Time contestants in turn, on the images of the evaluation split.

    Returns:
        For each contestant its model, engine and times, end to end and of the engine's call alone.
    """
    calls_by_name: dict[str, Callable[[int], object]] = {}
    for number, each in enumerate(found):
        calls_by_name[f"{number} end to end"] = _end_to_end(each)
        calls_by_name[f"{number} call"] = _engine_call(each)
    timings = measure(calls_by_name, rounds, calls)
    return [
        {
            "model": each.path.name,
            "engine": each.classifier.engine,
            "end_to_end": timings[f"{number} end to end"].as_document(),
            "engine_call": timings[f"{number} call"].as_document(),
        }
        for number, each in enumerate(found)
    ]


def _end_to_end(contestant: Contestant) -> Callable[[int], object]:
    images, predict = contestant.images, contestant.classifier.predict
    return lambda number: predict(images[number % len(images)])


def _engine_call(contestant: Contestant) -> Callable[[int], object]:
    invoke = contestant.classifier.invoke
    return lambda _: invoke()


def _table(rows: Sequence[dict[str, Any]]) -> str:
    head = ("model", "engine", "p50 us", "p90 us", "p99 us", "images/s", "call p50", "p90", "p99")
    return table(
        head,
        (
            (
                row["model"],
                row["engine"],
                *(f"{row['end_to_end'][key]:.1f}" for key in ("p50_us", "p90_us", "p99_us")),
                f"{row['end_to_end']['per_second']:,.0f}",
                *(f"{row['engine_call'][key]:.1f}" for key in ("p50_us", "p90_us", "p99_us")),
            )
            for row in rows
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
