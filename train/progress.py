"""Watch a fit: its progress bar, Ctrl-C, and a loss that became nan."""

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
    """A Keras callback for all epochs of a training."""

    def __init__(self, bar: "tqdm[Never]") -> None:
        """Show on `bar`, which counts batches."""
        super().__init__()
        self.bar, self.interrupted = bar, False

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count the batch.

        Raises:
            KeyboardInterrupt: after Ctrl-C; raised within a batch, TensorFlow might swallow it.
            EdgecnnError: the loss became nan or infinite.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        if logs and not math.isfinite(logs["loss"]):
            raise EdgecnnError(f"the loss became {logs['loss']}: choose a smaller --learning-rate")
        self.bar.update()

    def show(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Show the loss of an epoch, and its accuracy on validation."""
        on_validation = f", validation {metrics['val_accuracy']:.4f}" if "val_accuracy" in metrics else ""
        self.bar.set_postfix_str(f"epoch {epoch}: loss {metrics['loss']:.4f}{on_validation}")


@contextlib.contextmanager
def watching(name: str, epochs: int, done: int, steps: int) -> Iterator[Watch]:
    """A bar on stderr with the time left; Ctrl-C is obeyed between two batches."""
    form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    total, initial = epochs * steps, done * steps
    with tqdm(desc=name, total=total, initial=initial, bar_format=form, leave=False, mininterval=_pace()) as bar:
        watch = Watch(bar)

        def note(*_: object) -> None:
            watch.interrupted = True

        handler = signal.getsignal(signal.SIGINT)
        if handler is not signal.SIG_IGN:  # as in a shell's background job
            signal.signal(signal.SIGINT, note)
        try:
            yield watch
        finally:
            signal.signal(signal.SIGINT, handler)


def _pace() -> float:
    """Seconds between two states of the progress bar: many where no terminal can overwrite the last one."""
    return 0.1 if sys.stderr.isatty() else 30.0
