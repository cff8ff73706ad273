"""What the page shows of the model, the server and the camera."""

from typing import Any

from edgecnn import __version__
from edgecnn.manifest import Manifest
from edgecnn.serve.camera import Camera
from edgecnn.serve.metrics import Metrics
from edgecnn.serve.model import ServedModel, version_of

_LABELS = 100  # that are named, of any number


def about(served: ServedModel, metrics: Metrics, camera: Camera | None) -> dict[str, Any]:
    """The document of the path /about."""
    classifier = served.classifier
    return _model(classifier.manifest) | {
        "version": version_of(classifier),
        "engine": classifier.engine,
        "threshold": classifier.threshold,
        "trouble": served.trouble,
        "latency": metrics.latency(),
        "answered": metrics.answered,
        "camera": camera and _camera(camera, metrics),
        "edgecnn": __version__,
    }


def _model(manifest: Manifest) -> dict[str, Any]:
    agreement = manifest.reported or manifest.agreement
    return {
        "name": manifest.name,
        "labels": manifest.labels[:_LABELS],
        "label_count": len(manifest.labels),
        "shape": manifest.input.shape,
        "draws": manifest.input.shape[2] == 1,
        "multi_label": manifest.multi_label,
        "quantization": manifest.quantization,
        "accuracy": agreement and {"share": agreement.accuracy, "images": agreement.images, "split": agreement.split},
        "dataset": manifest.training and manifest.training.dataset,
    }


def _camera(camera: Camera, metrics: Metrics) -> dict[str, Any]:
    findings = metrics.drift.findings() if metrics.drift else []
    changes = [f"{finding.kind} changed: {finding.words}" for finding in findings]
    return {"name": camera.live.name, "trouble": camera.trouble, "dropped": camera.live.dropped, "changes": changes}
