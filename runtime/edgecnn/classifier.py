"""`Classifier`: a model file, an engine, and raw pixels in, label out."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.answers import THRESHOLD, columns
from edgecnn.engine_loading import load_engine
from edgecnn.errors import EdgecnnError, NoCharacterError
from edgecnn.files import sha256
from edgecnn.interpreters import Array, Engine
from edgecnn.modelfile import ModelFile, read_model
from edgecnn.pixels import dequantize, writer
from edgecnn.prediction import Output, Prediction
from edgecnn.shipped import SHIPPED
from edgecnn.thread_engines import ThreadEngines
from edgecnn.workers import map_chunks, usable_threads

_CHUNK = 32  # images that a worker of `predict_batch` gets at once: fewer, and passing them on costs more than they do
_NEVER = 2.0  # a threshold that no probability reaches
_ARRAY, _UINT8 = np.ndarray, np.dtype(np.uint8)  # a look into numpy takes time
Image = npt.NDArray[np.uint8]


class Classifier:
    """An image classifier for raw uint8 pixels.

    Threads may share one: each thread that calls it gets an engine of its own. So does a child process after a fork.
    As a context manager it closes at the end.

    Args:
        path: a `.tflite` or `.onnx` file written by edgecnn, or a folder of them, for the model that `edgecnn tune`
            chose there on this device. By default, the MNIST classifier inside this package.
        engine: `litert`, `tflite`, `onnx`, `native`, or `auto` for the best installed one that runs the file. `auto`
            never chooses `native`: a library is loaded only if you, or `edgecnn tune`, name it.
        threads: threads for one inference, no more than there are cores; by default 1, or what `edgecnn tune` chose.

    Attributes:
        path: the model file.
        manifest: the file's manifest.
        sha256: the SHA-256 of the file, in hexadecimal.
        engine: the name of the engine.
        threads: threads for one inference.
        batch: images that the file takes at once.
        input_tensor: the file's own input.
        threshold: answers less probable are `unknown`; you may set it. It begins as the manifest's (`python -m train
            --reject`), and is 0 where that has none: every answer is then a label.

    Raises:
        EdgecnnError: the file is missing, damaged or has no manifest; the engine is not installed or cannot run it;
            threads is not a whole number of 1 or more.
    """

    def __init__(self, path: Path | str = SHIPPED, engine: str = "auto", threads: int | None = None) -> None:
        path = Path(path)
        if path.is_dir():
            from edgecnn.selection import choose

            path, engine, threads = choose(path, engine, threads)
        self._open(read_model(path), engine, 1 if threads is None else threads)

    @classmethod
    def of(cls, model: ModelFile, engine: str = "auto", threads: int = 1) -> "Classifier":
        """A classifier for a model file in memory."""
        classifier = cls.__new__(cls)
        classifier._open(model, engine, threads)
        return classifier

    def _open(self, model: ModelFile, engine: str, threads: int) -> None:
        self.path, self.manifest, self.threads = model.path, model.manifest, usable_threads(threads)
        self.sha256 = sha256(model.data)
        load = partial(
            load_engine,
            data=model.data,
            model_format=self.manifest.format,
            source=str(model.path),
            threads=self.threads,
        )
        self.engine, first = load(engine)
        self._engines = ThreadEngines(partial(_loaded, load, self.engine), first)
        rejection = self.manifest.rejection
        self.input_tensor = first.input
        self._output = Output(first.output, self.manifest, rejection.threshold if rejection else 0.0)
        self.batch = first.input.shape[0]
        height, width, channels = shape = self.manifest.input.shape
        self._shapes = (shape, (height, width)) if channels == 1 else (shape,)
        self._planes = self.manifest.input.layout == "NCHW"
        self._check_ends(first)
        self._write = writer(self.manifest.input, first.input)
        self._one_unit = self.manifest.output == "sigmoid"
        self._takes_pixels = hasattr(first, "classify") and not (self._one_unit or self._planes or self.batch > 1)

    def close(self) -> None:
        """Release the engines; calls from then on raise an EdgecnnError."""
        self._engines.close()

    def __enter__(self) -> "Classifier":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_ends(self, engine: Engine) -> None:
        height, width, channels = self._shapes[0]
        image = (channels, height, width) if self._planes else (height, width, channels)
        ends = (engine.input.shape, engine.output.shape)
        values = columns(self.manifest.output, len(self.manifest.labels))
        if ends != ((self.batch, *image), (self.batch, values)):
            raise EdgecnnError(
                f"{self.path} maps {ends[0]} to {ends[1]}, which is not what its manifest says: convert it again"
            )

    @property
    def threshold(self) -> float:
        """Answers less probable are `unknown`."""
        return self._output.threshold

    @threshold.setter
    def threshold(self, threshold: float) -> None:
        self._output = replace(self._output, threshold=bounds.number(threshold, "threshold", 0, 1))

    @property
    def output_step(self) -> float | None:
        """The step between two values of a quantized output; None for a float one."""
        return self._output.tensor.scale if self._output.tensor.dtype.kind != "f" else None

    def predict(self, image: Image) -> Prediction:
        """Classify one image.

        Args:
            image: raw pixels, uint8, shape (height, width, channels), or (height, width) with one channel.

        Raises:
            EdgecnnError: the image has another shape or dtype, or the model's answer is not a number.
        """
        if type(image) is not _ARRAY or image.dtype is not _UINT8 or image.shape not in self._shapes:
            image = self._checked(image)
        try:
            engine = self._engines.local.engine
        except AttributeError:
            engine = self._engines.get()
        if self._takes_pixels:
            index, stored = engine.classify(image.tobytes())
            return Prediction(index, stored, self._output)
        self._write(image if image.ndim == 3 else image[..., np.newaxis], self._slot(engine, 0))
        _invoke(engine)
        return self._read(engine.result()[0])

    def classify(self, picture: Any, most: int | None = None) -> Prediction:
        """Classify a picture of any size; the model's input is made from it as the manifest says. Needs Pillow.

        Args:
            picture: the path or the bytes of an image file, a Pillow image, or pixels: uint8, (height, width) or
                (height, width, 3).
            most: pixels of an image file.

        Returns:
            The prediction; `unseen` if the model takes characters and the picture shows none.

        Raises:
            EdgecnnError: Pillow is not installed, the file is missing or does not decode.
        """
        from edgecnn.decoding import MOST_PIXELS  # not for who has raw pixels
        from edgecnn.images import fit_image, read_image

        is_file, wanted = isinstance(picture, str | Path | bytes), self.manifest.input
        try:
            pixels = read_image(picture, wanted, most or MOST_PIXELS) if is_file else fit_image(picture, wanted)
            return self.predict_fitted(pixels)
        except NoCharacterError:
            return self.unseen

    def predict_stored(self, stored: bytes) -> Prediction:
        """Classify one image that is the network's own input already.

        Args:
            stored: the bytes of an image as `input_tensor` stores it.

        Raises:
            EdgecnnError: they are too few or too many, or the model's answer is not a number.
        """
        engine, tensor = self._engines.get(), self.input_tensor
        values = np.frombuffer(stored, tensor.dtype) if len(stored) % tensor.dtype.itemsize == 0 else np.empty(0)
        if values.size != math.prod(tensor.shape[1:]):
            raise EdgecnnError(f"the input has {len(stored):,} bytes; this model takes {tensor.shape} {tensor.dtype}")
        np.copyto(engine.feed()[0], values.reshape(tensor.shape[1:]))
        _invoke(engine)
        return self._read(engine.result()[0])

    def predict_fitted(self, image: Image) -> Prediction:
        """Classify what `read_image` or `fit_image` gave; of a character in a frame, several views (`edgecnn.views`).

        Args:
            image: as in `predict`.

        Raises:
            EdgecnnError: as `predict` does.
        """
        if not self.manifest.input.frame:
            return self.predict(image)
        from edgecnn.views import views  # with Pillow

        return Prediction.mean([self.predict(view) for view in views(image)])

    @property
    def unseen(self) -> Prediction:
        """The prediction for a picture without a character: `unknown`, and no label is probable."""
        tensor = self._output.tensor
        stored = np.full(tensor.shape[1:], tensor.zero_point, tensor.dtype)
        return Prediction(0, stored.tobytes(), replace(self._output, threshold=_NEVER))

    def predict_batch(self, images: Iterable[Image], workers: int = 1) -> Iterator[Prediction]:
        """Classify images one by one as `predict` does, and hold no more than a few of them.

        Args:
            images: any iterable of images, also an endless one.
            workers: threads that share the work, each with an engine of its own; no more than there are cores. Engines
                run outside Python's lock: the larger the network, the larger the gain.

        Yields:
            A prediction an image, in their order.

        Raises:
            EdgecnnError: as `predict` does, at the image concerned.
        """
        pending, workers = iter(images), usable_threads(workers, "workers")
        if workers > 1:
            return map_chunks(self._predict_chunk, pending, _CHUNK * self.batch, workers)
        return self._predict_each(pending)

    def _predict_each(self, images: Iterator[Image]) -> Iterator[Prediction]:
        while batch := list(islice(images, self.batch)):
            yield from self._predict_at_once(batch)

    def _predict_chunk(self, images: list[Image]) -> list[Prediction]:
        return list(self._predict_each(iter(images)))

    def _predict_at_once(self, images: list[Image]) -> list[Prediction]:
        """Classify no more images than the file takes at once."""
        if self.batch == 1:
            return [self.predict(images[0])]
        engine = self._engines.get()
        for number, image in enumerate(images):
            pixels = self._checked(image)
            self._write(pixels if pixels.ndim == 3 else pixels[..., np.newaxis], self._slot(engine, number))
        _invoke(engine)
        return [self._read(engine.result()[number]) for number in range(len(images))]

    def invoke(self) -> None:
        """Run the engine alone, on whatever its input holds: to time it."""
        try:
            engine = self._engines.local.engine
        except AttributeError:
            engine = self._engines.get()
        try:
            engine.invoke()
        except Exception as error:
            raise _failure(error) from None

    def _checked(self, image: Any) -> Image:
        """An image as an array of uint8.

        Raises:
            EdgecnnError: it has another shape or dtype.
        """
        pixels = np.asarray(image)
        if pixels.dtype != _UINT8 or pixels.shape not in self._shapes:
            raise EdgecnnError(_wrong_image(pixels, self._shapes[0]))
        return pixels

    def _slot(self, engine: Engine, number: int) -> Array:
        """The place of an image in the engine's input, as (height, width, channels)."""
        place: Array = engine.feed()[number]
        return place.transpose(1, 2, 0) if self._planes else place

    def _read(self, output: Array) -> Prediction:
        """The prediction of an image from its output, (labels,) as stored."""
        largest = int(output.argmax())  # of a quantized output too: storing keeps the order
        if output[largest] != output[largest]:  # argmax stops at a NaN
            raise EdgecnnError("the model's answer is not a number (NaN): its weights are damaged; convert it again")
        index = int(dequantize(output, self._output.tensor)[0] > THRESHOLD) if self._one_unit else largest
        return Prediction(index, output.tobytes(), self._output)


def _loaded(load: Any, engine: str) -> Engine:
    loaded: Engine = load(engine)[1]
    return loaded


def _invoke(engine: Engine) -> None:
    try:
        engine.invoke()
    except Exception as error:
        raise _failure(error) from None


def _failure(error: Exception) -> EdgecnnError:
    """The error for a call that failed; engines raise whatever they like."""
    return EdgecnnError(f"the engine cannot run the model ({bounds.short(str(error), 300)}): convert it again")


def _wrong_image(pixels: Array, shape: tuple[int, ...]) -> str:
    have, want = ("x".join(map(str, sides)) for sides in (pixels.shape, shape))
    return f"the image is {pixels.dtype} {have}; this model takes raw pixels: uint8 {want}, 0 to 255"
