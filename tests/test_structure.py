"""The structure of a model file is checked before an engine sees it: a contradiction is a line that names it."""

import importlib.util
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgecnn import SHIPPED, EdgecnnError
from edgecnn import tflite_schema as schema
from edgecnn.engine_loading import load_engine
from edgecnn.flatbuffer import Flatbuffer
from edgecnn.onnx_structure import check_onnx
from edgecnn.tflite_structure import check_tflite

SOUND = SHIPPED.read_bytes()


class Change:
    """The flatbuffer of a model, and where things are in it."""

    def __init__(self) -> None:
        self.data, self.file = bytearray(SOUND), Flatbuffer(SOUND)
        model = self.file.fields(self.file.root(), schema.MODEL)
        self.codes, self.graph, self.buffers = model[1], model[2][0], model[4]
        self.tensors, self.inputs, self.outputs, self.operators, *_ = self.file.fields(self.graph, schema.SUBGRAPH)

    def place(self, table: int, row: str, field: int) -> int:
        """Where a field of a table is."""
        place = self.file._layout(table - struct.unpack_from("<i", self.data, table)[0], row)[1][field][1]
        assert place  # what has its default is left out
        return table + place

    def items(self, table: int, row: str, field: int) -> int:
        """Where the items of a list begin."""
        at = self.place(table, row, field)
        return at + int(struct.unpack_from("<I", self.data, at)[0]) + 4

    def write(self, at: int, form: str, value: float) -> None:
        """Overwrite a number."""
        struct.pack_into(f"<{form}", self.data, at, value)

    def operator(self, name: str) -> int:
        """The first operator of a name."""
        codes = [max(code[0], code[3]) for code in (self.file.fields(at, schema.OPERATOR_CODE) for at in self.codes)]
        kinds = [schema.OPERATORS[codes[self.file.fields(at, schema.OPERATOR)[0]]][0] for at in self.operators]
        return int(self.operators[kinds.index(name)])

    def option(self, name: str, field: int, form: str, value: float) -> None:
        """Overwrite an option of an operator."""
        at = self.file.fields(self.operator(name), schema.OPERATOR)[4]
        row = next(fields for operator, _, _, fields in schema.OPERATORS.values() if operator == name)
        self.write(self.place(at, row, field), form, value)

    def quantization(self, tensor: int) -> int:
        """The quantization of a tensor."""
        return int(self.file.fields(self.tensors[tensor], schema.TENSOR)[4])

    def constant(self) -> int:
        """A tensor with values in the file."""
        sizes = [self.file.fields(at, schema.BUFFER)[0][1] for at in self.buffers]
        return next(at for at in self.tensors if sizes[self.file.fields(at, schema.TENSOR)[2]] > 1000)


Q, T, OP = schema.QUANTIZATION, schema.TENSOR, schema.OPERATOR
TFLITE: dict[str, tuple[str, Callable[[Change], None]]] = {
    "the root": ("damaged", lambda it: it.write(0, "I", 2**31)),
    "a vtable": ("vtable", lambda it: it.write(it.graph, "i", it.graph + 8)),
    "a count": ("leaves the file", lambda it: it.write(it.items(it.graph, schema.SUBGRAPH, 0) - 4, "I", 2**32 - 1)),
    "a table": ("damaged", lambda it: it.write(it.items(it.graph, schema.SUBGRAPH, 0), "I", 2**31)),
    "a version": ("version 9", lambda it: it.write(it.place(it.file.root(), schema.MODEL, 0), "I", 9)),
    "a buffer": ("index out of range", lambda it: it.write(it.place(it.tensors[1], T, 2), "I", 10**6)),
    "a type": ("type 5", lambda it: it.write(it.place(it.constant(), T, 1), "b", 5)),
    "a shape": ("bytes, not", lambda it: it.write(it.items(it.constant(), T, 0), "i", 2**30)),
    "a side below 0": ("a tensor of shape", lambda it: it.write(it.items(it.constant(), T, 0), "i", -1)),
    "a scale": ("a scale of nan", lambda it: it.write(it.items(it.quantization(it.inputs[0]), Q, 2), "f", np.nan)),
    "no scale": ("a scale of 0", lambda it: it.write(it.items(it.quantization(it.inputs[0]), Q, 2), "f", 0)),
    "a zero point": ("zero point", lambda it: it.write(it.items(it.quantization(it.inputs[0]), Q, 3), "q", 10**6)),
    "an operator": ("operator 118", lambda it: it.write(it.place(it.codes[0], schema.OPERATOR_CODE, 3), "i", 118)),
    "a code": ("operator code 99", lambda it: it.write(it.place(it.operators[1], OP, 0), "I", 99)),
    "an input": ("999 of", lambda it: it.write(it.items(it.operators[1], OP, 1), "i", 999)),
    "no input": ("has no input 0", lambda it: it.write(it.items(it.operators[0], OP, 1), "i", -1)),
    "a later input": ("before it exists", lambda it: it.write(it.items(it.operators[0], OP, 1), "i", it.outputs[0])),
    "an output": ("exists already", lambda it: it.write(it.items(it.operators[1], OP, 2), "i", it.inputs[0])),
    "no output": ("-1 of", lambda it: it.write(it.items(it.operators[0], OP, 2), "i", -1)),
    "options": ("options of type 77", lambda it: it.write(it.place(it.operator("CONV_2D"), OP, 3), "B", 77)),
    "a stride": ("an option of 0", lambda it: it.option("CONV_2D", 1, "i", 0)),
    "a filter": ("an option of 0", lambda it: it.option("MAX_POOL_2D", 3, "i", 0)),
}  # fmt: skip


