"""TFLite's converter of a Keras model: its tensors are named after the model's layers, its weights are constants."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workstation.frozen_graph import frozen, unrolled, with_fixed_batch
from workstation.layer_names import marked

if TYPE_CHECKING:
    import keras


@contextmanager
def tflite_converter(model: "keras.Model", batch: int | None = 1, unrolls: bool = True) -> Iterator[Any]:
    """Give a TFLiteConverter of a Keras model, to be set and called within.

    Args:
        model: one input (batch, height, width, channels), float32; one output.
        batch: the fixed batch; None leaves it open.
        unrolls: whether recurrent layers are computed step by step.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        _save(traced(model, batch, unrolls)[1], folder)
        yield tf.lite.TFLiteConverter.from_saved_model(folder)


def traced(model: "keras.Model", batch: int | None = 1, unrolls: bool = True) -> tuple[Any, Any]:
    """A model at inference as a ConcreteFunction, with its variables, and with constants in their place.

    Both name their nodes after the model's layers.
    """
    import tensorflow as tf

    with marked(model), unrolled(model, unrolls):
        fixed = with_fixed_batch(model, batch)
        (image,) = fixed.inputs
        function = tf.function(fixed, input_signature=[tf.TensorSpec(image.shape, tf.float32, name=image.name)])
        concrete = function.get_concrete_function()
        return concrete, frozen(concrete)


def _save(constant: Any, folder: str) -> None:
    """Save a function as `serving_default`.

    TFLite gives the same bytes as by `from_keras_model`, which takes three times as long for a network of 150 layers,
    mostly to save what else Keras keeps of a model.
    """
    import tensorflow as tf

    module = tf.Module()
    module.frozen = constant
    plain = tf.saved_model.SaveOptions(experimental_custom_gradients=False)  # they would keep the variables of a swish
    tf.saved_model.save(module, folder, signatures=module.frozen, options=plain)
