"""A narrower network as `train.fit` takes it."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from edgecnn.files import hash_arrays
from edgecnn.pixels import normalize
from train.job import Job
from train.networks import Architecture
from train.shrink.graph import Graph, Kept
from train.shrink.normalization import begin_as, folded, normalized
from train.shrink.surgery import narrowed

_IMAGES = 256  # that set the first mean and deviation of batch normalization


@dataclass(frozen=True)
class Narrowed(Architecture):
    """A network of fewer channels, with batch normalization while it is fitted if its recipe normalizes."""

    plain: Callable[[], keras.Model] | None = None

    def finish(self, model: keras.Model) -> keras.Model:
        """The fitted network as it is delivered, without the batch normalization that was added."""
        return model if self.plain is None else folded(model, self.plain())


def narrow_network(graph: Graph, kept: Kept, job: Job, parent: str, budget: str, is_new: bool) -> Narrowed:
    """The network with the units that are kept.

    Args:
        graph: of the parent.
        kept: (units,).
        job: of the point; only its recipe, data and input count.
        parent: the hash of the parent's weights.
        budget: in words.
        is_new: whether its weights are new, not the parent's.
    """
    indices = job.fitted_indices[:: max(1, len(job.fitted_indices) // _IMAGES)]

    def plain() -> keras.Model:
        return narrowed(graph, kept, with_weights=not is_new)

    def build(shape: tuple[int, ...], classes: int) -> keras.Model:
        if not job.recipe.normalized:
            return plain()
        if is_new:
            return normalized(plain(), None)
        inputs = normalize(job.data.train_images[indices], job.input)
        model = normalized(plain(), inputs)
        begin_as(normalized(graph.model, inputs), model, lambda name: kept[graph.written[name]])
        return model

    name = f"{graph.model.name} {'narrower' if is_new else 'pruned'}"
    key = hash_arrays([kept, np.frombuffer(bytes.fromhex(parent), np.uint8)])
    normal = plain if job.recipe.normalized else None
    return Narrowed(name, build, key, job.network.signed, parent_sha256=parent, budget=budget, plain=normal)
