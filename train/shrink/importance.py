"""How much each unit matters: what the loss would change without it, to first order, measured on training images.

The change is activation times gradient, summed over a unit's activations. For a channel that a kernel reads this is the
sum of weight times gradient over the weights that read it, so that no activation need be kept. It is squared and
averaged over small batches (P. Molchanov et al., 2019, "Importance Estimation for Neural Network Pruning"). Within each
family it is then divided by its norm (P. Molchanov et al., 2017, "Pruning Convolutional Neural Networks for Resource
Efficient Inference"): gradients shrink from layer to layer, and raw sums left whole families to their least.
"""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgecnn.pixels import normalize
from train.fast_network import fast_network
from train.job import Job
from train.optimization import LEAST_PROBABILITY
from train.shrink.graph import Graph

IMAGES, BATCH = 2048, 16

Importance = npt.NDArray[np.float64]


def importance_of(graph: Graph, job: Job) -> Importance:
    """The importance of each unit, (units,), on images that the job is fitted to, drawn with its seed."""
    random, network = np.random.default_rng(job.seed), fast_network(graph.model)
    drawn = random.permutation(job.fitted_indices)[:IMAGES]
    batches = [drawn[start : start + BATCH] for start in range(0, len(drawn), BATCH)]
    changes = [_changes(graph, network, job, np.sort(batch)) for batch in batches]
    importance: Importance = np.mean(np.square(changes), axis=0)
    for family in graph.families:
        importance[family] /= np.linalg.norm(importance[family]) or 1.0
    return importance


def _changes(graph: Graph, network: keras.Model, job: Job, indices: npt.NDArray[np.intp]) -> Importance:
    """The change of the loss of a batch without each unit."""
    kernels = [_kernel(graph.model.get_layer(product.layer)) for product in graph.products if product.read is not None]
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        answers = network(normalize(job.data.train_images[indices], job.input), training=False)
        right = tf.gather(answers, job.data.train_labels[indices], axis=1, batch_dims=1)
        loss = -tf.reduce_mean(tf.math.log(right + LEAST_PROBABILITY))
    changes = np.zeros(len(graph.fixed))
    readers = (product.read for product in graph.products if product.read is not None)
    for read, kernel, gradient in zip(readers, kernels, tape.gradient(loss, kernels), strict=True):
        terms = (kernel * gradient).numpy()
        np.add.at(changes, read, np.moveaxis(terms, -2, 0).reshape(len(read), -1).sum(axis=1))
    return changes


def _kernel(layer: Any) -> Any:
    return (layer.pointwise_kernel if hasattr(layer, "pointwise_kernel") else layer.kernel).value
