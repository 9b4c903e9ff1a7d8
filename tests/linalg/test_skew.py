"""Skew-symmetric matrices from and to their strict upper triangle."""

import numpy as np
import pytest

from enrnn_ref.linalg import skew_matrix, skew_vector
from enrnn_ref.linalg.skew import identity


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_round_trip(size):
    vector = np.random.default_rng(size).standard_normal(size * (size - 1) // 2)
    matrix = skew_matrix(vector, size)
    assert matrix.shape == (size, size)
    np.testing.assert_array_equal(matrix, -matrix.T)
    np.testing.assert_array_equal(skew_vector(matrix), vector)


def test_the_identity_that_is_kept_cannot_be_changed():
    np.testing.assert_array_equal(identity(3), np.eye(3))
    assert identity(3) is identity(3)
    with pytest.raises(ValueError, match="read-only"):
        identity(3)[0, 0] = 2.0


def test_order_is_row_by_row():
    np.testing.assert_array_equal(
        skew_matrix(np.array([1.0, 2.0, 3.0]), 3), [[0.0, 1.0, 2.0], [-1.0, 0.0, 3.0], [-2.0, -3.0, 0.0]]
    )
