"""The time of every operator of a model: by prefixes cut from a `.tflite`, by ONNX Runtime's profiler of an `.onnx`."""

import json
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.engines import ENGINES

TURNS, CALLS = 30, 60  # of each prefix, in shuffled order
_ONNX_CALLS = 500
_OPTIMIZED = "optimized.onnx"
_DELEGATE = "DELEGATE"  # stands for the operators on the fast path (XNNPACK)
_INTEGERS = ("int8", "uint8", "int16")


@dataclass(frozen=True)
class OperatorCost:
    """An operator, its time and its arithmetic."""

    name: str
    kind: str
    microseconds: float
    macs: int  # multiply-accumulates
    integer: bool  # whether it computes on integers
    fast_path: bool | None  # whether it is on the engine's fast path; None if the engine has none


def tflite_operators(engine: str, flatbuffer: bytes) -> tuple[tuple[OperatorCost, ...], float, float]:
    """Time every prefix of a `.tflite`; in a process that does nothing else.

    Returns:
        The operators; microseconds of the whole call; and of a call that computes nothing.
    """
    interpreter_class = import_module(ENGINES[engine].module).Interpreter
    interpreters = [_opened(interpreter_class, prefix) for prefix in prefixes(flatbuffer)]
    medians = _medians([interpreter.invoke for interpreter in interpreters])
    graph = _schema(flatbuffer).subgraphs[0]
    whole = interpreters[-1]
    details = whole._get_ops_details()
    delegated = _delegated(details)
    shapes = {tensor["index"]: tuple(map(int, tensor["shape"])) for tensor in whole.get_tensor_details()}
    dtypes = {tensor["index"]: np.dtype(tensor["dtype"]).name for tensor in whole.get_tensor_details()}
    operators = []
    for number, op in enumerate(graph.operators):
        kind = details[number]["op_name"]
        name = short(graph.tensors[op.outputs[0]].name.decode().split(";")[0])
        macs = _tflite_macs(kind, [shapes.get(place, ()) for place in op.inputs], shapes.get(op.outputs[0], ()))
        integer = dtypes.get(op.outputs[0]) in _INTEGERS
        microseconds = medians[number + 1] - medians[number]
        operators.append(OperatorCost(name, kind, microseconds, macs, integer, number in delegated))
    return tuple(operators), medians[-1], medians[0]


def prefixes(flatbuffer: bytes) -> Iterator[bytes]:
    """The model without operators, with its first operator, with its first two, and so on to the whole."""
    import flatbuffers

    for length in range(len(_schema(flatbuffer).subgraphs[0].operators) + 1):
        model = _schema(flatbuffer)
        graph = model.subgraphs[0]
        graph.operators = graph.operators[:length]
        graph.outputs = [graph.operators[-1].outputs[0]] if length else [graph.inputs[0]]
        model.signatureDefs = None  # they name the outputs of the whole
        builder = flatbuffers.Builder(len(flatbuffer))
        builder.Finish(model.Pack(builder), b"TFL3")
        yield bytes(builder.Output())


def _schema(flatbuffer: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))


