"""Classify a stream of images, a line of JSON a frame; its cost is shown on stderr.

The source is a folder that fills, a video file, a camera (0, /dev/video0), the URL of a stream, or - for raw frames on
stdin. It goes on until the source ends, or Ctrl-C or SIGTERM comes; a camera or stream that is lost is an error. An
answer less probable than the classifier's threshold is "unknown".
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from edgecnn.classifier import Classifier
from edgecnn.clock import Ticks, cpu_ticks
from edgecnn.command import OK, stream_json
from edgecnn.errors import EdgecnnError
from edgecnn.frames import Frame, awaited, folder_frames, raw_frames
from edgecnn.manifest import Input
from edgecnn.memory import memory_mb
from edgecnn.model_opening import open_model
from edgecnn.prediction import Prediction
from edgecnn.video import is_camera, is_url, video_frames

STATUS_SECONDS = 10.0


@dataclass
class Meter:
    """The cost of the stream since the last status."""

    frames: int = 0
    busy: float = 0.0  # seconds spent on frames
    since: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)
    ticks: Ticks | None = field(default_factory=cpu_ticks)

    def status(self) -> str:
        """Frames a second; the share of the time spent on frames; CPU of this process; idle CPU of all; memory."""
        seconds = max(time.perf_counter() - self.since, 1e-9)
        parts = [
            f"{self.frames} frames in {seconds:.1f} s",
            f"{self.frames / seconds:.1f} a second",
            f"duty cycle {self.busy / seconds:.1%}",
            f"{(time.process_time() - self.cpu) / seconds:.1%} of a core",
        ]
        ticks, memory = cpu_ticks(), memory_mb()
        if ticks and self.ticks and ticks.total > self.ticks.total:
            parts.append(f"idle CPU {(ticks.idle - self.ticks.idle) / (ticks.total - self.ticks.total):.1%}")
        if memory:
            parts.append(f"memory {memory} MB")
        return ", ".join(parts)


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn watch`."""
    classifier = open_model(options.model, options.engine, options.threads, options.threshold)
    signal.signal(signal.SIGTERM, _interrupt)
    meter = Meter()
    try:
        for number, frame in enumerate(_paced(_open(options, classifier.manifest.input), options.fps)):
            start = time.perf_counter()
            document = answer(classifier, frame)
            meter.frames, meter.busy = meter.frames + 1, meter.busy + frame.seconds + time.perf_counter() - start
            stream_json(document)
            if start - meter.since >= STATUS_SECONDS:
                print(meter.status(), file=sys.stderr)
                meter = Meter()
            if number + 1 == options.frames:
                break
    except KeyboardInterrupt:  # the usual end of such a stream
        pass
    print(meter.status(), file=sys.stderr)
    return OK


def answer(classifier: Classifier, frame: Frame) -> dict[str, Any]:
    """The document that is printed for a frame."""
    document = {"time": round(time.time(), 3), "frame": frame.name}
    if frame.error:
        return document | {"label": None, "error": frame.error}
    start = time.perf_counter()
    prediction = _prediction(classifier, frame)
    seconds = frame.seconds + time.perf_counter() - start
    return document | prediction.document() | {"ms": round(1000 * seconds, 3)}


def _prediction(classifier: Classifier, frame: Frame) -> Prediction:
    if frame.pixels is None:
        return classifier.unseen
    return classifier.predict(frame.pixels) if frame.raw else classifier.predict_fitted(frame.pixels)


def _open(options: argparse.Namespace, wanted: Input) -> Iterator[Frame]:
    source = Path(options.source)
    if options.new_only and not source.is_dir():
        raise EdgecnnError("--new-only is for a folder: leave it out")
    if options.source == "-":
        return raw_frames(sys.stdin.buffer, wanted, options.size)
    if options.size:
        raise EdgecnnError("--size is for raw frames on stdin: leave it out")
    if source.is_dir():
        waiting = awaited(source, options.new_only)
        if waiting:
            print(waiting, file=sys.stderr)
        return folder_frames(source, wanted, options.new_only)
    if not (source.exists() or is_camera(options.source) or is_url(options.source)):
        raise EdgecnnError(f"{source} does not exist: name a folder, a video, a camera (0) or -")
    if source.is_fifo():  # which OpenCV waits for, and Ctrl-C with it
        raise EdgecnnError(f"{source} is a pipe: send raw frames to stdin (edgecnn watch - < {source})")
    return video_frames(options.source, wanted)


def _paced(frames: Iterator[Frame], fps: float | None) -> Iterator[Frame]:
    """No more than `fps` frames a second."""
    due = time.perf_counter()
    for frame in frames:
        yield frame
        if fps:
            due = max(due + 1 / fps, time.perf_counter() - 1 / fps)  # missed frames are not caught up with
            time.sleep(max(0.0, due - time.perf_counter()))


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
