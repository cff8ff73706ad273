"""Spoilt models: the flatbuffer of a `.tflite`, the protobuf of an `.onnx`; a function for each kind of damage."""

import random
import re
import struct
from collections.abc import Callable
from typing import Any

from fuzz_files import NUMBERS, Case, Sound, model


def spoilt_words(data: bytes, draw: random.Random, wanted: Callable[[int, int], bool], most: int = 3) -> bytes:
    """Some 32-bit words overwritten, of those that are wanted by place and value."""
    words = struct.unpack_from(f"<{len(data) // 4}I", data)
    places = [place for place, value in enumerate(words) if wanted(4 * place, value)]
    out = bytearray(data)
    for _ in range(draw.randint(1, most)):
        place = draw.choice(places)
        value = draw.choice((*NUMBERS, words[place] + 4, words[place] - 4, draw.getrandbits(32))) & 0xFFFFFFFF
        struct.pack_into("<I", out, 4 * place, value)
    return bytes(out)


def tables(data: bytes) -> Callable[[int, int], bool]:
    """Whether a place of a flatbuffer is outside of its large buffers."""
    from edgecnn.flatbuffer import Flatbuffer
    from edgecnn.tflite_schema import BUFFER, MODEL

    file = Flatbuffer(data)
    spans = [file.fields(at, BUFFER)[0] for at in file.fields(file.root(), MODEL)[4]]
    inside = bytearray(len(data) + 4)
    for start, size in spans:
        if size > 64:
            inside[start : start + size] = b"\1" * size
    return lambda place, _: not inside[place]


def tflite_offsets(sound: Sound, draw: random.Random) -> Case:
    """Offsets, counts and vtables overwritten."""
    outside = tables(sound.tflite)
    wanted = lambda place, value: outside(place, value) and 0 < value < 2**20  # noqa: E731
    return model(sound, "tflite", spoilt_words(sound.tflite, draw, wanted))


def tflite_tables(sound: Sound, draw: random.Random) -> Case:
    """Any words of tables overwritten: shapes, indices, options, scales."""
    return model(sound, "tflite", spoilt_words(sound.tflite, draw, tables(sound.tflite), 6))


def tflite_bytes(sound: Sound, draw: random.Random) -> Case:
    """Single bytes of tables overwritten: types, codes."""
    outside, out = tables(sound.tflite), bytearray(sound.tflite)
    places = [place for place in range(len(out)) if outside(place, 0)]
    for place in draw.choices(places, k=draw.randint(1, 8)):
        out[place] = draw.choice((0, 1, 3, 9, 0x7F, 0xFF, draw.getrandbits(8)))
    return model(sound, "tflite", bytes(out))


def cut(sound: Sound, draw: random.Random) -> Case:
    """Cut short, blocks left out or twice there."""
    kind = draw.choice(("tflite", "onnx"))
    data = getattr(sound, kind)
    at, size = draw.randrange(8, len(data)), draw.choice((4, 64, 4096))
    out = draw.choice((data[:at], data[:at] + data[at + size :], data[:at] + data[at - size :]))
    return model(sound, kind, out)


def onnx_bytes(sound: Sound, draw: random.Random) -> Case:
    """Bytes overwritten, near the names rather than in the weights."""
    out = bytearray(sound.onnx)
    names = [match.start() for match in re.finditer(rb"[A-Za-z_/]{4}", sound.onnx)]
    for _ in range(draw.randint(1, 6)):
        out[max(8, draw.choice(names) + draw.randint(-12, 12)) % len(out)] = draw.choice(
            (0, 0x7F, 0xFF, draw.getrandbits(8))
        )
    return model(sound, "onnx", bytes(out))


def onnx_nodes(sound: Sound, draw: random.Random) -> Case:
    """A graph whose nodes, attributes and shapes were changed."""
    import onnx

    proto = onnx.ModelProto.FromString(sound.onnx)
    for _ in range(draw.randint(1, 3)):
        draw.choice((_node, _attribute, _tensor, _shape, _new_node))(proto.graph, draw)
    return model(sound, "onnx", proto.SerializeToString())