def test_the_reference_model_is_sound() -> None:
    check_tflite("it", SOUND)


@pytest.mark.parametrize("kind", TFLITE)
def test_a_flatbuffer_that_contradicts_itself_is_one_line(kind: str) -> None:
    word, change = TFLITE[kind]
    changed = Change()
    change(changed)
    with pytest.raises(EdgecnnError, match=word) as caught:
        check_tflite("it", bytes(changed.data))
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


def test_a_flatbuffer_cut_anywhere_is_one_line() -> None:
    flatbuffer = SOUND[: SOUND.index(b"PK\x03\x04")]
    for size in range(8, len(flatbuffer), 97):
        with pytest.raises(EdgecnnError, match="it is damaged"):
            check_tflite("it", flatbuffer[:size])


def test_a_list_that_is_named_a_million_times_is_not_read_a_million_times() -> None:
    """A vector of 100,000 tables that are one table with a vector of its own: work that grows as the square."""
    count = 90_000
    strings = struct.pack("<I", count) + bytes(count)  # of a vtable's table below
    tables = struct.pack("<I", count) + b"".join(struct.pack("<I", 4 * (count - number)) for number in range(count))
    file = Flatbuffer(tables + strings)
    assert len(file._list(0, 1)) == 2  # warm
    with pytest.raises(ValueError, match="leaves the file"):
        for _ in range(1000):
            file._list(0, 4)


def test_the_rows_are_those_of_tensorflow() -> None:
    spec = importlib.util.find_spec("tensorflow")
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / "lite/python/schema_py_generated.py").read_text()
    enums = {name: dict(re.findall(r"^    (\w+) = (\d+)$", body, re.MULTILINE)) for name, body in classes(text).items()}
    codes = {int(number): name for name, number in enums["BuiltinOperator"].items()}
    options = {int(number): name for name, number in enums["BuiltinOptions"].items()}
    for code, (name, _, kind, row) in schema.OPERATORS.items():
        assert codes[code] == name
        if kind:
            letters = {"A": "1", "W": "1", "P": "4", "D": "4", "y": "["}
            there = widths(text, options[kind])
            stated = [letters.get(letter, letter) for letter in row]
            assert stated == there or options[kind] == "ResizeBilinearOptions", name  # its first two were withdrawn
    rows = {"OperatorCode": schema.OPERATOR_CODE, "QuantizationParameters": Q, "Operator": OP, "Buffer": schema.BUFFER}
    rows |= {"Model": schema.MODEL, "SubGraph": schema.SUBGRAPH, "Tensor": T}
    for name, row in rows.items():
        letters = {"b": "1", "i": "4", "I": "4"}
        for stated, there in zip(row, widths(text, name), strict=True):
            assert letters.get(stated, stated if stated.isdigit() else "[") == there or stated == "x", (name, row)
    types = {int(number): name for name, number in enums["TensorType"].items()}
    names = "FLOAT32 FLOAT16 INT32 UINT8 INT64 BOOL INT16 INT8 FLOAT64 UINT64 UINT32 UINT16 INT4 BFLOAT16"
    assert [types[number] for number in schema.WIDTHS] == names.split()


