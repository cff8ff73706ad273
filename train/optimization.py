"""The optimizer, the course of its learning rate, and the loss."""

from typing import Any

import keras

from train.recipes import Recipe

_UNDECAYED = ["bias", "gamma", "beta"]
LEAST_PROBABILITY = 1e-7  # the logarithm of a smaller one is taken to be that of this one


def compile_model(model: keras.Model, recipe: Recipe, epochs: int, steps: int, soft: bool) -> None:
    """Compile a model that ends in a softmax.

    Args:
        model: to be fitted.
        recipe: its learning rate, momentum, weight decay and temperature count.
        epochs: of the whole training.
        steps: batches in an epoch.
        soft: whether the targets are logarithms of teachers' probabilities; else they are labels.
    """
    rate = _cosine(recipe, epochs, steps) if recipe.cosine else recipe.learning_rate
    model.compile(_optimizer(recipe, rate), _loss(recipe, soft), metrics=["accuracy"])


def _optimizer(recipe: Recipe, rate: Any) -> keras.Optimizer:
    """Biases and normalization do not decay: T. He et al. (2019), "Bag of Tricks for Image Classification"."""
    if recipe.momentum is None:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
    else:
        optimizer = keras.optimizers.SGD(rate, recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=_UNDECAYED)
    return optimizer


def _loss(recipe: Recipe, soft: bool) -> Any:
    if soft:
        return soft_loss(recipe.temperature)
    return "categorical_crossentropy" if recipe.soft else "sparse_categorical_crossentropy"


def _cosine(recipe: Recipe, epochs: int, steps: int) -> Any:
    """A learning rate that warms up for a tenth of the training, at most the recipe's epochs, then falls to 0."""
    peak, warm_up = recipe.learning_rate, max(1, min(steps * recipe.warm_up, steps * epochs // 10))
    decay = max(1, steps * epochs - warm_up)
    return keras.optimizers.schedules.CosineDecay(0.0, decay, warmup_target=peak, warmup_steps=warm_up)


def soft_loss(temperature: float) -> Any:
    """Cross-entropy between a teacher's and a student's probabilities, both at a temperature.

    Source: G. Hinton, O. Vinyals, J. Dean (2015), "Distilling the Knowledge in a Neural Network", with its factor of
    the temperature squared. The softmax of a logit and of the logarithm of its probability are the same.
    """

    def loss(teacher: Any, student: Any) -> Any:
        wanted = keras.ops.softmax(teacher / temperature)
        actual = keras.ops.log_softmax(keras.ops.log(student + LEAST_PROBABILITY) / temperature)
        return -(temperature**2) * keras.ops.sum(wanted * actual, axis=-1)

    return loss
