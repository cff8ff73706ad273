"""The card of the models that the wheel holds, from their own manifests."""

from edgecnn import SHIPPED, SMALL
from edgecnn.confidence import wilson
from edgecnn.escape import for_markdown
from edgecnn.manifest import Agreement, Training
from edgecnn.modelfile import ModelFile, read_model


def shipped_cards() -> str:
    """Markdown: both models."""
    return "\n".join(shipped_card(read_model(path)) for path in (SHIPPED, SMALL))


def shipped_card(model: ModelFile) -> str:
    """Markdown: the model, its training, its accuracy, its purpose."""
    manifest = model.manifest
    height, width, channels = manifest.input.shape
    labels = for_markdown(", ".join(manifest.labels))
    name, quantization = for_markdown(manifest.name), for_markdown(manifest.quantization)
    lines = [
        f"# {for_markdown(model.path.name)}",
        "",
        f"A classifier of {name}, {quantization} for {manifest.format}: {height}x{width}x{channels}"
        f" raw pixels (uint8) to {labels}. {len(model.data):,} bytes.",
        "",
        "| | |",
        "| --- | --- |",
    ]
    rows: list[tuple[str, str]] = []
    if training := manifest.training:
        rows += [
            ("recipe", f"{training.recipe}, {training.epochs} epochs, seed {training.seed}"),
            ("teachers", _teachers(training)),
            ("commit", training.commit or "unknown"),
            ("data", f"{training.dataset}, SHA-256 {training.dataset_sha256}"),
            ("validation images", "trained on" if training.trained_on_validation else "not trained on"),
        ]
        rows += [(f"float model, {split}", f"{value:.4f}") for split, value in training.accuracy.items()]
    rows += [_row(agreement) for agreement in (manifest.agreement, manifest.reported) if agreement]
    rows.append(("weights", f"SHA-256 {manifest.weights_sha256}"))
    if manifest.calibration:
        calibration = manifest.calibration
        rows.append(("calibration", f"{calibration.images:,} images, SHA-256 {calibration.sha256}"))
    rows.append(("rewrites", ", ".join(manifest.rewrites) or "none"))
    rows.append(("made with", ", ".join(f"{name} {version}" for name, version in manifest.tools.items())))
    lines += [f"| {for_markdown(name)} | {for_markdown(value)} |" for name, value in rows]
    lines += [
        "",
        "It was trained on single handwritten digits, light on dark, as MNIST frames them (`edgecnn classify` frames"
        " any picture of one digit so). Of anything else it gives some digit, and no sign that it is none. The test"
        " split was looked at once, after the training.",
        "",
    ]
    return "\n".join(lines)


def _teachers(training: Training) -> str:
    if training.parent_sha256:
        return f"its parent, of the weights SHA-256 {training.parent_sha256}; made for {training.budget}"
    return f"seeds {', '.join(map(str, training.teacher_seeds))}" if training.teacher_seeds else "none"


def _row(agreement: Agreement) -> tuple[str, str]:
    low, high = wilson(agreement.accuracy, agreement.images)
    flips = f"of the float model's right answers {agreement.lost} lost, {agreement.gained} gained"
    accuracy = f"{agreement.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f})"
    return f"int8, {agreement.split}, on {agreement.engine}", f"{accuracy}, {flips}"
