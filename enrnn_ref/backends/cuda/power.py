"""A power of a matrix by repeated squaring [EN-13], all squarings in one launch.

Two launches a squaring, for the product and for its scale, would take longer than what they compute: the matrices here
have a few hundred rows. So the blocks share the tiles of a product, and all of them meet when a square is complete.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from enrnn_ref.backends.cuda import sums
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.sums import DOUBLE, sum_of_block, sum_of_parts
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, device_function, kernel

SMALLEST_EXPONENT = -1000
"""A square is scaled up by no more: it is zero, or as good as zero."""

SIDE, DEPTH = (2, 3) if SIMULATED else (32, 16)
"""A tile has ``SIDE`` rows and columns, small ones, so that many blocks have some; ``DEPTH`` columns and rows of its
factors are in shared memory at a time."""

EACH = SIDE * SIDE // sums.THREADS
"""Entries of a tile that a thread computes."""


def raised(work: DeviceArray, parts: DeviceArray) -> DeviceArray:
    """P of T^(2^k), scaled [EN-13], from work (2, n, n) that begins with T and is used up; n ≥ 1.

    Row j of ``parts`` (k + 1, blocks) gets the squares of P_j, block by block; row 0 has those of T.
    """
    square[meeting_blocks(), sums.THREADS](work.data, parts.data)
    return work[(len(parts) - 1) % 2]


@functools.cache
def meeting_blocks() -> int:
    """Blocks of a launch in which they meet: as many as write their sums, if all of them run at once; simulated ones
    cannot meet."""
    return 1 if SIMULATED else min(sums.BLOCKS, cuda.get_current_device().MULTIPROCESSOR_COUNT)


@kernel
def square(work: Any, parts: Any) -> None:
    """P_{j+1} = 2^(-e) P_j², where the squares of P_j add up to 2^e or less; see :func:`raised`."""
    entries = cuda.local.array(EACH, DOUBLE)
    n, own = work.shape[1], cuda.threadIdx.x
    across = (n + SIDE - 1) // SIDE
    for j in range(parts.shape[0] - 1):
        old, new, total = j % 2, 1 - j % 2, np.float64(0)
        exponent = max(math.frexp(sum_of_parts(parts[j]))[1], SMALLEST_EXPONENT)
        factor = math.ldexp(np.float64(1), -exponent)
        for tile in range(cuda.blockIdx.x, across * across, cuda.gridDim.x):
            top, left = tile // across * SIDE, tile % across * SIDE
            multiply_tile(entries, work, old, top, left)
            for q in range(EACH):
                row, column = top + row_of(q), left + column_of(q)
                if row < n and column < n:
                    entry = entries[q] * factor
                    work[new, row, column] = entry
                    total += entry * entry
        total = sum_of_block(total)
        if own == 0:
            for part in range(cuda.blockIdx.x, parts.shape[1], cuda.gridDim.x):
                parts[j + 1, part] = total if part == cuda.blockIdx.x else np.float64(0)
        cuda.cg.this_grid().sync()


@device_function
def multiply_tile(entries: Any, work: Any, of: int, top: int, left: int) -> None:
    """The thread's entries of P², P = work[of], of the tile that begins with row ``top`` and column ``left``."""
    of_rows = cuda.shared.array((DEPTH, SIDE), DOUBLE)
    of_columns = cuda.shared.array((DEPTH, SIDE), DOUBLE)
    zero, n = np.float64(0), work.shape[1]
    for q in range(EACH):
        entries[q] = zero
    for begin in range(0, n, DEPTH):
        for number in range(cuda.threadIdx.x, DEPTH * SIDE, sums.THREADS):  # neighbours fetch neighbouring entries
            k, i = number % DEPTH, number // DEPTH
            of_rows[k, i] = work[of, top + i, begin + k] if top + i < n and begin + k < n else zero
            k, i = number // SIDE, number % SIDE
            of_columns[k, i] = work[of, begin + k, left + i] if begin + k < n and left + i < n else zero
        cuda.syncthreads()
        for k in range(DEPTH):
            for q in range(EACH):
                entries[q] += of_rows[k, row_of(q)] * of_columns[k, column_of(q)]
        cuda.syncthreads()


@device_function
def row_of(q: int) -> int:
    """In its tile, of a thread's q-th entry: neighbouring threads have neighbouring columns."""
    return int((cuda.threadIdx.x + q * sums.THREADS) // SIDE)


@device_function
def column_of(q: int) -> int:
    """Likewise."""
    return int((cuda.threadIdx.x + q * sums.THREADS) % SIDE)
