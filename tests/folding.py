"""How far a network is off when its batch normalization is folded away, and how far its answers spread."""

import numpy as np

from train.networks import fold, normalized_cnn
from workstation.architectures import reference_cnn

images = np.random.default_rng(0).random((300, 28, 28, 1), np.float32)
fitted = normalized_cnn((28, 28, 1), 10)
fitted.compile("adam", "sparse_categorical_crossentropy")
fitted.fit(images, np.arange(300) % 10, epochs=3, verbose=0)
answers = fitted.predict(images, verbose=0)
print(abs(fold(fitted, reference_cnn((28, 28, 1), 10)).predict(images, verbose=0) - answers).max(), answers.std())
