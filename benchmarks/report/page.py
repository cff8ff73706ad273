"""The report's page, from its findings and its charts."""

import base64
import io
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.report import charts
from benchmarks.report.findings import Findings, Flip
from edgecnn.scores import scores_of
from edgecnn.subject import FULL

_TEMPLATES = Path(__file__).parent


def render(findings: Findings) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    fastest, names = findings.fastest, findings.manifest.labels
    labels = np.asarray(findings.evaluation.labels)
    return environment.get_template("page.html").render(
        findings=findings,
        fastest=fastest,
        flips=[(_png(flip.pixels), _caption(flip)) for flip in findings.flips],
        mistakes=[(_png(mistake.pixels), mistake) for mistake in findings.mistakes],
        accuracy_chart=_markup(charts.accuracy_against_latency(findings)),
        latency_chart=_markup(charts.latency_distributions(findings)),
        layer_charts={name: _markup(charts.layer_noise(layers)) for name, layers in findings.layers.items() if layers},
        confusion_chart=_markup(charts.confusion(labels, fastest.answers, names)),
        scores=scores_of(labels, fastest.answers, names),
        boards=_boards(findings.boards) if findings.boards else None,
        full=FULL,
        front_chart=_markup(charts.front(findings.front)) if findings.front else "",
    )


def _markup(svg: str) -> markupsafe.Markup:
    """SVG that the template does not escape: our own, not a user's text."""
    return markupsafe.Markup(svg)


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    """An image as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(buffer, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _caption(flip: Flip) -> dict[str, Any]:
    """The caption of a flipped image, in parts."""
    gained = flip.label in flip.answers
    return {
        "index": flip.index,
        "label": flip.label,
        "parent": flip.parent,
        "others": ", ".join(flip.answers),
        "kind": "gained" if gained else "lost" if flip.parent == flip.label else "changed",
        "models": {answer: ", ".join(names) for answer, names in flip.answers.items()},
    }


def _boards(arm: dict[str, Any]) -> dict[str, Any]:
    """The counted trials by engine and model, then by board; and whether all boards passed."""
    counted = [trial for trial in arm["trials"] if trial["instructions"]]
    names = list(dict.fromkeys(trial["board"] for trial in counted))
    rows: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for trial in counted:
        rows.setdefault((trial["engine"], trial["model"]), {})[trial["board"]] = trial
    return {"names": names, "rows": rows, "passed": all(trial["passed"] for trial in arm["trials"])}
