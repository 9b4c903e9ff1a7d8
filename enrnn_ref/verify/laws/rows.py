"""What the laws share: the row of a law that is exact in floating point, and a sum that rounds once."""

from __future__ import annotations

import math

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.verify.report import Row, worst_row


def exact(name: str, pairs: dict[str, tuple[Array, Array]]) -> Row:
    """The row of a law that leaves no room for rounding: every pair of arrays is equal."""
    errors = {key: np.abs(np.subtract(*pair, dtype=np.float64)) for key, pair in pairs.items()}
    scales = {key: np.maximum(*(np.abs(side) for side in pair)) for key, pair in pairs.items()}
    return worst_row(name, "law", errors, {key: np.zeros(error.shape) for key, error in errors.items()}, scales)


def dot(a: Array, b: Array) -> float:
    """The sum of all products of entries, rounded once."""
    return math.fsum(np.multiply(a, b, dtype=np.float64).ravel())
