"""The paths of the Open Inference Protocol, version 2; what stands in their bodies is in `inference`."""

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from edgecnn import __version__
from edgecnn.serve.bodies import read_body
from edgecnn.serve.inference import PLATFORM, Answer, infer, metadata
from edgecnn.serve.metrics import Metrics
from edgecnn.serve.model import ServedModel, version_of
from edgecnn.serve.pool import Pool
from edgecnn.serve.refusal import CLOSE, RefusalError
from edgecnn.serve.responses import json_response

_JSON_LENGTH = "Inference-Header-Content-Length"


class InferenceProtocol:
    """The paths below /v2.

    Args:
        served: the model.
        pool: the threads that answer.
        metrics: counts the answers.

    Attributes:
        leaving: whether the server ends; you may set it.
    """

    def __init__(self, served: ServedModel, pool: Pool, metrics: Metrics) -> None:
        self._served, self._pool, self._metrics = served, pool, metrics
        self.leaving = False

    def routes(self) -> list[BaseRoute]:
        """The paths."""
        model = "/v2/models/{model}"
        routes: list[BaseRoute] = [
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
        ]
        for path in (model, f"{model}/versions/{{version}}"):
            routes += [
                Route(path, self.model),
                Route(f"{path}/ready", self.model_ready),
                Route(f"{path}/infer", self.infer, methods=["POST"]),
            ]
        return routes

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
        return json_response(metadata(self._served.classifier))

    async def model_ready(self, request: Request) -> Response:
        """Whether the model takes requests."""
        self._check_name(request)
        return await self.ready(request)

    async def infer(self, request: Request) -> Response:
        """The answer to a request for an inference."""
        self._check_name(request)
        octets = await read_body(request)
        start = time.perf_counter()
        answer = await self._pool.run(infer, self._served.classifier, octets, request.headers.get(_JSON_LENGTH))
        self._metrics.count_answers("infer", time.perf_counter() - start, answer.predictions)
        return _inferred(answer)

    def _check_name(self, request: Request) -> None:
        """Refuse a request for another model.

        Raises:
            RefusalError: with the name of the one that is here.
        """
        classifier, asked = self._served.classifier, request.path_params
        if asked["model"] != classifier.manifest.name:
            raise RefusalError(404, f"there is no such model; the one here is {classifier.manifest.name}", CLOSE)
        if asked.get("version", version_of(classifier)) != version_of(classifier):
            raise RefusalError(404, f"there is no such version; the one here is {version_of(classifier)}", CLOSE)


def _inferred(answer: Answer) -> Response:
    if not answer.json_length:
        return Response(answer.body, media_type="application/json")
    headers = {_JSON_LENGTH: str(answer.json_length)}
    return Response(answer.body, headers=headers, media_type="application/octet-stream")