def _node(graph: Any, draw: random.Random) -> None:
    node, other = draw.choice(graph.node), draw.choice(graph.node)
    change = draw.randrange(5)
    if change == 0 and node.input:
        node.input[draw.randrange(len(node.input))] = draw.choice((*other.output, *other.input, "", "nothing"))
    elif change == 1:
        node.op_type = draw.choice((other.op_type, "Tile", "Expand", "Loop", "If", "NonZero", "Resize", "x" * 1000))
    elif change == 2:
        graph.node.remove(node)
    elif change == 3:
        node.domain = draw.choice(("com.microsoft", "evil", "\x1b[2J"))
    else:
        node.output[0] = draw.choice((*other.output, *other.input, ""))


def _attribute(graph: Any, draw: random.Random) -> None:
    attribute = draw.choice([attribute for node in graph.node for attribute in node.attribute] or [None])
    if attribute is None:
        return
    for place in range(len(attribute.ints)):
        if draw.random() < 0.5:
            attribute.ints[place] = draw.choice((0, -1, 1, 10**5, 2**31 - 1, 2**31, 2**62, -(2**62)))
    if attribute.HasField("i"):
        attribute.i = draw.choice((0, -1, 7, 2**31, 2**62))
    if draw.random() < 0.2:
        attribute.type = draw.randrange(1, 14)


def _tensor(graph: Any, draw: random.Random) -> None:
    tensor = draw.choice(graph.initializer)
    change = draw.randrange(5)
    if change == 0 and tensor.dims:
        tensor.dims[draw.randrange(len(tensor.dims))] = draw.choice((0, -1, 1, 2**20, 2**31, 2**62))
    elif change == 1:
        tensor.raw_data = draw.choice((b"", tensor.raw_data[:-1], tensor.raw_data * 2, b"\xff" * len(tensor.raw_data)))
    elif change == 2:
        tensor.data_type = draw.randrange(0, 24)
    elif change == 3:
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", draw.choice(("/etc/passwd", "../../x", "/dev/zero"))
        tensor.data_location = 1
    elif tensor.data_type == 7 and tensor.raw_data:
        count = len(tensor.raw_data) // 8
        values = [draw.choice((-1, 0, 1, 2**16, 2**31, 2**40, 2**62)) for _ in range(count)]
        tensor.raw_data = struct.pack(f"<{count}q", *values)


def _shape(graph: Any, draw: random.Random) -> None:
    value = draw.choice([*graph.input, *graph.output, *graph.value_info])
    shape = value.type.tensor_type.shape
    for side in shape.dim:
        if draw.random() < 0.4:
            side.dim_value = draw.choice((0, -1, 1, 2, 3, 2**16, 2**31, 2**62))
    if draw.random() < 0.2:
        value.type.tensor_type.elem_type = draw.randrange(0, 24)


def _new_node(graph: Any, draw: random.Random) -> None:
    """An operator that makes much of little."""
    import onnx

    at = draw.randrange(len(graph.node))
    source = graph.node[at].input[0] if graph.node[at].input else graph.input[0].name
    sizes = [draw.choice((1, 2, 2**10, 2**16, 2**20)) for _ in range(4)]
    graph.initializer.append(onnx.helper.make_tensor("evil", 7, [4], sizes))
    kind = draw.choice(("Tile", "Expand", "ConstantOfShape", "Loop"))
    if kind == "Loop":
        count, go = onnx.helper.make_tensor("n", 7, [], [2**62]), onnx.helper.make_tensor("go", 9, [], [1])
        graph.initializer.extend([count, go])
        ends = [onnx.helper.make_tensor_value_info(name, type_, []) for name, type_ in (("i", 7), ("c", 9))]
        out = onnx.helper.make_tensor_value_info("c2", 9, [])
        body = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["c"], ["c2"])], "body", ends, [out])
        graph.node.insert(at, onnx.helper.make_node("Loop", ["n", "go"], [], body=body))
        return
    inputs = ["evil"] if kind == "ConstantOfShape" else [source, "evil"]
    graph.node.insert(at, onnx.helper.make_node(kind, inputs, ["much"]))
    if graph.node[at + 1].input:
        graph.node[at + 1].input[0] = "much"
