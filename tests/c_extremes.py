"""Int8 networks of one layer each.

Their scales, zero points and shifts are at the ends of what TFLite takes, their sums beside the places where it rounds.
A converter makes few of these; files of other tools and nearly dead channels hold them.
"""

from collections.abc import Iterator

import c_values
import c_weights
import numpy as np
from c_builder import Draw

KINDS = (
    c_weights.conv,
    c_weights.depthwise,
    c_weights.dense,
    c_values.add,
    c_values.sub,
    c_values.mul,
    c_values.maximum,
    c_values.mean,
    c_values.pool,
    c_values.softmax,
    c_values.logistic,
    c_values.hard_swish,
    c_values.relu,
    c_values.leaky_relu,
    c_values.quantize,
    c_values.prelu,
    c_values.concatenation,
    c_values.reduce_max,
    c_values.resize,
    c_values.depth_to_space,
    c_weights.dilated,
    c_weights.depth_multiplier,
    c_weights.transpose_conv,
    c_values.tanh,
    c_weights.conv_of_4_bits,
    c_weights.dense_of_4_bits,
)


def networks(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """So many networks of each kind, with their names."""
    for kind in KINDS:
        draw = Draw(np.random.default_rng((seed, KINDS.index(kind))))
        for number in range(count):
            draw.calm = number % 2 == 0
            yield f"{kind.__name__}{number}", kind(draw)
