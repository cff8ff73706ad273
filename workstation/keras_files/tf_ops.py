"""Calls of TensorFlow's functions on a layer's output, which Keras 2 saved as layers `TFOpLambda`."""

import functools
from collections.abc import Callable
from typing import Any

OP_LAYER = "TFOpLambda"
_OPERATORS = {  # functions that classifiers call: each returns one tensor and does nothing else
    "__operators__.add": "math.add",
    **{
        name: name
        for name in (
            *("nn.relu", "nn.relu6", "nn.leaky_relu", "nn.elu", "nn.selu", "nn.silu", "nn.swish", "nn.gelu"),
            *("nn.softmax", "nn.sigmoid", "nn.tanh", "nn.bias_add", "nn.avg_pool", "nn.max_pool"),
            *("math.add", "math.subtract", "math.multiply", "math.divide", "math.truediv", "math.negative"),
            *("math.maximum", "math.minimum", "math.abs", "math.square", "math.sqrt", "math.pow", "math.exp"),
            *("math.sigmoid", "math.tanh", "math.reduce_mean", "math.reduce_sum", "math.reduce_max"),
            *("math.l2_normalize", "linalg.l2_normalize", "linalg.matmul", "clip_by_value", "reshape", "transpose"),
            *("concat", "expand_dims", "squeeze", "identity", "cast", "image.resize"),
        )
    },
}


def operator(name: str) -> Callable[..., Any] | None:
    """TensorFlow's function of this name, as Keras 2 writes it; None where it is not in the list."""
    import tensorflow as tf

    path = _OPERATORS.get(name)
    return functools.reduce(getattr, path.split("."), tf) if path else None


def op_layer() -> type:
    """The layer that calls one of these functions."""
    import keras

    class TFOpLambda(keras.layers.Layer):  # type: ignore[misc]
        """Calls TensorFlow's function of this name."""

        def __init__(self, function: str, **options: Any) -> None:
            super().__init__(**options)
            self.function = function

        def call(self, *values: Any, **options: Any) -> Any:
            function = operator(self.function)
            assert function is not None
            return function(*values, **options)

        def get_config(self) -> dict[str, Any]:
            config: dict[str, Any] = super().get_config()
            return config | {"function": self.function}

    return TFOpLambda
