"""`Classifier`: a model file, an engine, and raw pixels in, label out."""

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.answers import THRESHOLD, as_probabilities, columns
from edgecnn.engine_loading import load_engine
from edgecnn.errors import EdgecnnError, warn
from edgecnn.interpreters import Array, Engine, TensorSpec
from edgecnn.manifest import Manifest
from edgecnn.modelfile import ModelFile, read_model
from edgecnn.pixels import dequantize, writer
from edgecnn.shipped import SHIPPED

if TYPE_CHECKING:
    from concurrent.futures import Future

_CHUNK = 32  # images that a worker of `predict_batch` takes at once: fewer, and passing them on costs more than they do


class Prediction:
    """What the model says of one image; probabilities are worked out when they are asked for.

    Attributes:
        index: of the most probable label, among the manifest's labels.
        label: that label.
    """

    __slots__ = ("_manifest", "_stored", "_tensor", "index", "label")

    def __init__(self, index: int, stored: Array, tensor: TensorSpec, manifest: Manifest) -> None:
        self.label, self.index = manifest.labels[index], index
        self._stored, self._tensor, self._manifest = stored, tensor, manifest

    @property
    def labels(self) -> tuple[str, ...]:
        """What the image shows: the label; of a multi-label model each that is more probable than not, or none."""
        return tuple(self.above(THRESHOLD)) if self._manifest.multi_label else (self.label,)

    def above(self, threshold: float) -> dict[str, float]:
        """The labels more probable than the threshold, each with its probability."""
        named = zip(self._manifest.labels, self.probabilities.tolist(), strict=True)
        return {label: probability for label, probability in named if probability > threshold}

    @property
    def probability(self) -> float:
        """Of the label, 0 to 1."""
        return float(self.probabilities[self.index])

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """Of all labels, float32, (labels,)."""
        return as_probabilities(dequantize(self._stored, self._tensor), self._manifest.output)

    def document(self, threshold: float = THRESHOLD) -> dict[str, Any]:
        """For JSON: the label and its probability; of a multi-label model the labels above the threshold too."""
        said = {"label": self.label, "probability": round(self.probability, 6)}
        if not self._manifest.multi_label:
            return said
        return said | {"labels": {label: round(value, 6) for label, value in self.above(threshold).items()}}

    def __repr__(self) -> str:
        return f"Prediction(label={self.label!r}, index={self.index}, probability={self.probability:.6f})"


