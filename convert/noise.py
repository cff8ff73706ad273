"""How much int8 hurts each layer: its output beside that of the float parent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.layers import onnx_outputs, tflite_layers
from convert.names import layer_channels
from convert.onnx import PIXELS, onnx_from_keras, prepared
from convert.parent import Parent
from convert.tflite import tflite_from_keras
from edgecnn.command import quiet
from edgecnn.interpreters import TensorSpec
from edgecnn.pixels import dequantize, input_table, normalize

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Noise:
    """What int8 does to the output of one layer, over some images."""

    layer: str
    own_db: float  # SQNR of rounding this tensor alone, mean over the channels: what the layer itself does
    sqnr_db: float  # the same mean, with all that came from the layers before
    cosine: float
    low: float  # share of stored values at the least value of the dtype: of a ReLU, its zeros
    high: float  # ... at the largest: clipped
    scale: float
    zero_point: int


def layer_noise(parent: Parent, model: bytes, kind: str, images: npt.NDArray[np.uint8]) -> list[Noise]:
    """Compare an int8 model with its float parent layer by layer, in the order of the graph.

    Args:
        parent: the float parent.
        model: the bytes of the `.tflite` or `.onnx`.
        kind: tflite or onnx.
        images: raw pixels, uint8, (n, height, width, channels).
    """
    with quiet():
        outputs = (_tflite_outputs if kind == "tflite" else _onnx_outputs)(parent, model, images)
        found = [_measured(*each) for each in outputs]
    return found


def worst_first(found: Sequence[Noise]) -> list[Noise]:
    """Sorted by the noise that each layer adds itself: what it only hands on is not its fault."""
    return sorted(found, key=lambda noise: noise.own_db)


def candidates(found: Sequence[Noise]) -> list[str]:
    """Layers to keep in float, in the order to try: the worst, each with the layer that reads it next."""
    order = [noise.layer for noise in found]
    following = dict(pairwise(order))
    ranking = [name for noise in worst_first(found) for name in (noise.layer, following.get(noise.layer)) if name]
    return list(dict.fromkeys(ranking))


def _measured(layer: str, exact: Array, stored: Array, tensor: TensorSpec, axis: int) -> Noise:
    """Sums over images and places of a layer's output, float and stored; channels along `axis`."""
    exact, stored = (np.moveaxis(each, axis, -1).reshape(-1, each.shape[axis]) for each in (exact, stored))
    bounds = np.iinfo(tensor.dtype)
    given = dequantize(stored, tensor)
    rounded = np.rint(exact / tensor.scale) + tensor.zero_point
    alone = dequantize(rounded.clip(bounds.min, bounds.max), tensor)
    lengths = float(np.linalg.norm(exact) * np.linalg.norm(given))
    return Noise(
        layer,
        channel_sqnr(exact, alone),
        channel_sqnr(exact, given),
        float((exact * given).sum()) / lengths if lengths else 0.0,
        float((stored == bounds.min).mean()),
        float((stored == bounds.max).mean()),
        tensor.scale,
        tensor.zero_point,
    )


def channel_sqnr(exact: Array, given: Array) -> float:
    """The mean of the channels' ratios in dB, of those that give anything; (n, channels). 0 where none does."""
    power, noise = (exact**2).sum(axis=0), ((exact - given) ** 2).sum(axis=0)
    heard = power > 0
    return float(sqnr(power[heard], noise[heard]).mean()) if heard.any() else 0.0


def sqnr(power: Array, noise: Array) -> Array:
    """Signal to quantization noise ratio in dB: 10 log10(sum f^2 / sum (f - q)^2); 100 where there is no noise."""
    ratio: Array = 10 * np.log10(np.maximum(power, 1e-30) / np.maximum(noise, power * 1e-10 + 1e-30))
    return ratio


