"""`Classifier`: a model file, an engine, and raw pixels in, label out."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from edgecnn import bounds
from edgecnn.answers import columns
from edgecnn.engine_loading import load_engine
from edgecnn.errors import EdgecnnError, NoCharacterError
from edgecnn.files import sha256
from edgecnn.image_input import Image, ImageInput
from edgecnn.interpreters import Engine, invoke
from edgecnn.manifest import Manifest
from edgecnn.modelfile import ModelFile, read_model
from edgecnn.prediction import Output, Prediction
from edgecnn.shipped import SHIPPED
from edgecnn.thread_engines import ThreadEngines
from edgecnn.workers import map_batches, usable_threads

_ARRAY, _UINT8 = np.ndarray, np.dtype(np.uint8)  # a look into numpy takes time


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
        _check_ends(self.path, self.manifest, first)
        self.input_tensor, self.batch = first.input, first.input.shape[0]
        self._output = Output(first.output, self.manifest, rejection.threshold if rejection else 0.0)
        self._input = ImageInput(self.manifest.input, first.input)
        self._shapes, self._put = self._input.shapes, self._input.put
        plain = self.batch == 1 and self.manifest.input.layout != "NCHW" and self.manifest.output != "sigmoid"
        self._takes_pixels = plain and hasattr(first, "classify")

    def close(self) -> None:
        """Release the engines; calls from then on raise an EdgecnnError."""
        self._engines.close()

    def __enter__(self) -> "Classifier":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
            image = self._input.checked(image)
        try:
            engine = self._engines.local.engine
        except AttributeError:
            engine = self._engines.get()
        if self._takes_pixels:
            index, stored = engine.classify(image.tobytes())
            return Prediction(index, stored, self._output)
        self._put(image, engine)
        invoke(engine)
        return self._output.read(engine.result()[0])

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
        engine = self._engines.get()
        self._input.put_stored(stored, engine)
        invoke(engine)
        return self._output.read(engine.result()[0])

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
        return self._output.unseen

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
        threads = usable_threads(workers, "workers")
        return map_batches(self._predict_at_once, iter(images), self.batch, threads)

    def _predict_at_once(self, images: list[Image]) -> list[Prediction]:
        """Classify no more images than the file takes at once."""
        if self.batch == 1:
            return [self.predict(images[0])]
        engine = self._engines.get()
        for number, image in enumerate(images):
            self._put(self._input.checked(image), engine, number)
        invoke(engine)
        return [self._output.read(output) for output in engine.result()[: len(images)]]

    def invoke(self) -> None:
        """Run the engine alone, on whatever its input holds: to time it."""
        try:
            engine = self._engines.local.engine
        except AttributeError:
            engine = self._engines.get()
        invoke(engine)


def _loaded(load: Any, engine: str) -> Engine:
    loaded: Engine = load(engine)[1]
    return loaded


def _check_ends(path: Path, manifest: Manifest, engine: Engine) -> None:
    """Check that a file's input and output are those of its manifest."""
    height, width, channels = manifest.input.shape
    image = (channels, height, width) if manifest.input.layout == "NCHW" else (height, width, channels)
    ends, batch = (engine.input.shape, engine.output.shape), engine.input.shape[0]
    if ends != ((batch, *image), (batch, columns(manifest.output, len(manifest.labels)))):
        raise EdgecnnError(f"{path} maps {ends[0]} to {ends[1]}, which is not what its manifest says: convert it again")
