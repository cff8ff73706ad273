"""The paths of the server and their answers."""

import json
import time
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from edgecnn import __version__
from edgecnn.classifier import Classifier
from edgecnn.drift import Drift
from edgecnn.escape import for_json
from edgecnn.manifest import Manifest
from edgecnn.message import answer_message
from edgecnn.prediction import Prediction
from edgecnn.serve.access import HINT
from edgecnn.serve.bodies import read_body
from edgecnn.serve.camera import Camera
from edgecnn.serve.inference import PLATFORM, Answer, infer, metadata
from edgecnn.serve.metrics import CONTENT_TYPE, Metrics
from edgecnn.serve.model import ServedModel, version_of
from edgecnn.serve.page import page
from edgecnn.serve.pool import Pool
from edgecnn.serve.refusal import CLOSE, RefusalError

PIXELS = 50_000_000  # of a picture: those of the largest telephones
_PATIENCE = 5.0  # seconds that a request for the next frame waits
SOURCE = "http"  # of a picture, in its message
_JSON_LENGTH = "Inference-Header-Content-Length"
_PLAIN = ("", "application/octet-stream", "application/x-www-form-urlencoded")  # the last is curl's --data-binary


def json_response(document: Any) -> Response:
    """A document as JSON."""
    text = for_json(json.dumps(document, ensure_ascii=True))
    return Response(text, headers={"cache-control": "no-store"}, media_type="application/json")


@dataclass
class Application:
    """What answers the requests.

    Attributes:
        served: the model.
        pool: the threads that answer.
        metrics: counts the answers.
        camera: the camera, or None.
        leaving: whether the server ends.
    """

    served: ServedModel
    pool: Pool
    metrics: Metrics
    camera: Camera | None
    leaving: bool = False

    def router(self) -> Router:
        """The paths."""
        model = "/v2/models/{model}"
        version = f"{model}/versions/{{version}}"
        routes: list[BaseRoute] = [
            Route("/", self.page),
            Route("/about", self.about),
            Route("/classify", self.classify, methods=["POST"]),
            Route("/camera", self.frame),
            Route("/metrics", self.prometheus),
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
        ]
        for path in (model, version):
            routes += [
                Route(path, self.model),
                Route(f"{path}/ready", self.model_ready),
                Route(f"{path}/infer", self.infer, methods=["POST"]),
            ]
        return Router(routes, redirect_slashes=False, default=_nothing)

    async def page(self, request: Request) -> Response:
        """The page."""
        text, headers = page()
        return Response(text, headers=headers, media_type="text/html")

    async def about(self, request: Request) -> Response:
        """What the page says of the model, the server and the camera."""
        classifier, camera = self.served.classifier, self.camera
        document = _model_facts(classifier.manifest) | {
            "version": version_of(classifier),
            "engine": classifier.engine,
            "threshold": classifier.threshold,
            "trouble": self.served.trouble,
            "latency": self.metrics.latency(),
            "answered": self.metrics.answered,
            "camera": camera and _camera_facts(camera, self.metrics.drift),
            "edgecnn": __version__,
        }
        return json_response(document)

    async def classify(self, request: Request) -> Response:
        """The answer to a picture, whose bytes are the body."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _PLAIN and not kind.startswith("image/"):
            raise RefusalError(415, f"{kind[:60]} is not read here: send the bytes of a picture (image/jpeg)", CLOSE)
        octets = await read_body(request)
        if not octets:
            raise RefusalError(400, "the body is empty: send the bytes of a picture (curl --data-binary @FILE)")
        start = time.perf_counter()
        classifier = self.served.classifier
        prediction, seconds = await self.pool.run(_classified, classifier, octets)
        self.metrics.count_answers("picture", time.perf_counter() - start, [prediction])
        return json_response(answer_message(classifier, prediction, SOURCE, str(self.metrics.answered), seconds))

    async def frame(self, request: Request) -> Response:
        """The next frame of the camera, with its answer in the header `edgecnn-answer`."""
        if self.camera is None:
            raise RefusalError(404, "there is no camera: start edgecnn serve with --camera")
        after = request.query_params.get("after", "-1")
        number = int(after) if after.isascii() and after.isdecimal() and len(after) < 16 else -1
        view = await self.camera.next_view(number, _PATIENCE)
        if view is None:
            reason = self.camera.trouble
            if reason:
                raise RefusalError(503, reason, {"retry-after": "2"})
            return Response(status_code=204)
        picture = await self.pool.run(self.camera.jpeg, view)
        answer = json.dumps(view.message, ensure_ascii=True)
        headers = {"edgecnn-answer": answer, "edgecnn-frame": str(view.number), "cache-control": "no-store"}
        return Response(picture, headers=headers, media_type="image/jpeg")

    async def prometheus(self, request: Request) -> Response:
        """The metrics."""
        return Response(self.metrics.text(), headers={"content-type": CONTENT_TYPE})

    async def server(self, request: Request) -> Response:
        """The server's metadata."""
        return json_response({"name": PLATFORM, "version": __version__, "extensions": ["binary_tensor_data"]})

    async def live(self, request: Request) -> Response:
        """Whether the server lives."""
        return Response()

    async def ready(self, request: Request) -> Response:
        """Whether the server takes requests."""
        if self.leaving:
            raise RefusalError(503, "the server ends")
        return Response()

    async def model(self, request: Request) -> Response:
        """The model's metadata."""
        self._check_name(request)
        return json_response(metadata(self.served.classifier))

    async def model_ready(self, request: Request) -> Response:
        """Whether the model takes requests."""
        self._check_name(request)
        return await self.ready(request)

    async def infer(self, request: Request) -> Response:
        """The answer to a request for an inference."""
        self._check_name(request)
        octets = await read_body(request)
        start = time.perf_counter()
        answer = await self.pool.run(infer, self.served.classifier, octets, request.headers.get(_JSON_LENGTH))
        self.metrics.count_answers("infer", time.perf_counter() - start, answer.predictions)
        return _inferred(answer)

    def _check_name(self, request: Request) -> None:
        """Refuse a request for another model.

        Raises:
            RefusalError: with the name of the one that is here.
        """
        classifier, asked = self.served.classifier, request.path_params
        if asked["model"] != classifier.manifest.name:
            raise RefusalError(404, f"there is no such model; the one here is {classifier.manifest.name}", CLOSE)
        if asked.get("version", version_of(classifier)) != version_of(classifier):
            raise RefusalError(404, f"there is no such version; the one here is {version_of(classifier)}", CLOSE)


