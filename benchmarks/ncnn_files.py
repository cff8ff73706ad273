"""The files of a network for ncnn, whose own converter needs PyTorch: convolutions, pooling and dense layers.

Source: ncnn's documentation, param-and-model-file-structure and operators.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError

_MAGIC = 7767517
_NO_LAYER = ("InputLayer", "Flatten", "Dropout")  # of Keras; ncnn's dense layer flattens by itself
_POOLING = "0=0 1=2 2=2 5=1"  # maximum, kernel, stride, no padding


def write_ncnn(folder: Path) -> None:
    """Write FOLDER/plain_float32.param and .bin from the model.keras beside FOLDER; call it in a process of its own.

    Raises:
        EdgecnnError: the network has another kind of layer.
    """
    import keras

    model = keras.models.load_model(folder.parent / "model.keras")
    rows, weights, last, shape = ["Input image 0 1 image"], b"", "image", model.input_shape[1:]
    for layer in model.layers:
        if type(layer).__name__ in _NO_LAYER:
            continue
        kind, options, arrays = _layer(layer, shape)
        rows.append(f"{kind} {layer.name} 1 1 {last} {layer.name} {options}")
        weights += _bytes(arrays)
        last, shape = layer.name, layer.output.shape[1:]
    rows.append(f"Softmax softmax 1 1 {last} answer 0=0")
    (folder / "plain_float32.param").write_text("\n".join([str(_MAGIC), f"{len(rows)} {len(rows)}", *rows, ""]))
    (folder / "plain_float32.bin").write_bytes(weights)


def _layer(layer: Any, shape: tuple[int, ...]) -> tuple[str, str, list[npt.NDArray[Any]]]:
    """Ncnn's kind of a layer, its options and its weights; `shape` is that of the layer's input, without the batch."""
    kind = type(layer).__name__
    if kind == "Conv2D":
        kernel, bias = layer.get_weights()
        options = f"0={kernel.shape[3]} 1={kernel.shape[0]} 5=1 6={kernel.size} 9=1"
        return "Convolution", options, [kernel.transpose(3, 2, 0, 1), bias]
    if kind == "MaxPooling2D":
        return "Pooling", _POOLING, []
    if kind == "Dense":
        kernel, bias = layer.get_weights()
        if len(shape) == 3:  # Keras flattens height, width, channels; ncnn channels, height, width
            kernel = kernel.reshape(*shape, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        relu = int(layer.activation.__name__ == "relu")
        return "InnerProduct", f"0={kernel.shape[1]} 1=1 2={kernel.size} 9={relu}", [kernel.T, bias]
    raise EdgecnnError(f"no files for ncnn: {layer.name} is a {kind}")


def _bytes(arrays: list[npt.NDArray[Any]]) -> bytes:
    """Weights as ncnn reads them: a flag that they are float32, then their values."""
    flag = np.zeros(1, np.uint32).tobytes() if arrays else b""
    return flag + b"".join(array.astype(np.float32).tobytes() for array in arrays)
