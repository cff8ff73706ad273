"""What answers the requests, from the first one to the last."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from edgecnn.serve.access import HINT
from edgecnn.serve.camera import Camera
from edgecnn.serve.metrics import CONTENT_TYPE, Metrics
from edgecnn.serve.model import ServedModel
from edgecnn.serve.pictures import Pictures
from edgecnn.serve.pool import Pool
from edgecnn.serve.protocol import InferenceProtocol
from edgecnn.serve.refusal import RefusalError


class Application:
    """All paths, and what runs behind them.

    Args:
        served: the model.
        pool: the threads that answer.
        metrics: counts the answers.
        camera: the camera, or None.
    """

    def __init__(self, served: ServedModel, pool: Pool, metrics: Metrics, camera: Camera | None) -> None:
        self._served, self._pool, self._metrics, self._camera = served, pool, metrics, camera
        self._protocol = InferenceProtocol(served, pool, metrics)

    def router(self) -> Router:
        """The paths."""
        pictures = Pictures(self._served, self._pool, self._metrics, self._camera)
        routes = [*pictures.routes(), Route("/metrics", self.prometheus), *self._protocol.routes()]
        return Router(routes, redirect_slashes=False, default=_nothing)

    async def prometheus(self, request: Request) -> Response:
        """The metrics."""
        return Response(self._metrics.text(), headers={"content-type": CONTENT_TYPE})

    def start(self) -> None:
        """Begin to follow the model's file and the camera; called in the server's loop."""
        self._served.follow()
        if self._camera:
            self._camera.start()

    async def leave(self) -> None:
        """Let those who wait for a frame go, and take no more requests; those that run go on."""
        self._protocol.leaving = True
        if self._camera:
            await asyncio.get_running_loop().run_in_executor(None, self._camera.close)

    def close(self) -> None:
        """End the threads."""
        self._served.close()
        self._pool.close()


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RefusalError(404, f"there is nothing here: {HINT}")
