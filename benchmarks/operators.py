"""What each operator of a model takes: by prefixes cut from a `.tflite`, by ONNX Runtime's profiler for an `.onnx`."""

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
_DELEGATE = "DELEGATE"  # what stands for the operators that the fast path (XNNPACK) took
_INTEGERS = ("int8", "uint8", "int16")


@dataclass(frozen=True)
class Operator:
    """An operator and what it takes."""

    name: str
    kind: str
    microseconds: float
    macs: int  # multiply-accumulates
    integer: bool  # whether it computes on integers
    fast_path: bool | None  # whether the engine's fast path took it; None where there is no such thing


def tflite_operators(engine: str, flatbuffer: bytes) -> tuple[tuple[Operator, ...], float, float]:
    """Time every prefix of a `.tflite`; in a process that does nothing else.

    Returns:
        The operators; microseconds of the whole call; and of a call that computes nothing.
    """
    interpreter_class = import_module(ENGINES[engine].module).Interpreter
    cut = [_opened(interpreter_class, prefix) for prefix in prefixes(flatbuffer)]
    medians = _medians([each.invoke for each in cut])
    graph = _schema(flatbuffer).subgraphs[0]
    whole = cut[-1]
    details = whole._get_ops_details()
    taken = _delegated(details)
    shapes = {each["index"]: tuple(map(int, each["shape"])) for each in whole.get_tensor_details()}
    kinds = {each["index"]: np.dtype(each["dtype"]).name for each in whole.get_tensor_details()}
    operators = []
    for number, op in enumerate(graph.operators):
        kind = details[number]["op_name"]
        name = short(graph.tensors[op.outputs[0]].name.decode().split(";")[0])
        macs = _tflite_macs(kind, [shapes.get(place, ()) for place in op.inputs], shapes.get(op.outputs[0], ()))
        integer = kinds.get(op.outputs[0]) in _INTEGERS
        spent = medians[number + 1] - medians[number]
        operators.append(Operator(name, kind, spent, macs, integer, number in taken))
    return tuple(operators), medians[-1], medians[0]


def prefixes(flatbuffer: bytes) -> Iterator[bytes]:
    """The model without operators, with its first, with its first two, and so on to the whole."""
    import flatbuffers

    for length in range(len(_schema(flatbuffer).subgraphs[0].operators) + 1):
        model = _schema(flatbuffer)
        graph = model.subgraphs[0]
        graph.operators = graph.operators[:length]
        graph.outputs = [graph.operators[-1].outputs[0]] if length else [graph.inputs[0]]
        model.signatureDefs = None  # they name the outputs that were
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
    return [float(np.median(each)) / 1000 for each in times]


def _delegated(details: list[dict[str, Any]]) -> set[int]:
    """Places of the operators that a delegate took: those between its outputs and its inputs."""
    makers = {int(place): each for each in details if each["op_name"] != _DELEGATE for place in each["outputs"]}
    taken: set[int] = set()
    for delegate in (each for each in details if each["op_name"] == _DELEGATE):
        given, waiting = set(map(int, delegate["inputs"])), [int(place) for place in delegate["outputs"]]
        while waiting:
            maker = makers.get(waiting.pop())
            if maker is None or maker["index"] in taken:
                continue
            taken.add(maker["index"])
            waiting += [int(place) for place in maker["inputs"] if int(place) not in given]
    return taken


def _tflite_macs(kind: str, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> int:
    if kind == "CONV_2D":
        return prod(output) * prod(inputs[1][1:])
    if kind == "DEPTHWISE_CONV_2D":
        return prod(output) * prod(inputs[1][1:3])
    return prod(output[:-1]) * prod(inputs[1]) if kind == "FULLY_CONNECTED" else 0


def onnx_operators(engine: str, model: bytes) -> tuple[tuple[Operator, ...], float, float]:
    """Let ONNX Runtime's profiler tell what its nodes take, and time the call without the profiler.

    Returns:
        As `tflite_operators`. What the nodes leave of the call is what it costs by itself; where they take more, since
        each is told with the profiler's own time, that time is taken off each alike.
    """
    ort = import_module(ENGINES[engine].module)
    with tempfile.TemporaryDirectory() as folder:
        session = _session(ort, model, Path(folder))
        feed = {each.name: np.zeros(each.shape, _numpy(each.type)) for each in session.get_inputs()}
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
    told = [_onnx_operator(name, found, weights.get(name, ())) for name, found in nodes.items()]
    left = call - sum(each.microseconds for each in told)
    own = max(0.0, -left / len(told))  # the profiler's, a node: without it the nodes add up to the call
    operators = tuple(replace(each, microseconds=each.microseconds - own) for each in told)
    return operators, call, max(0.0, left)


def _session(ort: Any, model: bytes, told: Path | None = None) -> Any:
    """A session of one thread; with a folder, its profile and its optimized graph go there."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if told:
        options.enable_profiling, options.profile_file_prefix = True, str(told / "profile")
        options.optimized_model_filepath = str(told / _OPTIMIZED)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _numpy(kind: str) -> str:
    name = kind.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)


def _weights(optimized: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each node's weights: of its first constant with two sides or more."""
    import onnx

    graph = onnx.load(optimized).graph
    constants = {each.name: tuple(each.dims) for each in graph.initializer if len(each.dims) >= 2}
    found = {node.name: [constants[name] for name in node.input if name in constants] for node in graph.node}
    return {name: shapes[0] for name, shapes in found.items() if shapes}


def _onnx_operator(name: str, events: list[dict[str, Any]], weights: tuple[int, ...]) -> Operator:
    arguments = events[-1]["args"]
    kind = arguments["op_name"]
    ((dtype, output),) = arguments["output_type_shape"][0].items()
    macs = 0
    if weights and "Conv" in kind:
        macs = prod(output) * prod(weights[1:])
    elif weights and ("MatMul" in kind or "Gemm" in kind):
        macs = prod(weights) * prod(output[:-1])
    spent = float(np.median([event["dur"] for event in events[len(events) // 5 :]]))
    return Operator(short(name), kind, spent, macs, kind.startswith("Q") or dtype in _INTEGERS, None)


def short(name: str) -> str:
    """An operator's Keras layer, where its name tells that; else the end of its name."""
    layer = re.search(r"([^/]+)\._\d+/", name)
    return layer[1] if layer else name.rsplit("/", maxsplit=1)[-1][-40:]
