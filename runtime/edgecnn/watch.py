"""Classify a stream of images, a line of JSON a frame; its cost is shown on stderr.

The source is a folder that fills, a video file, the Raspberry Pi's camera (csi, csi:1), a USB camera (0, /dev/video0),
auto for the first camera there is, the URL of a stream, or - for raw frames on stdin. It goes on until the source ends,
or Ctrl-C or SIGTERM comes; a camera or stream that is lost is waited for. An answer less probable than the classifier's
threshold is "unknown".
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from edgecnn.answer_options import answering_of, publishing
from edgecnn.clock import Ticks, cpu_ticks
from edgecnn.command import OK, stream_json
from edgecnn.frames import Frame
from edgecnn.manifest import Input
from edgecnn.memory import memory_mb
from edgecnn.model_opening import open_model
from edgecnn.pace import paced
from edgecnn.sources import open_frames

STATUS_SECONDS = 10.0


@dataclass
class Meter:
    """The cost of the stream since the last status."""

    frames: int = 0
    dropped: int = 0  # of a camera, since newer ones had come
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
            *([f"{self.dropped} dropped"] if self.dropped else []),
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
    answering = answering_of(classifier, options.source, options)
    signal.signal(signal.SIGTERM, _interrupt)
    meter = Meter()
    try:
        with publishing(options, classifier.manifest.labels) as publish:
            for number, frame in enumerate(paced(_frames(options, classifier.manifest.input), options.fps)):
                start = time.perf_counter()
                message = answering.message(frame)
                meter.dropped += frame.dropped
                meter.frames, meter.busy = meter.frames + 1, meter.busy + frame.seconds + time.perf_counter() - start
                if answering.is_owed(message):
                    publish(message)
                    stream_json(message)
                if start - meter.since >= STATUS_SECONDS:
                    print(meter.status(), file=sys.stderr)
                    meter = Meter()
                if number + 1 == options.frames:
                    break
    except KeyboardInterrupt:  # the usual end of such a stream
        pass
    print(meter.status(), file=sys.stderr)
    return OK


def _frames(options: argparse.Namespace, wanted: Input) -> Iterator[Frame]:
    return open_frames(
        options.source, wanted, options.size, options.new_only, options.fps, options.pixels, options.stride
    )


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
