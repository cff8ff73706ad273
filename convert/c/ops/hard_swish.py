"""HARD_SWISH: x * ReLU6(x + 3) / 6."""

import numpy as np

from convert.c.fixed_point import Wide, halves_away, multiplier
from convert.c.network import NetworkTensor, Operator
from convert.c.operators import lowers
from convert.c.ops.lookup import EVERY_INT8, add_lookup
from convert.c.plan import Plan

_LEAST, _MOST = -(2**15), 2**15 - 1


@lowers("HARD_SWISH")
def hard_swish(plan: Plan, operator: Operator) -> None:
    """Arithmetic of 16 bits with saturation. Source: reference/hard_swish.h; HardSwishPrepare, activations.cc."""
    values, outputs = plan.tensor(operator.inputs[0]), plan.tensor(operator.outputs[0])
    fine = values.scale * np.float32(1 / 128)
    fixed, exponent = _multiplier(fine / outputs.scale)
    if exponent > 0:  # TFLite refuses it
        raise plan.refusal(f"has a hard swish into a scale that is too small, {outputs.name!r}")
    scaled = (EVERY_INT8 - values.zero_point) * 128
    products = _share(values, scaled, fine) * _high_product(scaled, fixed)
    preshift = np.sign(products) * (np.abs(products) >> 15)
    add_lookup(plan, operator, halves_away(preshift, -exponent) + outputs.zero_point)


def _share(values: NetworkTensor, scaled: Wide, fine: np.float32) -> Wide:
    """ReLU6(x + 3) / 6, of 15 bits."""
    fixed, exponent = _multiplier(fine / np.float32(3 / 32768))
    if exponent > 0:  # the last bit of the shift saturates by itself
        shifted = (scaled << min(exponent - 1, 32)).clip(_LEAST, _MOST)
        reluish = (_high_product(shifted, fixed) * 2).clip(_LEAST, _MOST)
    else:
        reluish = halves_away(_high_product(scaled, fixed), -exponent)
    return (reluish + 2**15) >> 1


def _multiplier(real: np.float32) -> tuple[int, int]:
    """A real number as a multiplier of 15 bits and an exponent. Source: DownScaleInt32ToInt16Multiplier."""
    fixed, shift = multiplier(float(real))
    return min((fixed + 2**15) >> 16, _MOST), -shift


def _high_product(values: Wide, fixed: int) -> Wide:
    """The upper 16 bits of twice a product, to nearest. Source: SaturatingRoundingDoublingHighMul."""
    return (values * fixed + 2**14) >> 15
