"""Weights of 4 bits as numbers: rounding, the grid of a file, two in a byte."""

import numpy as np
import pytest

from convert.c.ops.packed import packed_weights
from convert.formats.tflite_grid import grid_steps
from train.qat.kernels import Kernel, bits_of_layers, coarse_variables, fitted_sizes, on_grid


def eight_bits(steps: np.ndarray) -> np.ndarray:
    """What a converter makes of channels on a grid: the largest becomes 127."""
    largest = np.maximum(np.abs(steps).max(axis=1, keepdims=True), 1)
    return np.rint(steps * 127 / largest).astype(np.int8)


def test_a_grid_is_found_whatever_its_largest_step_is() -> None:
    random = np.random.default_rng(0)
    for most in range(1, 8):
        steps = random.integers(-most, most + 1, (5, 40))
        steps[:, 0] = most
        found = grid_steps(eight_bits(steps))
        assert found is not None
        assert (np.rint(eight_bits(steps) * found[:, np.newaxis] / 127) == steps * (found / most)[:, np.newaxis]).all()


def test_weights_of_8_bits_lie_on_no_grid() -> None:
    """Nor do those of which one channel does not; a channel of zeros keeps its scale."""
    random = np.random.default_rng(0)
    weights = random.integers(-127, 128, (4, 40)).astype(np.int8)
    assert grid_steps(weights) is None
    steps = random.integers(-7, 8, (4, 40))
    steps[:, 0], steps[3] = 7, 0
    stored = eight_bits(steps)
    found = grid_steps(stored)
    assert found is not None
    assert found.tolist() == [7, 7, 7, 127]
    stored[0] = weights[0]
    assert grid_steps(stored) is None


@pytest.mark.parametrize("shape", [(8, 3, 3, 8), (5, 1, 1, 144), (16, 2, 3, 1), (10, 1, 1, 3)])
def test_two_weights_in_a_byte_are_those_that_went_in(shape: tuple[int, ...]) -> None:
    weights = np.random.default_rng(0).integers(-7, 8, shape).astype(np.int8)
    packed = packed_weights(weights)
    assert packed is not None
    lower = ((packed.astype(np.int16) + 8) & 15) - 8
    both = np.stack([(packed - lower) // 16, lower], axis=4)  # (quads, height, groups, 2, 2 in a byte, 4)
    channels = both.transpose(0, 3, 4, 1, 2, 5).reshape(-1, shape[1], packed.shape[2] * 4)
    row = shape[2] * shape[3]
    assert (channels[: shape[0], :, :row] == weights.reshape(shape[0], shape[1], row)).all()
    assert not channels[shape[0] :].any()
    assert not channels[:, :, row:].any()


def test_larger_weights_are_not_packed() -> None:
    for weight in (-8, 8, -128):
        assert packed_weights(np.full((4, 1, 1, 4), weight, np.int8)) is None


def test_a_fitted_size_moves_weights_less_than_the_largest_weight_does() -> None:
    """Bell-shaped weights with an outlier; weights on the grid stay as they are."""
    weights = np.random.default_rng(0).normal(0, 1, (3, 3, 8, 4)).astype(np.float32)
    weights[0, 0, 0] = 5
    largest = np.abs(weights).max(axis=(0, 1, 2))
    sizes = fitted_sizes(weights)
    assert (sizes < largest).all()
    errors = [float(((on_grid(weights, tried) - weights) ** 2).mean()) for tried in (sizes, largest)]
    assert errors[0] < 0.9 * errors[1]
    rounded = on_grid(weights, sizes)
    assert np.array_equal(on_grid(rounded, sizes), rounded)
    assert all(len(np.unique(channel)) <= 15 for channel in rounded.reshape(-1, 4).T)


def test_the_first_and_the_last_layer_keep_8_bits_and_so_does_what_they_share() -> None:
    kernels = [
        Kernel("first._1/Conv2D", "a", "a", True),
        Kernel("inner._1/Conv2D", "b", "b", True),
        Kernel("depthwise._1/depthwise", "c", "c", False),
        Kernel("shared._1/Conv2D", "d", "d", True),
        Kernel("frozen._1/Conv2D", "e", "e", True),
        Kernel("shared._1/Conv2D_1", "d", "d", True),
    ]
    trained = {"a", "b", "c", "d"}
    assert coarse_variables(kernels, trained, everything=False) == ["b"]
    assert coarse_variables(kernels, trained, everything=True) == ["a", "b", "d"]
    assert coarse_variables(kernels[:2], trained, everything=False) == []
    bits = bits_of_layers(kernels, ["a", "b", "d"])
    assert bits == {"first": 4, "inner": 4, "depthwise": 8, "shared": 4, "frozen": 8}
