"""What watches a fit: the progress bar, Ctrl-C, and a loss that is no number any more."""

import contextlib
import math
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Never

import keras
from tqdm import tqdm

from edgecnn.errors import EdgecnnError


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback for every epoch of a training."""

    def __init__(self, bar: "tqdm[Never]") -> None:
        """Show on `bar`, which counts batches."""
        super().__init__()
        self.bar, self.interrupted = bar, False

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count the batch.

        Raises:
            KeyboardInterrupt: Ctrl-C was heard; raised within a batch, TensorFlow may swallow it.
            EdgecnnError: the loss is no number any more.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        if logs and not math.isfinite(logs["loss"]):
            raise EdgecnnError(f"the loss became {logs['loss']}: take a smaller --learning-rate")
        self.bar.update()

    def tell(self, epoch: int, found: Mapping[str, float]) -> None:
        """Show what an epoch came to."""
        on_validation = f", validation {found['val_accuracy']:.4f}" if "val_accuracy" in found else ""
        self.bar.set_postfix_str(f"epoch {epoch}: loss {found['loss']:.4f}{on_validation}")


@contextlib.contextmanager
def watching(name: str, epochs: int, done: int, steps: int) -> Iterator[Watch]:
    """A bar with the time left, on stderr, and Ctrl-C heard between two batches."""
    form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    total, initial = epochs * steps, done * steps
    with tqdm(desc=name, total=total, initial=initial, bar_format=form, leave=False, mininterval=_pace()) as bar:
        watch = Watch(bar)

        def note(*_: object) -> None:
            watch.interrupted = True

        usual = signal.getsignal(signal.SIGINT)
        if usual is not signal.SIG_IGN:  # as in a shell's background job
            signal.signal(signal.SIGINT, note)
        try:
            yield watch
        finally:
            signal.signal(signal.SIGINT, usual)


def _pace() -> float:
    """Seconds between two states of the progress bar: seldom where no terminal can overwrite the last."""
    return 0.1 if sys.stderr.isatty() else 30.0