def _classified(classifier: Classifier, octets: bytes) -> tuple[Prediction, float]:
    """The answer to a picture, and the seconds that it took without the waiting."""
    start = time.perf_counter()
    prediction = classifier.classify(octets, PIXELS)
    return prediction, time.perf_counter() - start


def _inferred(answer: Answer) -> Response:
    if not answer.json_length:
        return Response(answer.body, media_type="application/json")
    headers = {_JSON_LENGTH: str(answer.json_length)}
    return Response(answer.body, headers=headers, media_type="application/octet-stream")


def _model_facts(manifest: Manifest) -> dict[str, Any]:
    agreement = manifest.reported or manifest.agreement
    return {
        "name": manifest.name,
        "labels": manifest.labels[:100],
        "label_count": len(manifest.labels),
        "shape": manifest.input.shape,
        "draws": manifest.input.shape[2] == 1,
        "multi_label": manifest.multi_label,
        "quantization": manifest.quantization,
        "accuracy": agreement and {"share": agreement.accuracy, "images": agreement.images, "split": agreement.split},
        "dataset": manifest.training and manifest.training.dataset,
    }


def _camera_facts(camera: Camera, drift: Drift | None) -> dict[str, Any]:
    findings = drift.findings() if drift else []
    changes = [f"{finding.kind} changed: {finding.words}" for finding in findings]
    return {"name": camera.live.name, "trouble": camera.trouble, "dropped": camera.live.dropped, "changes": changes}


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RefusalError(404, f"there is nothing here: {HINT}")
