"""Tensors of the Open Inference Protocol, version 2: as JSON, and as bytes behind it.

Sources: kserve.github.io, "Open Inference Protocol", and Triton's "Binary Tensor Data Extension".
"""

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.serve.refusal import RefusalError

Array = npt.NDArray[Any]
DATATYPES = {
    **{"UINT8": np.uint8, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32},
    **{"FP16": np.float16, "FP32": np.float32, "FP64": np.float64},
}
NAMES = {np.dtype(kind): name for name, kind in DATATYPES.items()}
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Body:
    """The body of a request: the JSON document, and the bytes behind it."""

    document: dict[str, Any]
    binary: bytes


def parse_body(body: bytes, json_length: str | None) -> Body:
    """Part a body.

    Args:
        body: all bytes.
        json_length: of the header `Inference-Header-Content-Length`; None if all is JSON.

    Raises:
        RefusalError: it is no JSON object.
    """
    if json_length is not None and not (json_length.isdecimal() and int(json_length[:20]) <= len(body)):
        raise RefusalError(400, "Inference-Header-Content-Length is not the length of the JSON in the body")
    length = len(body) if json_length is None else int(json_length)
    try:
        document = bounds.parsed(body[:length], "the request")
    except (ValueError, EdgecnnError) as error:
        raise RefusalError(400, f"the request is no JSON: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(document, dict):
        raise RefusalError(400, 'the request is no JSON object: send {"inputs": [...]}')
    return Body(document, body[length:])


def sole_input(body: Body) -> dict[str, Any]:
    """The one input of a request.

    Raises:
        RefusalError: there is another number of them.
    """
    inputs = body.document.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise RefusalError(400, "send one input: 'image' or 'input' (see the model's metadata)")
    return inputs[0]


def read_tensor(tensor: dict[str, Any], datatype: str, image: tuple[int, ...], most: int, binary: bytes) -> Array:
    """The values of a tensor of images.

    Args:
        tensor: as JSON has it.
        datatype: the one that it must have.
        image: the shape of one image.
        most: images.
        binary: the bytes behind the JSON.

    Returns:
        Shape (n, *image).

    Raises:
        RefusalError: shape, datatype or values are others.
    """
    shape = _shape(tensor, image, most)
    if tensor.get("datatype") != datatype:
        raise RefusalError(400, f"the datatype is {bounds.short(tensor.get('datatype'))}; this input takes {datatype}")
    dtype = np.dtype(DATATYPES[datatype])
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return _from_json(tensor.get("data"), dtype, shape)
    if size != len(binary) or size != math.prod(shape) * dtype.itemsize:
        wanted = math.prod(shape) * dtype.itemsize
        raise RefusalError(400, f"{len(binary):,} bytes are behind the JSON; shape and datatype ask for {wanted:,}")
    return np.frombuffer(binary, dtype).reshape(shape)


def _shape(tensor: dict[str, Any], image: tuple[int, ...], most: int) -> tuple[int, ...]:
    shape = tensor.get("shape")
    if isinstance(shape, list) and all(type(side) is int for side in shape):
        full = tuple(shape) if len(shape) > len(image) else (1, *shape)
        if full[1:] == image and 1 <= full[0] <= most:
            return full
    wanted = ", ".join(map(str, image))
    raise RefusalError(400, f"the shape is {bounds.short(shape)}; this model takes (n, {wanted}), n from 1 to {most}")


def _from_json(values: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    try:
        array = np.array(values)
    except ValueError:  # rows of several lengths
        array = np.empty(0)
    if array.size != math.prod(shape) or array.dtype.kind not in ("iu" if dtype.kind in "iu" else "iuf"):
        raise RefusalError(400, f"'data' is not {math.prod(shape):,} numbers, as the shape says")
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= array.min() <= array.max() <= np.iinfo(dtype).max:
        raise RefusalError(400, f"'data' holds numbers outside of {np.iinfo(dtype).min} to {np.iinfo(dtype).max}")
    return array.astype(dtype).reshape(shape)


def packed(values: Array) -> bytes:
    """The bytes of a tensor; texts as the protocol has them: each behind its length."""
    if values.dtype != object:
        return values.astype(values.dtype.newbyteorder("<")).tobytes()
    texts = [str(text).encode() for text in values.ravel()]
    return b"".join(_LENGTH.pack(len(text)) + text for text in texts)


def response_body(document: dict[str, Any], outputs: list[tuple[dict[str, Any], Array, bool]]) -> tuple[bytes, int]:
    """The body of a response.

    Args:
        document: all but the outputs.
        outputs: for each its description, its values, and whether they go as bytes.

    Returns:
        The body, and the length of its JSON; 0 if nothing is behind it.
    """
    described, binary = [], []
    for description, values, is_binary in outputs:
        entry = description | {"shape": list(values.shape)}
        if is_binary:
            binary.append(packed(values))
            entry["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            entry["data"] = values.ravel().tolist()
        described.append(entry)
    head = json.dumps(document | {"outputs": described}).encode()
    return b"".join((head, *binary)), len(head) if binary else 0
