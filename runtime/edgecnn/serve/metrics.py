"""What Prometheus reads, and the latencies so far for the page."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from edgecnn.clock import clock
from edgecnn.drift import KINDS as KINDS_OF_DRIFT
from edgecnn.drift import Drift
from edgecnn.message import Message
from edgecnn.prediction import UNKNOWN, Prediction
from edgecnn.serve.model import ServedModel, version_of
from edgecnn.serve.pool import Pool
from edgecnn.serve.refusal import KINDS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds
_RECENT = 1000  # requests
_CLOCK_SECONDS = 5.0  # the board's firmware is asked no more often

Families = Iterator[CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily]


class Metrics:
    """Counts, a histogram of latency, and what the board, the model and the camera report."""

    def __init__(self, served: ServedModel, pool: Pool, camera: Any = None) -> None:
        self._served, self._pool, self._camera = served, pool, camera
        self._registry, self._lock = CollectorRegistry(), threading.Lock()
        self._answers = Counter("edgecnn_answers", "Answers by label.", ["label"], registry=self._registry)
        self._errors = Counter("edgecnn_errors", "Refused requests by kind.", ["kind"], registry=self._registry)
        self._seconds = Histogram(
            "edgecnn_latency_seconds", "From a request's last byte to its answer, by kind.", ["kind"],
            registry=self._registry, buckets=_BUCKETS,
        )  # fmt: skip
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self.answered = 0
        self.drift: Drift | None = None  # of the camera's frames
        self._clock, self._clock_read = clock(), time.monotonic()
        self._registry.register(self)

    def count_answers(self, kind: str, seconds: float, predictions: Iterable[Prediction]) -> None:
        """Count the answers of a request."""
        with self._lock:
            self._seconds.labels(kind).observe(seconds)
            self._recent.append(seconds)
            for prediction in predictions:
                self._count(prediction.labels)

    def count_message(self, kind: str, message: Message) -> None:
        """Count the answer to a frame that nobody requested."""
        with self._lock:
            self._seconds.labels(kind).observe(message["ms"] / 1000)
            self._count(message.get("labels", (message["label"],)))

    def _count(self, labels: Iterable[str]) -> None:
        self.answered += 1
        for label in tuple(labels) or (UNKNOWN,):
            self._answers.labels(label).inc()

    def count_error(self, status: int) -> None:
        """Count a refusal."""
        self._errors.labels(KINDS.get(status, "other")).inc()

    def latency(self) -> dict[str, float] | None:
        """The median and the 95th percentile of the latest requests, in milliseconds; None before the first."""
        with self._lock:
            ordered = sorted(self._recent)
        if not ordered:
            return None
        return {f"p{share}": round(1000 * ordered[(len(ordered) - 1) * share // 100], 3) for share in (50, 95)}

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        text: bytes = generate_latest(self._registry)
        return text

    def collect(self) -> Families:
        """What is so now."""
        classifier = self._served.classifier
        manifest = classifier.manifest
        facts = {"name": manifest.name, "version": version_of(classifier), "engine": classifier.engine}
        yield InfoMetricFamily("edgecnn_model", "The model.", facts | {"quantization": manifest.quantization})
        yield CounterMetricFamily("edgecnn_model_replacements", "Models taken over.", self._served.replaced)
        trouble = float(self._served.trouble is not None)
        yield GaugeMetricFamily("edgecnn_model_trouble", "1 if the newest model file is not served.", trouble)
        yield GaugeMetricFamily("edgecnn_requests", "Requests that run or wait.", self._pool.requests)
        yield from self._board()
        if self._camera:
            yield from _camera(self._camera)
        if self.drift:
            yield from _drift(self.drift)

    def _board(self) -> Families:
        if time.monotonic() - self._clock_read > _CLOCK_SECONDS:
            self._clock, self._clock_read = clock(), time.monotonic()
        if self._clock.celsius is not None:
            yield GaugeMetricFamily("edgecnn_temperature_celsius", "Of the CPU.", self._clock.celsius)
        causes = GaugeMetricFamily("edgecnn_throttled", "1 for what holds the CPU back now.", labels=["cause"])
        for cause in self._clock.held_back:
            causes.add_metric([cause], 1)
        yield causes

    def describe(self) -> list[Any]:
        """Nothing: families are collected on demand."""
        return []


def _camera(camera: Any) -> Families:
    yield CounterMetricFamily("edgecnn_frames", "Frames of the camera.", camera.arrived)
    yield CounterMetricFamily("edgecnn_frames_dropped", "Frames that nobody had time for.", camera.dropped)
    yield CounterMetricFamily("edgecnn_camera_reconnections", "Times that it came back.", camera.reconnections)
    trouble = float(camera.trouble is not None)
    yield GaugeMetricFamily("edgecnn_camera_trouble", "1 if the camera sends nothing.", trouble)


def _drift(drift: Drift) -> Families:
    index = GaugeMetricFamily(
        "edgecnn_drift_index", "Population stability index against validation.", labels=["statistic"]
    )
    for name, figure in drift.indices().items():
        index.add_metric([name], figure)
    yield index
    changed = GaugeMetricFamily("edgecnn_drift", "1 if more than chance has changed since validation.", labels=["kind"])
    named = {finding.kind for finding in drift.findings()}
    for kind in KINDS_OF_DRIFT:
        changed.add_metric([kind], float(kind in named))
    yield changed