def _tflite_outputs(
    parent: Parent, model: bytes, images: npt.NDArray[np.uint8]
) -> Iterator[tuple[str, Array, Array, TensorSpec, int]]:
    floats = tflite_from_keras(parent.model, np.empty(0, np.float32), "none", loops=False)
    there = {name for names in tflite_layers(model).values() for name in names}
    last = {layer: [name for name in names if name in there] for layer, names in tflite_layers(floats).items()}
    names = {names[-1]: layer for layer, names in last.items() if names}
    exact = _tflite_values(floats, names, normalize(images, parent.manifest.input))
    stored = _tflite_values(model, names, images, parent)
    for name, layer in names.items():
        (values, _), (kept, tensor) = exact[name], stored[name]
        if tensor.dtype.kind != "f":
            yield layer, values, kept, tensor, values.ndim - 1


def _tflite_values(
    flatbuffer: bytes, names: dict[str, str], images: Array, parent: Parent | None = None
) -> dict[str, tuple[Array, TensorSpec]]:
    """What the tensors hold for each image; with `parent`, raw pixels are turned into the model's input first."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=flatbuffer,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    details = {each["name"]: each for each in interpreter.get_tensor_details() if each["name"] in names}
    (taken,) = interpreter.get_input_details()
    scale, zero_point = taken["quantization"]
    entry = TensorSpec((), np.dtype(taken["dtype"]), scale or 1.0, zero_point)
    if parent is not None:
        table = input_table(parent.manifest.input, entry)
        assert table is not None
        images = np.stack([table[c % len(table)][images[..., c]] for c in range(images.shape[-1])], axis=-1)
    found: dict[str, list[Array]] = {name: [] for name in details}
    for image in images:
        interpreter.set_tensor(taken["index"], image[np.newaxis])
        interpreter.invoke()
        for name, values in found.items():
            values.append(interpreter.get_tensor(details[name]["index"]))
    return {name: (np.concatenate(values), _tensor(details[name])) for name, values in found.items()}


def _tensor(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    return TensorSpec(tuple(details["shape"]), np.dtype(details["dtype"]), scale or 1.0, zero_point)


def _onnx_outputs(
    parent: Parent, model: bytes, images: npt.NDArray[np.uint8]
) -> Iterator[tuple[str, Array, Array, TensorSpec, int]]:
    channels = layer_channels(parent.model)
    floats = prepared(onnx_from_keras(parent.model, parent.manifest.input))
    steps = _onnx_steps(model)
    last = {layer: [name for name in names if name in steps] for layer, names in onnx_outputs(floats).items()}
    names = {names[-1]: layer for layer, names in last.items() if names}
    exact = _onnx_values(floats, list(names), images)
    stored = _onnx_values(model, [steps[name][0] for name in names], images)
    for (name, layer), values, kept in zip(names.items(), exact, stored, strict=True):
        yield layer, values, kept, steps[name][1], 1 if values.shape[1] == channels.get(layer) else values.ndim - 1


def _onnx_steps(model: bytes) -> dict[str, tuple[str, TensorSpec]]:
    """By float tensor: the quantized tensor that QuantizeLinear makes of it, its scale and zero point."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(model).graph
    constants = {each.name: each for each in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants:
            scale, zero_point = (numpy_helper.to_array(constants[name]) for name in node.input[1:3])
            tensor = TensorSpec((), zero_point.dtype, float(scale), int(zero_point))
            found[node.input[0].removesuffix("_DequantizeLinear_Output")] = (node.output[0], tensor)
    return found


def _onnx_values(model: bytes, names: list[str], images: npt.NDArray[np.uint8]) -> list[Array]:
    """What the tensors `names` hold for each image."""
    import onnx
    import onnxruntime

    proto = onnx.load_from_string(model)
    given = {output.name for output in proto.graph.output}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    found = [session.run(names, {PIXELS: image[np.newaxis]}) for image in images]
    return [np.concatenate(values) for values in zip(*found, strict=True)]
