"""The calls of layers in a configuration of Keras 2, in the form of Keras 3."""

from typing import Any


def mend_calls(config: dict[str, Any], layers: list[dict[str, Any]]) -> None:
    """Mend the calls of a model's layers, in place.

    Keras 2 numbers the calls of an inner model from 1, because call 0 is the one that built it; Keras 3 from 0.
    """
    inner = {layer["config"].get("name"): layer["class_name"] for layer in layers if "layers" in layer["config"]}
    for layer in layers:
        if isinstance(nodes := layer.get("inbound_nodes"), list):
            layer["inbound_nodes"] = [
                _node(_from_zero(node, set(inner))) if isinstance(node, list) else node for node in nodes
            ]
    for key in ("input_layers", "output_layers"):
        if isinstance(ends := config.get(key), list):
            sequential = {name for name, kind in inner.items() if kind == "Sequential"}  # others Keras 3 mends itself
            config[key] = _from_zero(ends[0] if len(ends) == 1 and isinstance(ends[0], list) else ends, sequential)


def _from_zero(value: Any, inner: set[str]) -> Any:
    """References to tensors; the calls of these inner models numbered from 0."""
    if isinstance(value, dict):
        return {key: _from_zero(item, inner) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], str) and value[0] in inner and isinstance(value[1], int):
        return [value[0], max(0, value[1] - 1), *_from_zero(value[2:], inner)]
    return [_from_zero(item, inner) for item in value]


def _node(node: Any) -> Any:
    """The calls of a layer, in the form of Keras 3 where it does not read the old one: tensors among the options."""
    calls = [node] if node and isinstance(node[0], str) else node  # the call of a function has one list less
    if not isinstance(calls, list) or not all(isinstance(call, list) and len(call) in (3, 4) for call in calls):
        return node
    options = calls[-1][3] if len(calls[-1]) == 4 else {}
    if calls is node and not any(map(_is_tensor, options.values())):
        return node
    tensors = [_tensor(call) for call in calls]
    kwargs = {key: _tensor(value) if _is_tensor(value) else value for key, value in options.items() if key != "name"}
    return {"args": tensors if len(tensors) == 1 else [tensors], "kwargs": kwargs}


def _is_tensor(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and [type(item) for item in value] == [str, int, int]


def _tensor(call: list[Any]) -> dict[str, Any]:
    history = {"shape": [None], "dtype": "float32", "keras_history": call[:3]}
    return {"class_name": "__keras_tensor__", "config": history}