class Classifier:
    """An image classifier for raw uint8 pixels.

    Threads may share one: each that calls it gets an interpreter of its own. So may processes: after a fork the child
    makes its own. As a context manager it is closed at the end.

    Args:
        path: a `.tflite` or `.onnx` file written by edgecnn, or a folder of them, of which the one is taken that
            `edgecnn tune` chose on this device. Without a path, the MNIST classifier inside this package.
        engine: `litert`, `tflite`, `onnx`, `native`, or `auto` for the best one present that runs the file, `native`
            excepted: a library is loaded only where it is asked for, or chosen by `edgecnn tune`.
        threads: threads for one inference, no more than there are cores; 1 where nothing is said, or what
            `edgecnn tune` chose.

    Attributes:
        path: the model file.
        manifest: what the file says of itself.
        engine: the name of the engine that was taken.
        threads: threads for one inference.
        batch: images that the file takes at once.

    Raises:
        EdgecnnError: the file is missing, damaged or has no manifest; the engine is not installed or cannot run it;
            threads is no whole number of 1 or more.
    """

    def __init__(self, path: Path | str = SHIPPED, engine: str = "auto", threads: int | None = None) -> None:
        path = Path(path)
        if path.is_dir():
            from edgecnn.selection import choose

            path, engine, threads = choose(path, engine, threads)
        self._open(read_model(path), engine, 1 if threads is None else threads)

    @classmethod
    def of(cls, model: ModelFile, engine: str = "auto", threads: int = 1) -> "Classifier":
        """A classifier for a model file that is already in memory."""
        made = cls.__new__(cls)
        made._open(model, engine, threads)
        return made

    def _open(self, model: ModelFile, engine: str, threads: int) -> None:
        self.path = model.path
        threads = usable_threads(threads)
        self.manifest: Manifest = model.manifest
        self.threads = threads
        self._model: ModelFile | None = model
        self._own, self._loading = threading.local(), threading.Lock()
        self.engine, first = load_engine(engine, model.data, self.manifest.format, str(model.path), threads)
        self._own.engine = first
        height, width, channels = shape = self.manifest.input.shape
        self._shapes = (shape, (height, width)) if channels == 1 else (shape,)
        self.batch = first.input.shape[0]
        self._input, self._output = first.input, first.output
        self._planes = self.manifest.input.layout == "NCHW"
        self._check_ends(str(model.path))
        self._write = writer(self.manifest.input, first.input)
        self._one_unit = self.manifest.output == "sigmoid"
        _OPEN.add(self)

    def close(self) -> None:
        """Let go of the interpreters; what is asked afterwards is an EdgecnnError."""
        self._model, self._own = None, threading.local()

    def __enter__(self) -> "Classifier":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _engine(self) -> Engine:
        """The interpreter of the thread that asks: two threads in one would read each other's answers."""
        mine: Engine | None = getattr(self._own, "engine", None)
        if mine is None:
            own = self._own
            with self._loading:
                model = self._model  # another thread may close it meanwhile
                if model is None:
                    raise EdgecnnError("this classifier is closed: open the model again")
                _, mine = load_engine(self.engine, model.data, self.manifest.format, str(self.path), self.threads)
            own.engine = mine
        return mine

    def _renew(self) -> None:
        """In a child after a fork: the parent's interpreters have lost their threads, and are not touched again."""
        _LEFT_ALONE.append(self._own)
        self._own, self._loading = threading.local(), threading.Lock()

    def _check_ends(self, source: str) -> None:
        height, width, channels = self._shapes[0]
        image = (height, width, channels) if self.manifest.input.layout == "NHWC" else (channels, height, width)
        ends = (self._input.shape, self._output.shape)
        values = columns(self.manifest.output, len(self.manifest.labels))
        if ends != ((self.batch, *image), (self.batch, values)):
            raise EdgecnnError(
                f"{source} maps {ends[0]} to {ends[1]}, which is not what its manifest says: make it again"
            )

    def predict(self, image: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one image.

        Args:
            image: raw pixels, uint8, shape (height, width, channels), or (height, width) with one channel.

        Raises:
            EdgecnnError: the image has another shape or dtype, or the model's answer is not a number.
        """
        engine = self._engine()
        self._place(engine.feed()[0], image)
        try:
            engine.invoke()
        except Exception as error:  # engines raise whatever they like
            raise _failed(error) from None
        return self._read(engine.result()[0])

    def predict_batch(self, images: Iterable[npt.NDArray[np.uint8]], workers: int = 1) -> Iterator[Prediction]:
        """Classify images as they are asked for, as `predict` does each, without holding more than a few.

        Args:
            images: any iterable of images, also one that never ends.
            workers: threads that share the work, each with an interpreter of its own; no more than there are cores.
                The engines work outside Python's lock, so that the larger the network, the more is gained.

        Yields:
            A prediction an image, in their order.

        Raises:
            EdgecnnError: as `predict` does, at the image concerned.
        """
        return self._stream(iter(images), usable_threads(workers, "workers"))

    def _stream(self, waiting: Iterator[npt.NDArray[np.uint8]], workers: int) -> Iterator[Prediction]:
        if workers == 1:
            while chunk := list(islice(waiting, self.batch)):
                yield from self._predict_all(chunk)
            return
        from concurrent.futures import ThreadPoolExecutor

        running: deque[Future[list[Prediction]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            while chunk := list(islice(waiting, _CHUNK * self.batch)):
                running.append(pool.submit(self._predict_chunk, chunk))
                if len(running) == 2 * workers:
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()

    def _predict_chunk(self, images: list[npt.NDArray[np.uint8]]) -> list[Prediction]:
        waiting = iter(images)
        return [
            found
            for _ in range(0, len(images), self.batch)
            for found in self._predict_all(list(islice(waiting, self.batch)))
        ]

    def _predict_all(self, images: list[npt.NDArray[np.uint8]]) -> list[Prediction]:
        """Classify no more images than the file takes at once."""
        for slot, image in enumerate(images):
            self.load(image, slot)
        self.invoke()
        return [self.answer(slot) for slot in range(len(images))]

    def load(self, image: npt.NDArray[np.uint8], slot: int = 0) -> None:
        """Check raw pixels and write them into a place of the engine's input: the first third of `predict`."""
        self._place(self._engine().feed()[slot], image)

    def _place(self, place: Array, image: npt.NDArray[np.uint8]) -> None:
        if type(image) is not np.ndarray or image.dtype != np.uint8 or image.shape not in self._shapes:
            image = np.asarray(image)
            if image.dtype != np.uint8 or image.shape not in self._shapes:
                raise EdgecnnError(_wrong_image(image, self._shapes[0]))
        if image.ndim == 2:
            image = image[..., np.newaxis]
        self._write(image, place.transpose(1, 2, 0) if self._planes else place)

    @property
    def output_step(self) -> float | None:
        """The step between two values of the output where it is quantized; None where it is float."""
        return self._output.scale if self._output.dtype.kind != "f" else None

    def invoke(self) -> None:
        """Run the engine on what was loaded: the second third of `predict`."""
        engine = self._engine()
        try:
            engine.invoke()
        except Exception as error:
            raise _failed(error) from None

    def answer(self, slot: int = 0) -> Prediction:
        """Read a place of the engine's output: the last third of `predict`."""
        return self._read(self._engine().result()[slot])

    def _read(self, place: Array) -> Prediction:
        largest = int(place.argmax())  # of a quantized output too: its values keep their order
        stored = place.copy()
        if stored[largest] != stored[largest]:  # argmax takes a NaN for the largest
            raise EdgecnnError("the model's answer is not a number (NaN): its weights are damaged; convert it again")
        index = int(dequantize(stored, self._output)[0] > THRESHOLD) if self._one_unit else largest
        return Prediction(index, stored, self._output, self.manifest)


def usable_threads(threads: int, name: str = "threads") -> int:
    """As many of the threads as there are cores to run them, with a warning where that is fewer.

    A number that nobody meant would take every process slot of the machine.

    Raises:
        EdgecnnError: it is not a whole number of 1 or more.
    """
    wanted = bounds.whole(threads, name, 1)
    if wanted == 1:
        return 1
    from edgecnn.device import cores  # what it imports takes time that one thread need not wait for

    most = cores()
    if wanted > most:
        warn(f"{name} is {wanted}, and this process may use {most} core{'s' if most > 1 else ''}: taking {most}")
    return min(wanted, most)


def _failed(error: Exception) -> EdgecnnError:
    """What an engine said of a model that it opened and cannot run."""
    return EdgecnnError(f"the engine cannot run the model ({bounds.short(str(error), 300)}): make or convert it again")


def _wrong_image(pixels: Array, shape: tuple[int, ...]) -> str:
    have, want = ("x".join(map(str, each)) for each in (pixels.shape, shape))
    return f"the image is {pixels.dtype} {have}; this model takes raw pixels: uint8 {want}, 0 to 255"


_OPEN: "weakref.WeakSet[Classifier]" = weakref.WeakSet()
_LEFT_ALONE: list[threading.local] = []


def _renew_all() -> None:
    for classifier in list(_OPEN):
        classifier._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
