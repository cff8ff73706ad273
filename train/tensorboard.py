"""TensorBoard's logs of a training: if they cannot be written, the training goes on."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from train.checkpoint import State
from train.decorate import decorating

LOGS = "logs"


def log_writer(folder: Path) -> Any:
    """A writer of logs below a folder; None if it cannot write there."""
    with decorating(LOGS):
        return tf.summary.create_file_writer(str(folder / LOGS))
    return None


def log_epoch(state: State, writer: Any) -> None:
    """Add the last epoch of a state to the logs."""
    if writer is not None:
        with decorating(LOGS), writer.as_default():
            for name, values in state.history.items():
                tf.summary.scalar(name, values[-1], step=state.epochs)
            writer.flush()
