"""`Classifier`: a model file, an engine, and raw pixels in, label out."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn.engines import Array, load_engine
from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest
from edgecnn.modelfile import ModelFile, read_model
from edgecnn.pixels import dequantize, input_table, softmax


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image."""

    label: str
    index: int  # of the label, among the manifest's labels
    probability: float  # of that label, 0 to 1
    probabilities: npt.NDArray[np.float32]  # (classes,)


class Classifier:
    """An image classifier for raw uint8 pixels.

    Args:
        path: a `.tflite` or `.onnx` file written by edgecnn.
        engine: `litert`, `tflite`, `onnx`, or `auto` for the best one present that runs the file.
        threads: threads for one inference.

    Attributes:
        manifest: what the file says of itself.
        engine: the name of the engine that was taken.

    Raises:
        EdgecnnError: the file is missing, damaged or has no manifest; the engine is not installed or cannot run it.
    """

    def __init__(self, path: Path | str, engine: str = "auto", threads: int = 1) -> None:
        self._open(read_model(path), engine, threads)

    @classmethod
    def of(cls, model: ModelFile, engine: str = "auto", threads: int = 1) -> "Classifier":
        """A classifier for a model file that is already in memory."""
        made = cls.__new__(cls)
        made._open(model, engine, threads)
        return made

    def _open(self, model: ModelFile, engine: str, threads: int) -> None:
        self.manifest: Manifest = model.manifest
        self.engine, self._engine = load_engine(engine, model.data, self.manifest.format, str(model.path), threads)
        height, width, channels = shape = self.manifest.input.shape
        self._shapes = (shape, (height, width)) if channels == 1 else (shape,)
        self._batch = self._engine.input.shape[0]
        self._check_ends(str(model.path))
        self._table = input_table(self.manifest.input, self._engine.input)

    def _check_ends(self, source: str) -> None:
        height, width, channels = self._shapes[0]
        image = (height, width, channels) if self.manifest.input.layout == "NHWC" else (channels, height, width)
        ends = (self._engine.input.shape, self._engine.output.shape)
        if ends != ((self._batch, *image), (self._batch, len(self.manifest.labels))):
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
        self.load(image)
        self.invoke()
        return self.answer()

    def predict_batch(self, images: Iterable[npt.NDArray[np.uint8]]) -> Iterator[Prediction]:
        """Classify images as they are asked for, as `predict` does each; as many at once as the file takes."""
        waiting = iter(images)
        while chunk := list(islice(waiting, self._batch)):
            for slot, image in enumerate(chunk):
                self.load(image, slot)
            self.invoke()
            for slot in range(len(chunk)):
                yield self.answer(slot)

    def load(self, image: npt.NDArray[np.uint8], slot: int = 0) -> None:
        """Check raw pixels and write them into a place of the engine's input: the first third of `predict`."""
        pixels = np.asarray(image)
        if pixels.dtype != np.uint8 or pixels.shape not in self._shapes:
            raise EdgecnnError(_wrong_image(pixels, self._shapes[0]))
        pixels = pixels.reshape(self._shapes[0])
        feed = self._engine.feed()[slot]
        if self.manifest.input.layout == "NCHW":
            feed = feed.transpose(1, 2, 0)
        if self._table is None:
            feed[...] = pixels
        elif len(self._table) == 1:
            np.take(self._table[0], pixels, out=feed, mode="clip")
        else:
            for channel, row in enumerate(self._table):
                feed[..., channel] = row[pixels[..., channel]]

    @property
    def output_step(self) -> float | None:
        """The step between two values of the output where it is quantized; None where it is float."""
        return self._engine.output.scale if self._engine.output.dtype.kind != "f" else None

    def invoke(self) -> None:
        """Run the engine on what was loaded: the second third of `predict`."""
        self._engine.invoke()

    def answer(self, slot: int = 0) -> Prediction:
        """Read a place of the engine's output: the last third of `predict`."""
        values = dequantize(self._engine.result()[slot], self._engine.output)
        probabilities = values if self.manifest.output == "probabilities" else softmax(values)
        index = int(probabilities.argmax())
        probability = float(probabilities[index])
        if math.isnan(probability):  # argmax takes a NaN for the largest
            raise EdgecnnError("the model's answer is not a number (NaN): its weights are damaged; convert it again")
        return Prediction(self.manifest.labels[index], index, probability, probabilities)


def _wrong_image(pixels: Array, shape: tuple[int, ...]) -> str:
    have, want = ("x".join(map(str, each)) for each in (pixels.shape, shape))
    return f"the image is {pixels.dtype} {have}; this model takes raw pixels: uint8 {want}, 0 to 255"
