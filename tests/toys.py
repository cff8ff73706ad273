"""A toy data set, recipe and rewrite, a row each; then `python -m train`: python tests/toys.py WORDS..."""

import json
import sys
from dataclasses import replace

import numpy as np

from convert.rewrites import REWRITES, rewritten
from train import __main__ as train
from train.datasets import DATA_SETS, Data
from train.recipes import RECIPES


def toy() -> Data:
    """Noise, dark or light, of 20 x 20 pixels."""
    random = np.random.default_rng(0)
    labels = np.arange(240) % 2
    images = random.integers(0, 100, (240, 20, 20, 1), np.uint8) + (labels * 100).astype(np.uint8)[:, None, None, None]
    return Data("toy", ("dark", "light"), images[:200], labels[:200], images[200:], labels[200:])


if __name__ == "__main__":
    DATA_SETS["toy"] = toy
    RECIPES["toy"] = replace(RECIPES["tutorial"], name="toy", epochs=1)
    REWRITES["toy"] = lambda model: (model, ["nothing at all"])
    status = train.main(sys.argv[1:])
    print(json.dumps(rewritten(None, ["toy"])[1]))
    sys.exit(status)
