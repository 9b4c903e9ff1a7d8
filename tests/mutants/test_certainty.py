"""A tracked leader is left to the dense method where that one might call it degenerate, whatever the matrix's norm."""

import math

import numpy as np
import pytest

from enrnn_ref.linalg.eigenpair import _certain
from enrnn_ref.linalg.tracking import Tracked

U = float(np.finfo(np.float64).eps)
NORM = 24.0
MATRIX = np.full((48, 48), NORM / 48)


def decided(value, second, condition=1.0):
    left = np.zeros(48, complex)
    left[:2] = 1 / condition, math.sqrt(1 - condition**-2)
    return _certain(MATRIX, Tracked(value, np.eye(48, dtype=complex)[0], left, second, np.zeros((48, 16))), 0)


@pytest.mark.parametrize(("times", "certain"), [(15, False), (25, True)])
def test_near_is_twenty_roots_of_the_backward_error(times, certain):
    near = times * math.sqrt(U) * NORM
    assert (decided(1 + 0j, 1 - near) is not None) is certain
    assert (decided(1 + near * 1j, 0.5) is not None) is certain


@pytest.mark.parametrize(("limit", "certain"), [(1.3e-3, False), (0.7e-3, True)])
def test_a_condition_is_large_beside_the_backward_error(limit, certain):
    assert (decided(1 + 0j, 0.5, limit / math.sqrt(U * NORM)) is not None) is certain
