"""What the commands print about one conversion."""

from pathlib import Path

from convert.conversion import Conversion
from convert.model_card import flips, model_entry, remarks, split_entry
from convert.parent import Parent
from convert.proof import Proof
from edgecnn.command import table
from edgecnn.modelfile import find_manifest

HEAD = ("engine", "accuracy", "flips", "McN. p", "max diff", "mean diff", "test", "flips", "verdict")


def summary(conversion: Conversion, parent: Parent, output: Path) -> str:
    """A conversion for people: size, rewrites, and a row for each engine."""
    written = output if conversion.passed else "NOTHING WRITTEN"
    trained_on = ", seen in training" if parent.validation.source and parent.validation.source.trained_on else ""
    random = [f"rewrites compared on {conversion.random:,} random images, and on validation"]
    lines = [
        f"{parent.path} -> {written}",
        _size(conversion),
        *conversion.notes,
        *(random if conversion.random else []),
        f"against its parent on {len(parent.validation):,} validation images{trained_on}",
        "",
        table(HEAD, [_row(engine, proof) for engine, proof in conversion.proofs.items()]),
        *_unknown(conversion),
        *remarks([model_entry(conversion, output)]),
    ]
    return "\n".join(lines)


def _unknown(conversion: Conversion) -> list[str]:
    """Lines on probabilities and on `unknown` answers, for the engine that the threshold was set on."""
    manifest = find_manifest("the conversion", conversion.data)
    rejection = manifest.rejection if manifest else None
    _, proof = conversion.reference()
    lines = [""]
    for split, report in {"validation": proof.validation, "test": proof.evaluation}.items():
        if rejection and report and report.reliability:
            lines.append(f"{split}: {report.reliability.calibration_words(rejection)}")
            lines.append(f"{split}: unknown {report.reliability.coverage_words(rejection.threshold)}")
    return lines if len(lines) > 1 else []


def _size(conversion: Conversion) -> str:
    contents = conversion.contents
    operators = f"{contents.operators} operators, {contents.integer_share:.0%} of them on integers"
    kept = f", in float: {', '.join(conversion.kept)}" if conversion.kept else ""
    return f"{len(conversion.data):,} bytes, {operators}, {contents.parameters:,} parameters{kept}"


def _row(engine: str, proof: Proof | str) -> tuple[str, ...]:
    if isinstance(proof, str):
        return (engine, *[""] * 7, "does not run it")
    validation = split_entry(proof.validation)
    test = proof.evaluation and split_entry(proof.evaluation)
    return (
        engine,
        f"{validation['accuracy']:.4f}",
        flips(validation),
        f"{validation['mcnemar_p']:.2f}",
        f"{proof.largest_difference:.1e}",
        f"{proof.mean_difference:.1e}",
        f"{test['accuracy']:.4f}" if test else "",
        flips(test) if test else "",
        "   ".join((validation["verdict"], *validation["failures"])),
    )
