"""What networks within budgets take, by each method, as if conversions told: a line of JSON a budget."""

import json
import sys

import numpy as np

from edgecnn.errors import EdgecnnError
from train.shrink.graph import Kept, graph_of
from train.shrink.limits import parse_limits
from train.shrink.selection import CHOICES, within
from workstation.architectures import reference_cnn

GRAPH = graph_of(reference_cnn((28, 28, 1), 10))
IMPORTANCE = np.random.default_rng(0).random(len(GRAPH.fixed))


def measured(kept: Kept) -> dict[str, float]:
    """In place of a conversion."""
    return {"flash": 1.1 * GRAPH.parameters(kept) + 500, "latency": GRAPH.macs(kept) / 1.2e5 + 0.5}


def chosen(words: str, method: str) -> dict[str, object]:
    """The network within a budget."""
    try:
        kept = within(GRAPH, IMPORTANCE, parse_limits(words), CHOICES[method], measured)
    except EdgecnnError as error:
        return {"error": str(error)}
    channels = [int(kept[family].sum()) for family in GRAPH.families]
    return {"channels": channels, "macs": GRAPH.macs(kept), **measured(kept)}


for budget in sys.argv[1:]:
    print(json.dumps([chosen(budget, method) for method in CHOICES]))