def classes(text: str) -> dict[str, str]:
    return dict(re.findall(r"^class (\w+)\(object\):\n(.*?)(?=^class |\Z)", text, re.MULTILINE | re.DOTALL))


def widths(text: str, name: str) -> list[str]:
    """The bytes of a table's fields, or [ for a field that is an offset."""
    kinds = {"Int8": "1", "Bool": "1", "Int32": "4", "Uint32": "4", "Float32": "4", "Int64": "8", "Uint64": "8"}
    adds = re.findall(rf"^def {name}Add\w+\(.*\):\n    builder\.Prepend(\w+)Slot\((\d+),", text, re.MULTILINE)
    widths = {int(slot): kinds.get(kind.replace("Uint8", "Int8"), "[") for kind, slot in adds}
    return [widths.get(slot, "[") for slot in range(max(widths, default=-1) + 1)]


def test_an_engine_that_finds_a_file_malformed_is_the_last() -> None:
    """The next might die of it; one that lacks an operator hands it on."""
    newer = Change()
    for code in newer.codes:
        if newer.file.fields(code, "bsii")[2]:
            newer.write(newer.place(code, schema.OPERATOR_CODE, 2), "i", 99)
    with pytest.raises(EdgecnnError, match=r"\(litert: .*; tflite: .*version '99'"):
        load_engine("auto", bytes(newer.data), "tflite", "it", 1)
    malformed = Change()
    malformed.write(malformed.items(malformed.constant(), T, 0) + 4, "i", 7)
    with pytest.raises(EdgecnnError, match=r"\(litert: [^;]*\)$"):
        load_engine("auto", bytes(malformed.data), "tflite", "it", 1)


def network() -> Any:
    """A classifier of an operator or two."""
    weights = np.zeros((2, 1, 3, 3), np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["maps"], kernel_shape=[3, 3], strides=[1, 1], pads=[0] * 4),
        helper.make_node("GlobalAveragePool", ["maps"], ["answer"]),
    ]
    image = helper.make_tensor_value_info("image", 1, [1, 1, 8, 8])
    answer = helper.make_tensor_value_info("answer", 1, [1, 2, 1, 1])
    constant = numpy_helper.from_array(weights, "weights")
    return helper.make_model(helper.make_graph(nodes, "it", [image], [answer], [constant]))


def looped(model: Any) -> None:
    value = helper.make_tensor_value_info("x", 1, [])
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "body", [value], [value])
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["z"], body=body))


def outside(model: Any) -> None:
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "/etc/passwd")


ONNX: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a loop": ("holds a graph", looped),
    "values elsewhere": ("in another file", outside),
    "a shape": ("a tensor of shape", lambda it: it.graph.initializer[0].dims.append(2)),
    "a shape below 0": ("a tensor of type", lambda it: it.graph.initializer[0].dims.append(-1)),
    "many axes": ("a tensor of type", lambda it: it.graph.initializer[0].dims.extend([1] * 20)),
    "texts": ("a tensor of type 8", lambda it: setattr(it.graph.initializer[0], "data_type", 8)),
    "values in two forms": ("values or bytes", lambda it: it.graph.initializer[0].ClearField("raw_data")),
    "a stride": ("with strides of 0", lambda it: it.graph.node[0].attribute[2].ints.__setitem__(0, 0)),
    "a pad": ("with pads of", lambda it: it.graph.node[0].attribute[1].ints.__setitem__(0, 2**40)),
    "a domain": ("of domain b'evil'", lambda it: setattr(it.graph.node[0], "domain", "evil")),
    "an endless input": ("a value of shape", lambda it: helper.make_tensor_value_info("x", 1, [2**20] * 3) and
        it.graph.input.append(helper.make_tensor_value_info("x", 1, [2**20] * 3))),
    "a sparse tensor": ("a sparse tensor", lambda it: it.graph.sparse_initializer.add().dims.append(1)),
    "a list for a value": ("no tensor", lambda it: it.graph.input[0].CopyFrom(
        helper.make_tensor_sequence_value_info("x", 1, [1]))),
}  # fmt: skip


def test_a_sound_onnx_file_is_sound() -> None:
    check_onnx("it", network().SerializeToString())


@pytest.mark.parametrize("kind", ONNX)
def test_an_onnx_file_that_contradicts_itself_is_one_line(kind: str) -> None:
    word, change = ONNX[kind]
    model = network()
    change(model)
    with pytest.raises(EdgecnnError, match=word) as caught:
        check_onnx("it", model.SerializeToString())
    assert str(caught.value).isprintable()
