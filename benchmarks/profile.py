"""Where a model's time goes, operator by operator, and what limits it on this CPU.

On the TFLite engines the model file itself is cut: its first operator alone, its first two, and so on; all prefixes are
timed in turns in one process, and an operator takes what its prefix takes more than the one before. A model without any
operator shows what a call costs by itself. ONNX Runtime's own profiler tells its nodes, in whole microseconds.
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

from benchmarks.operators import Operator, onnx_operators, tflite_operators
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
    operators: tuple[Operator, ...]
    call_us: float  # the engine's call, whole
    dispatch_us: float  # a call that computes nothing
    features: tuple[str, ...]  # of the CPU
    peaks_per_ns: dict[str, float]  # multiply-accumulates, by type

    @property
    def shares(self) -> dict[str, float]:
        """Of the call's time, by what it is spent on; the largest first."""
        spent = {DISPATCH: max(self.dispatch_us, 0.0), CONVERSION: 0.0, ARITHMETIC: 0.0, MOVING: 0.0}
        for each in self.operators:
            spent[_category(each)] += max(each.microseconds, 0.0)
        total = sum(spent.values())
        return dict(sorted(((name, each / total) for name, each in spent.items()), key=lambda pair: -pair[1]))

    @property
    def of_peak(self) -> float | None:
        """The arithmetic's multiply-accumulates a second, of this CPU's peak."""
        busy = [each for each in self.operators if _category(each) == ARITHMETIC]
        peak = self.peaks_per_ns.get("int8" if self.is_integer else "float32")
        taken = sum(max(each.microseconds, 0.0) for each in busy)
        return sum(each.macs for each in busy) / (1000 * taken) / peak if peak and taken else None

    @property
    def is_integer(self) -> bool:
        """Whether most of the arithmetic is on integers."""
        macs = [(each.macs, each.integer) for each in self.operators]
        return sum(count for count, integer in macs if integer) > sum(count for count, integer in macs if not integer)

    @property
    def verdict(self) -> str:
        """One sentence: what limits it, with its share."""
        limit, share = next(iter(self.shares.items()))
        heaviest = max(self.operators, key=lambda each: each.microseconds)
        said = f"{share:.0%} of {self.call_us:.1f} us is {limit}"
        if limit == ARITHMETIC:
            peak = f" at {self.of_peak:.0%} of this CPU's peak" if self.of_peak else ""
            without = self.is_integer and not _DOT_PRODUCT & set(self.features)
            why = "; the CPU has no dot-product instruction, without which int8 gains little" if without else ""
            said += f"{peak}, most of it {heaviest.name} ({heaviest.microseconds:.1f} us){why}"
        elif limit == DISPATCH:
            said += f": the engine's own overhead, before any operator; the heaviest is {heaviest.name}"
        elif limit == CONVERSION:
            said += ": quantizing and dequantizing between operators; a full-int8 model has none of it"
        else:
            said += f": pooling, reshaping and copying, most of it {heaviest.name}"
        slow = [each for each in self.operators if each.fast_path is False]
        return said + (f"; {len(slow)} of {len(self.operators)} operators are not on the fast path" if slow else "")


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
    found = profile(model_of(options.model or newest_model().with_name("model_int8.tflite")), options.engine)
    if options.json:
        print_json(as_document(found))
    else:
        print(screen(found))
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
    tell = onnx_operators if model.manifest.format == "onnx" else tflite_operators
    operators, call, dispatch = in_child(_quietly, tell, chosen, model.data)
    progress("")
    return Profile(path.name, chosen, operators, call, dispatch, describe().features, peaks())


def _quietly(tell: Callable[[str, bytes], _R], engine: str, data: bytes) -> _R:
    with quiet():  # engines greet on stderr
        return tell(engine, data)


def _category(each: Operator) -> str:
    if each.macs:
        return ARITHMETIC
    return CONVERSION if each.kind in _CONVERTING else MOVING


def as_document(found: Profile) -> dict[str, Any]:
    """For `--json`."""
    told = {"verdict": found.verdict, "shares": found.shares, "of_peak": found.of_peak}
    return told | asdict(found)


def screen(found: Profile) -> str:
    """For people: the sentence, then every operator."""
    peak = found.peaks_per_ns.get("int8" if found.is_integer else "float32")
    rows = [
        ("(a call that computes nothing)", "", f"{found.dispatch_us:.2f}", _share(found.dispatch_us, found), *[""] * 3)
    ]
    for each in found.operators:
        speed = each.macs / (1000 * each.microseconds) if each.macs and each.microseconds > 0 else None
        rows.append(
            (
                each.name,
                each.kind,
                f"{each.microseconds:.2f}",
                _share(each.microseconds, found),
                f"{each.macs:,}" if each.macs else "",
                f"{speed:.1f}" + (f" ({speed / peak:.0%})" if peak else "") if speed else "",
                {True: "yes", False: "no", None: ""}[each.fast_path],
            )
        )
    head = ("operator", "kind", "us", "share", "MACs", "MACs/ns (of peak)", "fast path")
    peaks_told = ", ".join(f"{name} {value:.0f}" for name, value in found.peaks_per_ns.items())
    features = ", ".join(found.features) or "none that matter"
    return f"{paragraph(f'{found.model} on {found.engine}: {found.verdict}')}\n\n{table(head, rows)}\n\n" + paragraph(
        f"CPU features: {features}; peak, multiply-accumulates a nanosecond: {peaks_told or 'not measured'}"
    )


def _share(microseconds: float, found: Profile) -> str:
    return f"{microseconds / found.call_us:.0%}"


if __name__ == "__main__":
    sys.exit(main())
