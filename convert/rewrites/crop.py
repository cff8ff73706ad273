"""The rewrite `crop`: layers before a pooling compute only what the pooling reads."""

from typing import Any

import keras

from convert.rewrites.layers import CONVOLUTIONS, SIDES, Readers, Size, cropped, is_crop, rebuilt, size_read, writer


def crop(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """Crop the input of layers whose outputs a pooling does not read.

    A pooling with window p and stride s over n rows reads (o - 1) s + p of them, o = floor((n - p) / s) + 1; the rest
    is computed in vain. A convolution without padding (kernel k, dilation d, stride s) computes r rows from
    (r - 1) s + (k - 1) d + 1. Followed backwards through such layers this is how much of an earlier tensor is read; it
    is cropped to that. No value that is read changes.

    Returns:
        The model, and what changed, in words.
    """
    changes: list[str] = []

    def call(readers: Readers, pooling: Any, x: Any) -> Any:
        unread = _unread_part(readers, pooling, x)
        if unread is None:
            return pooling(x)
        source, size, layers = unread
        y = cropped(source, size, pooling.name)
        for layer in layers:
            y = layer(y)
        changes.append(f"{pooling.name} reads {_by(size)} of {_by(source.shape[SIDES])}")
        return pooling(y)

    return rebuilt(model, call), changes


def _unread_part(readers: Readers, pooling: Any, x: Any) -> tuple[Any, Size, list[Any]] | None:
    """The earliest tensor of which a pooling does not read all, how much it reads, and the layers between."""
    size = size_read(pooling, pooling.compute_output_shape(x.shape)[SIDES], x.shape[SIDES])
    if size is None or size == x.shape[SIDES]:
        return None
    layers: list[Any] = []
    while True:
        layer, source = writer(x)
        if source is None or not (readers.is_link(layer.name) or is_crop(layer)):
            break
        if is_crop(layer):  # of a pooling further down
            x = source
            continue
        read = size_read(layer, size, source.shape[SIDES])
        if read is None:
            break
        layers.insert(0, layer)
        x, size = source, read
    return (x, size, layers) if any(isinstance(layer, CONVOLUTIONS) for layer in layers) else None


def _by(size: Any) -> str:
    return "x".join(map(str, size))
