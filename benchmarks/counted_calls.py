"""Call an engine between two marks that benchmarks/instructions.c sees; runs by its path on a board.

python counted_calls.py ENGINE CALLS MODEL...: for each model two marks, before and after the calls.
"""

import os
import sys

import numpy as np

from edgecnn import Classifier

if __name__ == "__main__":
    engine, calls, *models = sys.argv[1:]
    for model in models:
        with Classifier(model, engine) as classifier:
            image = np.random.default_rng(0).integers(0, 256, classifier.manifest.input.shape, np.uint8)
            for _ in range(5):
                classifier.predict(image)
            os.getsid(0)
            for _ in range(int(calls)):
                classifier.invoke()
            os.getsid(0)
