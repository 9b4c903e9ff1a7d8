"""A power by repeated squaring: each square scaled by what its root's entries add up to, all in one launch."""

import math

import numpy as np
import pytest

from enrnn_ref.backends.cuda import sums
from enrnn_ref.backends.cuda.arrays import DeviceArray, to_device
from enrnn_ref.backends.cuda.power import SMALLEST_EXPONENT, raised


def squares(matrix):
    return float((matrix**2).sum())


@pytest.mark.parametrize("squarings", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 5, 7])
@pytest.mark.parametrize("size", [1.0, 1e30, 1e-30])
def test_squares_are_scaled_and_their_entries_summed(n, squarings, size):
    matrix = size * np.random.default_rng([n, squarings]).standard_normal((n, n))
    expected, added = matrix, [squares(matrix)]
    for _ in range(squarings):
        expected = np.ldexp(1.0, -max(math.frexp(added[-1])[1], SMALLEST_EXPONENT)) * (expected @ expected)
        added.append(squares(expected))
    parts = np.full((squarings + 1, sums.BLOCKS), np.nan)
    parts[0] = 0.0
    parts[0, -1] = squares(matrix)
    work, parts = DeviceArray(to_device(np.stack([matrix, np.full((n, n), np.nan)]))), DeviceArray(to_device(parts))
    found = raised(work, parts).copy_to_host()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * 2.0**squarings * n * np.abs(expected).max())
    np.testing.assert_allclose(parts.copy_to_host().sum(axis=1), added, rtol=1e-12 * 2.0**squarings * n)


def test_a_power_that_is_zero_stays_zero():
    nilpotent = np.array([[0.0, 1.0], [0.0, 0.0]])
    parts = np.zeros((3, sums.BLOCKS))
    parts[0, 0] = 1.0
    work, parts = DeviceArray(to_device(np.stack([nilpotent, nilpotent]))), DeviceArray(to_device(parts))
    assert not raised(work, parts).copy_to_host().any()
    assert not parts.copy_to_host()[1:].any()
