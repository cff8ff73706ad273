"""What models answer, into a file; runs by its path on a board, with nothing but edgecnn there.

python answers.py ENGINE IMAGES OUTPUT MODEL...: IMAGES is an .npz with uint8 `images`; OUTPUT gets the probabilities of
each model under its file's name, (images, classes), float32.
"""

import sys
from pathlib import Path

import numpy as np

from edgecnn import Classifier

if __name__ == "__main__":
    engine, images, output, *models = sys.argv[1:]
    given = np.load(images)["images"]
    answers = {}
    for model in models:
        with Classifier(model, engine) as classifier:
            answers[Path(model).name] = np.stack([each.probabilities for each in classifier.predict_batch(given)])
    np.savez(output, **answers)
