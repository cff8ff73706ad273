"""Show where a model's time goes, operator by operator, and what limits it on this CPU.

On the TFLite engines the model file itself is cut: its first operator alone, its first two, and so on; all prefixes are
timed in turns in one process, and an operator's time is that of its prefix minus that of the prefix before. A model
without any operator shows what a call costs by itself. ONNX Runtime's own profiler times its nodes, in whole
microseconds.
Multiply-accumulates a second are set against this CPU's peak, measured by a loop of its best instruction (peak.c).

Examples:
  python -m benchmarks.profile artifacts/mnist/model_int8.tflite
  python -m benchmarks.profile artifacts/mnist/model_int8.onnx --json
  python -m benchmarks.profile mobilenet_v1
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.operators import OperatorCost, onnx_operators, tflite_operators
from benchmarks.peak import peaks
from benchmarks.suite.build import model_of
from benchmarks.suite.networks import NETWORKS
from edgecnn.child_process import in_child
from edgecnn.command import OK, command, command_parser, print_json, progress, quiet, table
from edgecnn.device import describe
from edgecnn.engines import engines_for, packaged
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import newest_model, read_model
from edgecnn.tables import paragraph

DISPATCH, CONVERSION, ARITHMETIC, MOVING = "dispatch", "conversion between types", "arithmetic", "moving data"
_CONVERTING = ("QUANTIZE", "DEQUANTIZE", "CAST", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast")
_DOT_PRODUCT = {"dot product", "i8mm", "AVX-512 VNNI", "AVX-VNNI", "AMX int8"}
_R = TypeVar("_R")


@dataclass(frozen=True)
class Profile:
    """Where the time goes."""

    model: str
    engine: str
    operators: tuple[OperatorCost, ...]
    call_us: float  # the engine's call, whole
    dispatch_us: float  # a call that computes nothing
    features: tuple[str, ...]  # of the CPU
    peaks_per_ns: dict[str, float]  # multiply-accumulates, by type

    @property
    def shares(self) -> dict[str, float]:
        """The shares of the call's time by what limits it, the largest first."""
        spent = {DISPATCH: max(self.dispatch_us, 0.0), CONVERSION: 0.0, ARITHMETIC: 0.0, MOVING: 0.0}
        for operator in self.operators:
            spent[_category(operator)] += max(operator.microseconds, 0.0)
        total = sum(spent.values())
        shares = {name: microseconds / total for name, microseconds in spent.items()}
        return dict(sorted(shares.items(), key=lambda pair: -pair[1]))

    @property
    def of_peak(self) -> float | None:
        """The share of this CPU's peak that the arithmetic reaches; None if the peak is not known."""
        arithmetic = [operator for operator in self.operators if _category(operator) == ARITHMETIC]
        microseconds = sum(max(operator.microseconds, 0.0) for operator in arithmetic)
        macs = sum(operator.macs for operator in arithmetic)
        return macs / (1000 * microseconds) / self.peak if self.peak and microseconds else None

    @property
    def peak(self) -> float | None:
        """Multiply-accumulates a nanosecond that this CPU does at most with the model's type of numbers."""
        return self.peaks_per_ns.get("int8" if self.is_integer else "float32")

    @property
    def is_integer(self) -> bool:
        """Whether most of the arithmetic is on integers."""
        return sum(operator.macs if operator.integer else -operator.macs for operator in self.operators) > 0

    @property
    def verdict(self) -> str:
        """One sentence: what limits it, with its share."""
        limit, share = next(iter(self.shares.items()))
        heaviest = max(self.operators, key=lambda operator: operator.microseconds)
        sentence = f"{share:.0%} of {self.call_us:.1f} us is {limit}"
        if limit == ARITHMETIC:
            peak = f" at {self.of_peak:.0%} of this CPU's peak" if self.of_peak else ""
            without = self.is_integer and not _DOT_PRODUCT & set(self.features)
            why = "; the CPU has no dot-product instruction, without which int8 gains little" if without else ""
            sentence += f"{peak}, most of it {heaviest.name} ({heaviest.microseconds:.1f} us){why}"
        elif limit == DISPATCH:
            sentence += f": the engine's own overhead, before any operator; the heaviest is {heaviest.name}"
        elif limit == CONVERSION:
            sentence += ": quantizing and dequantizing between operators; a full-int8 model has none of it"
        else:
            sentence += f": pooling, reshaping and copying, most of it {heaviest.name}"
        slow = [operator for operator in self.operators if operator.fast_path is False]
        return sentence + (f"; {len(slow)} of {len(self.operators)} operators are not on the fast path" if slow else "")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.profile`."""
    parser = command_parser("python -m benchmarks.profile", __doc__)
    parser.add_argument(
        "model",
        type=Path,
        nargs="?",
        help=f"a .tflite or .onnx file, or {', '.join(NETWORKS)} of the suite (default: the newest int8 .tflite)",
    )
    parser.add_argument("--engine", choices=[kind.name for kind in packaged()], help="default: the first that runs it")
    options = parser.parse_args(argv)
    profiled = profile(model_of(options.model or newest_model().with_name("model_int8.tflite")), options.engine)
    if options.json:
        print_json(as_document(profiled))
    else:
        print(screen(profiled))
    return OK


def profile(path: Path, engine: str | None = None) -> Profile:
    """Profile a model on an engine, in a process of its own.

    Raises:
        EdgecnnError: the engine does not run it.
    """
    model = read_model(path)
    able = engines_for(model.manifest.format, str(path))
    if engine and engine not in able:
        raise EdgecnnError(f"{path} is profiled on {' or '.join(able)}, not on {engine}")
    chosen = engine or able[0]
    progress(f"timing {path.name} on {chosen}")
    timing = onnx_operators if model.manifest.format == "onnx" else tflite_operators
    operators, call, dispatch = in_child(_quietly, timing, chosen, model.data)
    progress("")
    return Profile(path.name, chosen, operators, call, dispatch, describe().features, peaks())


def _quietly(timing: Callable[[str, bytes], _R], engine: str, data: bytes) -> _R:
    with quiet():  # engines greet on stderr
        return timing(engine, data)


def _category(operator: OperatorCost) -> str:
    if operator.macs:
        return ARITHMETIC
    return CONVERSION if operator.kind in _CONVERTING else MOVING


def as_document(profiled: Profile) -> dict[str, Any]:
    """For `--json`."""
    derived = {"verdict": profiled.verdict, "shares": profiled.shares, "of_peak": profiled.of_peak}
    return derived | asdict(profiled)


def screen(profiled: Profile) -> str:
    """For people: the sentence, then every operator."""
    idle = profiled.dispatch_us
    first = ("(a call that computes nothing)", "", f"{idle:.2f}", _share(idle, profiled), "", "", "")
    rows = [first, *(_cells(operator, profiled) for operator in profiled.operators)]
    head = ("operator", "kind", "us", "share", "MACs", "MACs/ns (of peak)", "fast path")
    features = ", ".join(profiled.features) or "none that matter"
    peaks_per_ns = ", ".join(f"{name} {value:.0f}" for name, value in profiled.peaks_per_ns.items())
    title = paragraph(f"{profiled.model} on {profiled.engine}: {profiled.verdict}")
    return f"{title}\n\n{table(head, rows)}\n\n" + paragraph(
        f"CPU features: {features}; peak, multiply-accumulates a nanosecond: {peaks_per_ns or 'not measured'}"
    )


def _cells(operator: OperatorCost, profiled: Profile) -> tuple[str, ...]:
    """An operator, under the head of `screen`."""
    speed = operator.macs / (1000 * operator.microseconds) if operator.macs and operator.microseconds > 0 else None
    of_peak = f" ({speed / profiled.peak:.0%})" if speed and profiled.peak else ""
    return (
        operator.name,
        operator.kind,
        f"{operator.microseconds:.2f}",
        _share(operator.microseconds, profiled),
        f"{operator.macs:,}" if operator.macs else "",
        f"{speed:.1f}{of_peak}" if speed else "",
        {True: "yes", False: "no", None: ""}[operator.fast_path],
    )


def _share(microseconds: float, profiled: Profile) -> str:
    return f"{microseconds / profiled.call_us:.0%}"


if __name__ == "__main__":
    sys.exit(main())
