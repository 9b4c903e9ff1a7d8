"""(I + A)⁻¹ of a skew-symmetric A on the device (derivations/02-scaled-cayley.md).

Gauss-Jordan steps tile by tile, without a search for pivots, which I + A does not need [SC-7]: two launches for every
tile of the diagonal. Each thread of a tile has one entry.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.sums import DOUBLE
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, kernel

SIDE = 2 if SIMULATED else 32
"""Rows and columns of a tile."""


def inverted(matrix: Any) -> Any:
    """The inverse of a matrix (n, n) in float64 whose symmetric part is positive definite, n ≥ 1.

    Where rounding makes a pivot zero it is something else, as a residual tells.
    """
    n = matrix.shape[0]
    tile, tiles = device_array((SIDE, SIDE), np.float64), -(-n // SIDE)
    before = matrix
    for first in range(0, n, SIDE):
        after = device_array((n, n), np.float64)
        invert_tile[1, (SIDE, SIDE)](tile, before, first)
        exchange[(tiles, tiles), (SIDE, SIDE)](after, before, tile, first)
        before = after
    return before


def _invert_tile(inverse: Any, matrix: Any, first: int) -> None:
    """The inverse (side, side) of the tile on the diagonal that begins at ``first``, by steps on single entries [SC-7].

    What the tile lacks at the end of the matrix is filled up with the identity.
    """
    held = cuda.shared.array((SIDE, SIDE), DOUBLE)
    i, j, n = cuda.threadIdx.y, cuda.threadIdx.x, matrix.shape[0]
    held[i, j] = np.float64(1 if i == j else 0)
    if first + i < n and first + j < n:
        held[i, j] = matrix[first + i, first + j]
    cuda.syncthreads()
    for k in range(SIDE):
        pivot, row, column, entry = held[k, k], held[k, j], held[i, k], held[i, j]
        cuda.syncthreads()
        quotient = (np.float64(1) if j == k else row) / pivot if pivot != np.float64(0) else pivot
        if i == k:
            held[i, j] = quotient
        else:
            held[i, j] = (np.float64(0) if j == k else entry) - column * quotient
        cuda.syncthreads()
    inverse[i, j] = held[i, j]


def _exchange(result: Any, matrix: Any, inverse: Any, first: int) -> None:
    """The step [SC-7] on the tile that begins at ``first``, whose inverse is given. A block of threads has one tile."""
    of_inverse = cuda.shared.array((SIDE, SIDE), DOUBLE)
    of_column = cuda.shared.array((SIDE, SIDE), DOUBLE)
    of_row = cuda.shared.array((SIDE, SIDE), DOUBLE)
    quotient = cuda.shared.array((SIDE, SIDE), DOUBLE)
    y, x, n = cuda.threadIdx.y, cuda.threadIdx.x, matrix.shape[0]
    top, left = cuda.blockIdx.y * SIDE, cuda.blockIdx.x * SIDE
    i, j, zero = top + y, left + x, np.float64(0)
    of_inverse[y, x] = inverse[y, x]
    of_column[y, x] = matrix[i, first + x] if i < n and first + x < n else zero
    of_row[y, x] = matrix[first + y, j] if first + y < n and j < n else zero
    if left == first:  # the identity takes the place of the pivot's column
        of_row[y, x] = np.float64(1 if x == y else 0)
    cuda.syncthreads()
    total = zero
    for k in range(SIDE):
        total += of_inverse[y, k] * of_row[k, x]
    quotient[y, x] = total
    cuda.syncthreads()
    if top != first:
        total = matrix[i, j] if left != first and i < n and j < n else zero
        for k in range(SIDE):
            total -= of_column[y, k] * quotient[k, x]
    if i < n and j < n:
        result[i, j] = total


invert_tile, exchange = kernel(_invert_tile, SIDE * SIDE), kernel(_exchange, SIDE * SIDE)
