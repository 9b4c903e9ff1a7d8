"""Sums over all entries that come to the host as one number, in float64 and in an order that is always the same.

Every thread of a launch over the entries sums those that are its own; one block adds up the sums of all threads, two by
two.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from enrnn_ref.backends.cuda import arrays
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, device_function, kernel, number_type
from enrnn_ref.backends.tuples import gathering, scattering

BLOCKS, THREADS = (2, 2) if SIMULATED else (32, 128)
"""Of a launch over the entries, always so many: on them depends in which order is added."""

FOLD = 2 if SIMULATED else 256
"""Threads of the block that adds up the others' sums, a power of two, and no more than there are sums."""

_DOUBLE = number_type(np.dtype(np.float64))


def parts() -> Any:
    """Room for the sums of all threads, (1, threads)."""
    return cuda.device_array((1, BLOCKS * THREADS), np.float64)


def total(sums: Any) -> float:
    """Of the sums (1, threads)."""
    found = _folded(sum_of, sums)
    return float(found[0])


def norm(there: Sequence[Any]) -> float:
    """The Euclidean norm of all entries of all arrays together."""
    sums = arrays.zeros((2, BLOCKS * THREADS), np.float64)
    for array in there:
        if array.size:
            add_scaled_squares[BLOCKS, THREADS](sums, array.reshape(array.size).data)
    scale, squares = _folded(scaled_sum, sums)
    return float(scale) * math.sqrt(squares)


def _folded(combined: Callable[..., Any], sums: Any) -> Any:
    """(components,) on the host."""
    found = cuda.device_array((sums.shape[0], 1), np.float64)
    folding(combined, sums.shape[0])[1, FOLD](found, sums)
    return DeviceArray(found).copy_to_host()[:, 0]


@device_function
def sum_of(one: Any, other: Any) -> Any:
    return (one[0] + other[0],)


@device_function
def scaled_square(x: Any) -> Any:
    """x² as a pair (s, q) with s² q = x²."""
    size, zero = abs(x), np.float64(0)
    return (size, np.float64(1)) if size > zero else (zero, size)  # NaN is no scale: nothing would be larger


@device_function
def scaled_sum(one: Any, other: Any) -> Any:
    """Of two sums of squares s² q, as pairs (s, q): the larger scale stays, so that nothing overflows."""
    if one[0] < other[0]:
        ratio = one[0] / other[0]
        return other[0], other[1] + one[1] * (ratio * ratio)
    if one[0] > other[0]:
        ratio = other[0] / one[0]
        return one[0], one[1] + other[1] * (ratio * ratio)
    return one[0], one[1] + other[1]


@kernel
def add_scaled_squares(sums: Any, array: Any) -> None:
    """To each thread's pair (s, q) the squares of its own entries."""
    own = cuda.grid(1)
    pair = sums[0, own], sums[1, own]
    for k in range(own, array.shape[0], cuda.gridsize(1)):
        pair = scaled_sum(pair, scaled_square(np.float64(array[k])))
    sums[0, own], sums[1, own] = pair


@functools.cache
def folding(combined: Any, components: int) -> Any:
    """``work(found, sums)``: what the columns of (components, threads) combine to, as (components, 1); of one block."""
    form = components, FOLD
    column = device_function(gathering("array, k", [f"array[{c}, k]" for c in range(components)]))
    put = device_function(
        scattering("array, k, values", [f"array[{c}, k] = values[{c}]" for c in range(components)], {})
    )

    @kernel
    def work(found: Any, sums: Any) -> None:
        kept = cuda.shared.array(form, _DOUBLE)
        own = cuda.threadIdx.x
        mine = column(sums, own)
        for k in range(own + FOLD, sums.shape[1], FOLD):
            mine = combined(mine, column(sums, k))
        put(kept, own, mine)
        half = FOLD // 2
        while half > 0:
            cuda.syncthreads()
            if own < half:
                put(kept, own, combined(column(kept, own), column(kept, own + half)))
            half //= 2
        if own == 0:
            put(found, 0, column(kept, 0))

    return work