def _opened(interpreter_class: Any, flatbuffer: bytes) -> Any:
    interpreter = interpreter_class(model_content=flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.invoke()
    return interpreter


def _medians(calls: list[Any]) -> list[float]:
    """Microseconds of each call, the median of those timed in turns."""
    clock, times, order = time.perf_counter_ns, [list[int]() for _ in calls], random.Random(0)
    for _ in range(TURNS):
        for number in order.sample(range(len(calls)), len(calls)):
            call = calls[number]
            call()
            for _ in range(CALLS):
                start = clock()
                call()
                times[number].append(clock() - start)
    return [float(np.median(calls_ns)) / 1000 for calls_ns in times]


def _delegated(details: list[dict[str, Any]]) -> set[int]:
    """Places of the operators that run inside a delegate: those between its outputs and its inputs."""
    producers = {int(tensor): op for op in details if op["op_name"] != _DELEGATE for tensor in op["outputs"]}
    inside: set[int] = set()
    for delegate in (op for op in details if op["op_name"] == _DELEGATE):
        inputs, waiting = set(map(int, delegate["inputs"])), [int(tensor) for tensor in delegate["outputs"]]
        while waiting:
            producer = producers.get(waiting.pop())
            if producer is None or producer["index"] in inside:
                continue
            inside.add(producer["index"])
            waiting += [int(tensor) for tensor in producer["inputs"] if int(tensor) not in inputs]
    return inside


def _tflite_macs(kind: str, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> int:
    if kind == "CONV_2D":
        return prod(output) * prod(inputs[1][1:])
    if kind == "DEPTHWISE_CONV_2D":
        return prod(output) * prod(inputs[1][1:3])
    return prod(output[:-1]) * prod(inputs[1]) if kind == "FULLY_CONNECTED" else 0


def onnx_operators(engine: str, model: bytes) -> tuple[tuple[OperatorCost, ...], float, float]:
    """Time the nodes of an `.onnx` by ONNX Runtime's profiler, and the call without the profiler.

    Returns:
        As `tflite_operators`. The call without its nodes is the call that computes nothing. If the nodes add up to
        more than the call, that is the profiler's own time: it is subtracted in equal parts.
    """
    ort = import_module(ENGINES[engine].module)
    with tempfile.TemporaryDirectory() as folder:
        session = _session(ort, model, Path(folder))
        feed = {tensor.name: np.zeros(tensor.shape, _numpy(tensor.type)) for tensor in session.get_inputs()}
        for _ in range(_ONNX_CALLS):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text())
        weights = _weights(Path(folder) / _OPTIMIZED)
    plain = _session(ort, model)
    (call,) = _medians([lambda: plain.run(None, feed)])
    nodes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            nodes[event["name"].removesuffix("_kernel_time")].append(event)
    profiled = [_onnx_operator(name, events, weights.get(name, ())) for name, events in nodes.items()]
    rest = call - sum(operator.microseconds for operator in profiled)
    own = max(0.0, -rest / len(profiled))  # the profiler's, a node: without it the nodes add up to the call
    operators = tuple(replace(operator, microseconds=operator.microseconds - own) for operator in profiled)
    return operators, call, max(0.0, rest)


def _session(ort: Any, model: bytes, folder: Path | None = None) -> Any:
    """A session of one thread; with a folder, it writes its profile and its optimized graph there."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if folder:
        options.enable_profiling, options.profile_file_prefix = True, str(folder / "profile")
        options.optimized_model_filepath = str(folder / _OPTIMIZED)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _numpy(kind: str) -> str:
    name = kind.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)


def _weights(optimized: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each node's weights: of its first constant with two sides or more."""
    import onnx

    graph = onnx.load(optimized).graph
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer if len(tensor.dims) >= 2}
    shapes = {node.name: [constants[name] for name in node.input if name in constants] for node in graph.node}
    return {name: own[0] for name, own in shapes.items() if own}


def _onnx_operator(name: str, events: list[dict[str, Any]], weights: tuple[int, ...]) -> OperatorCost:
    arguments = events[-1]["args"]
    kind = arguments["op_name"]
    ((dtype, output),) = arguments["output_type_shape"][0].items()
    macs = 0
    if weights and "Conv" in kind:
        macs = prod(output) * prod(weights[1:])
    elif weights and ("MatMul" in kind or "Gemm" in kind):
        macs = prod(weights) * prod(output[:-1])
    microseconds = float(np.median([event["dur"] for event in events[len(events) // 5 :]]))
    return OperatorCost(short(name), kind, microseconds, macs, kind.startswith("Q") or dtype in _INTEGERS, None)


def short(name: str) -> str:
    """The Keras layer in an operator's name; if there is none, the end of the name."""
    layer = re.search(r"([^/]+)\._\d+/", name)
    return layer[1] if layer else name.rsplit("/", maxsplit=1)[-1][-40:]
