"""The Euclidean norm of all entries of some arrays, in float64 and in an order that is always the same.

Squares of gradients that need clipping may overflow, so a sum of squares is a pair (s, q) that stands for s² q, with
the largest magnitude for s. Every thread of a launch over the entries has a pair of its own; one block combines them,
two by two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from enrnn_ref.backends.cuda import arrays
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.sums import BLOCKS, DOUBLE, THREADS
from enrnn_ref.backends.cuda.target import cuda, device_function, kernel


def norm(there: Sequence[Any]) -> float:
    """Of all entries together; a pair is all that comes to the host."""
    pairs = arrays.zeros((2, BLOCKS * THREADS), np.float64)
    for array in there:
        if array.size:
            add_scaled_squares[BLOCKS, THREADS](pairs, array.reshape(array.size).data)
    found = device_array(2, np.float64)
    combine[1, THREADS](found, pairs)
    scale, squares = DeviceArray(found).copy_to_host()
    return float(scale) * math.sqrt(squares)


@device_function
def scaled_square(x: Any) -> Any:
    """x² as a pair."""
    size, zero = abs(x), np.float64(0)
    return (size, np.float64(1)) if size > zero else (zero, size)  # NaN is no scale: nothing would be larger


@device_function
def scaled_sum(one: Any, other: Any) -> Any:
    """Of two pairs: the larger scale stays, so that nothing overflows."""
    if one[0] < other[0]:
        ratio = one[0] / other[0]
        return other[0], other[1] + one[1] * (ratio * ratio)
    if one[0] > other[0]:
        ratio = other[0] / one[0]
        return one[0], one[1] + other[1] * (ratio * ratio)
    return one[0], one[1] + other[1]


@kernel
def add_scaled_squares(pairs: Any, array: Any) -> None:
    """To each thread's pair, a column of (2, threads), the squares of its own entries."""
    own = cuda.grid(1)
    pair = pairs[0, own], pairs[1, own]
    for k in range(own, array.shape[0], cuda.gridsize(1)):
        pair = scaled_sum(pair, scaled_square(np.float64(array[k])))
    pairs[0, own], pairs[1, own] = pair


@kernel
def combine(found: Any, pairs: Any) -> None:
    """found (2,): what the pairs of all threads add up to; for one block, whose threads are a power of two."""
    scales = cuda.shared.array(THREADS, DOUBLE)  # a line each: by it the simulator tells them apart
    squares = cuda.shared.array(THREADS, DOUBLE)
    own, half = cuda.threadIdx.x, THREADS // 2
    pair = pairs[0, own], pairs[1, own]
    for k in range(own + THREADS, pairs.shape[1], THREADS):
        pair = scaled_sum(pair, (pairs[0, k], pairs[1, k]))
    scales[own], squares[own] = pair
    while half > 0:
        cuda.syncthreads()
        if own < half:
            pair = scaled_sum((scales[own], squares[own]), (scales[own + half], squares[own + half]))
            scales[own], squares[own] = pair
        half //= 2
    if own == 0:
        found[0], found[1] = scales[0], squares[0]
