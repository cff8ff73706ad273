"""TFLite interpreters as engines: those of ai-edge-litert and of tflite-runtime have the same API."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.interpreters import TensorSpec, check_image_size, sole_ends


class TfliteEngine:
    """A model in a TFLite interpreter.

    Args:
        module: has the class `Interpreter`.
        model: the file that `data` was read from; not read again.
        data: the model.
        threads: threads for one inference.
    """

    def __init__(self, module: str, model: Path, data: bytes, threads: int) -> None:
        self._interpreter = importlib.import_module(module).Interpreter(model_content=data, num_threads=threads)
        self._fix_batch()
        self._interpreter.allocate_tensors()
        entry, exit_ = sole_ends(self._interpreter.get_input_details(), self._interpreter.get_output_details())
        self.input, self.output = _tensor_spec(entry), _tensor_spec(exit_)
        self.feed = self._interpreter.tensor(entry["index"])
        self.result = self._interpreter.tensor(exit_["index"])
        self.invoke = self._interpreter.invoke

    def _fix_batch(self) -> None:
        """Set a batch that the model leaves open to one image."""
        for details in self._interpreter.get_input_details():
            shape, signature = (list(map(int, details[name])) for name in ("shape", "shape_signature"))
            sides = zip(shape[1:], signature[1:], strict=False)  # an absent signature is empty
            check_image_size([None if known < 2 and side == -1 else known for known, side in sides])
            if signature[:1] == [-1] and shape[0] != 1:
                self._interpreter.resize_tensor_input(details["index"], [1, *shape[1:]])


def _tensor_spec(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    shape = tuple(int(side) for side in details["shape"])
    return TensorSpec(shape, np.dtype(details["dtype"]), scale or 1.0, zero_point)
