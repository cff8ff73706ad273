"""The report's page, of its facts and its pictures."""

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
from benchmarks.report.facts import Facts, Flip
from edgecnn.subject import FULL

_TEMPLATES = Path(__file__).parent


def render(facts: Facts) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    fastest = facts.fastest
    return environment.get_template("page.html").render(
        facts=facts,
        fastest=fastest,
        flips=[(_png(flip.pixels), _words(flip)) for flip in facts.flips],
        accuracy_chart=_markup(charts.accuracy_against_latency(facts)),
        latency_chart=_markup(charts.latency_distributions(facts)),
        layer_charts={name: _markup(charts.layer_noise(layers)) for name, layers in facts.layers.items() if layers},
        confusion_chart=_markup(
            charts.confusion(np.asarray(facts.evaluation.labels), fastest.answers, facts.manifest.labels)
        ),
        boards=_boards(facts.boards) if facts.boards else None,
        full=FULL,
    )


def _markup(svg: str) -> markupsafe.Markup:
    """Text that the template takes as it is: ours, not a user's."""
    return markupsafe.Markup(svg)


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    """An image as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(buffer, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _words(flip: Flip) -> dict[str, Any]:
    """What is told of a flipped image."""
    others = ", ".join(flip.answers)
    gained = flip.label in flip.answers
    kind = "gained" if gained else "lost" if flip.parent == flip.label else "changed"
    who = {answer: ", ".join(names) for answer, names in flip.answers.items()}
    return {"index": flip.index, "label": flip.label, "parent": flip.parent, "others": others, "kind": kind, "who": who}


def _boards(arm: dict[str, Any]) -> dict[str, Any]:
    """Instructions by board of each model that was counted, and how the boards' answers compared."""
    counted = [each for each in arm["trials"] if each["instructions"]]
    names = list(dict.fromkeys(each["board"] for each in counted))
    rows: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for each in counted:
        rows.setdefault((each["engine"], each["model"]), {})[each["board"]] = each
    return {"names": names, "rows": rows, "passed": all(each["passed"] for each in arm["trials"])}
