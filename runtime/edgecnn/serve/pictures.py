"""The page, and the answers to pictures: those that a browser or a program sends, and those of the camera."""

import json
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from edgecnn.classifier import Classifier
from edgecnn.message import answer_message
from edgecnn.prediction import Prediction
from edgecnn.serve.about import about
from edgecnn.serve.bodies import read_body
from edgecnn.serve.camera import Camera
from edgecnn.serve.metrics import Metrics
from edgecnn.serve.model import ServedModel
from edgecnn.serve.page import page
from edgecnn.serve.pool import Pool
from edgecnn.serve.refusal import CLOSE, RefusalError
from edgecnn.serve.responses import json_response

_PIXELS = 50_000_000  # of a picture: those of the largest telephones
_SOURCE = "http"  # of a picture, in its message
_PATIENCE = 5.0  # seconds that a request for the next frame waits
_PLAIN = ("", "application/octet-stream", "application/x-www-form-urlencoded")  # the last is curl's --data-binary


class Pictures:
    """The paths /, /about, /classify and /camera.

    Args:
        served: the model.
        pool: the threads that answer.
        metrics: counts the answers.
        camera: the camera, or None.
    """

    def __init__(self, served: ServedModel, pool: Pool, metrics: Metrics, camera: Camera | None) -> None:
        self._served, self._pool, self._metrics, self._camera = served, pool, metrics, camera

    def routes(self) -> list[BaseRoute]:
        """The paths."""
        return [
            Route("/", self.page),
            Route("/about", self.about),
            Route("/classify", self.classify, methods=["POST"]),
            Route("/camera", self.frame),
        ]

    async def page(self, request: Request) -> Response:
        """The page."""
        text, headers = page()
        return Response(text, headers=headers, media_type="text/html")

    async def about(self, request: Request) -> Response:
        """What the page shows."""
        return json_response(about(self._served, self._metrics, self._camera))

    async def classify(self, request: Request) -> Response:
        """The answer to a picture, whose bytes are the body."""
        _check_kind(request)
        octets = await read_body(request)
        if not octets:
            raise RefusalError(400, "the body is empty: send the bytes of a picture (curl --data-binary @FILE)")
        start = time.perf_counter()
        classifier, metrics = self._served.classifier, self._metrics
        prediction, seconds = await self._pool.run(_classified, classifier, octets)
        metrics.count_answers("picture", time.perf_counter() - start, [prediction])
        return json_response(answer_message(classifier, prediction, _SOURCE, str(metrics.answered), seconds))

    async def frame(self, request: Request) -> Response:
        """The next frame of the camera, with its answer in the header `edgecnn-answer`."""
        camera = self._camera
        if camera is None:
            raise RefusalError(404, "there is no camera: start edgecnn serve with --camera")
        view = await camera.next_view(_number(request), _PATIENCE)
        if view is None:
            if camera.trouble:
                raise RefusalError(503, camera.trouble, {"retry-after": "2"})
            return Response(status_code=204)
        picture = await self._pool.run(camera.jpeg, view)
        answer = json.dumps(view.message, ensure_ascii=True)
        headers = {"edgecnn-answer": answer, "edgecnn-frame": str(view.number), "cache-control": "no-store"}
        return Response(picture, headers=headers, media_type="image/jpeg")


def _check_kind(request: Request) -> None:
    """Refuse a body that says it is no picture."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _PLAIN and not kind.startswith("image/"):
        raise RefusalError(415, f"{kind[:60]} is not read here: send the bytes of a picture (image/jpeg)", CLOSE)


def _number(request: Request) -> int:
    """The number of the frame that a browser has; -1 if it has none."""
    after = request.query_params.get("after", "")
    return int(after) if after.isascii() and after.isdecimal() and len(after) < 16 else -1


def _classified(classifier: Classifier, octets: bytes) -> tuple[Prediction, float]:
    """The answer to a picture, and the seconds that it took without the waiting."""
    start = time.perf_counter()
    prediction = classifier.classify(octets, _PIXELS)
    return prediction, time.perf_counter() - start
