"""The Open Inference Protocol, version 2, for one model: what it takes and gives, and its answers.

It takes `image`, raw pixels, or `input`, what the network's own input stores; it gives `label` and `probabilities`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn import bounds
from edgecnn.classifier import Classifier
from edgecnn.prediction import Prediction
from edgecnn.serve.model import version_of
from edgecnn.serve.refusal import RefusalError
from edgecnn.serve.tensors import NAMES, Array, Body, parse_body, read_tensor, response_body, sole_input

IMAGES = 256  # of a request
IMAGE, INPUT, LABEL, PROBABILITIES = "image", "input", "label", "probabilities"
PLATFORM = "edgecnn"


@dataclass(frozen=True)
class Answer:
    """The body of a response, the length of its JSON if bytes are behind it, and the predictions."""

    body: bytes
    json_length: int
    predictions: list[Prediction]


def metadata(classifier: Classifier) -> dict[str, Any]:
    """The model's metadata; -1 stands for any number of images."""
    manifest, own = classifier.manifest, classifier.input_tensor
    inputs = [{"name": IMAGE, "datatype": "UINT8", "shape": [-1, *manifest.input.shape]}]
    if own.dtype in NAMES:
        inputs.append({"name": INPUT, "datatype": NAMES[own.dtype], "shape": [-1, *own.shape[1:]]})
    return {
        "name": manifest.name,
        "versions": [version_of(classifier)],
        "platform": f"{PLATFORM}_{classifier.engine}",
        "inputs": inputs,
        "outputs": [
            _described(LABEL) | {"shape": [-1]},
            _described(PROBABILITIES) | {"shape": [-1, len(manifest.labels)]},
        ],
    }


def infer(classifier: Classifier, octets: bytes, json_length: str | None) -> Answer:
    """Answer a request for an inference.

    Args:
        classifier: the model.
        octets: the body.
        json_length: the header `Inference-Header-Content-Length`, or None.

    Raises:
        RefusalError: the request is not one that this model takes.
        EdgecnnError: the model's answer is not a number.
    """
    body = parse_body(octets, json_length)
    wanted = _wanted(body)
    predictions = _predictions(classifier, body)
    values = {LABEL: _labels, PROBABILITIES: _probabilities}
    outputs = [(_described(name), values[name](predictions), is_binary) for name, is_binary in wanted]
    document = {"model_name": classifier.manifest.name, "model_version": version_of(classifier)}
    identifier = body.document.get("id")
    if isinstance(identifier, str) and identifier:
        document["id"] = identifier[: bounds.TEXT]
    return Answer(*response_body(document, outputs), predictions)


def _predictions(classifier: Classifier, body: Body) -> list[Prediction]:
    tensor = sole_input(body)
    if tensor.get("name") == IMAGE:
        images = read_tensor(tensor, "UINT8", classifier.manifest.input.shape, IMAGES, body.binary)
        return list(classifier.predict_batch(images))
    own = classifier.input_tensor
    if tensor.get("name") == INPUT and own.dtype in NAMES:
        stored = read_tensor(tensor, NAMES[own.dtype], own.shape[1:], IMAGES, body.binary)
        return [classifier.predict_stored(image.tobytes()) for image in stored]
    raise RefusalError(400, f"there is no input {bounds.short(tensor.get('name'))}: send 'image' or 'input'")


def _labels(predictions: list[Prediction]) -> Array:
    return np.array([prediction.label for prediction in predictions], dtype=object)


def _probabilities(predictions: list[Prediction]) -> Array:
    return np.array([prediction.probabilities for prediction in predictions], np.float32)


def _described(name: str) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES" if name == LABEL else "FP32"}


def _wanted(body: Body) -> list[tuple[str, bool]]:
    """The outputs that a request asks for, and whether each goes as bytes.

    Raises:
        RefusalError: there is no such output.
    """
    every = _flag(body.document, "binary_data_output")
    outputs = body.document.get("outputs") or [{"name": LABEL}, {"name": PROBABILITIES}]
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise RefusalError(400, "'outputs' is not a list of objects")
    wanted = {str(output.get("name")): _flag(output, "binary_data", every) for output in outputs[:3]}
    if unknown := set(wanted) - {LABEL, PROBABILITIES}:
        raise RefusalError(400, f"there is no output {bounds.short(min(unknown))}: ask for 'label' or 'probabilities'")
    return list(wanted.items())


def _flag(document: dict[str, Any], name: str, default: bool = False) -> bool:
    parameters = document.get("parameters")
    return bool(parameters.get(name, default)) if isinstance(parameters, dict) else default
