"""The Euclidean norm of all entries of some arrays, in float64 and in an order that is always the same; a limit for it.

Squares of gradients that need clipping may overflow, so a sum of squares is a pair (s, q) that stands for s² q, with
the largest magnitude for s. Every thread of a launch over the entries has a pair of its own; one block combines them,
two by two. The norm stays on the device.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from enrnn_ref.backends.cuda import arrays
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.entries import grid_over
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.sums import BLOCKS, DOUBLE, THREADS
from enrnn_ref.backends.cuda.target import cuda, device_function, kernel
from enrnn_ref.backends.tuples import scattering

TOGETHER = 24
"""Arrays that one launch reads at most, and writes at most: what a kernel is handed has to fit into four kilobytes."""


def norm(there: Sequence[Any]) -> DeviceArray:
    """Of all entries together, ()."""
    pairs = arrays.zeros((2, BLOCKS * THREADS), np.float64)
    for part in _parts(there):
        add_scaled_squares(len(part))[BLOCKS, THREADS](pairs, arrays.flat(part))
    found = DeviceArray(device_array(1, np.float64))[0]
    combine[1, THREADS](found.data, pairs)
    return found


def limited(there: Sequence[Any], norm: DeviceArray, limit: float) -> list[DeviceArray]:
    """New arrays: all scaled by one factor, so that what had this norm has the limit at most."""
    found = [DeviceArray(device_array(array.shape, array.dtype)) for array in there]
    for targets, sources in zip(_parts(found), _parts(there), strict=True):
        grid = grid_over(max(array.size for array in sources))
        limiting(len(sources))[grid](arrays.flat(targets), arrays.flat(sources), norm.data, float(limit))
    return found


def _parts(there: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Arrays with entries, so many as may share a launch."""
    filled = [array for array in there if array.size]
    for first in range(0, len(filled), TOGETHER):
        yield filled[first : first + TOGETHER]


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


@device_function
def add_own(pairs: Any, array: Any, own: int, step: int) -> None:
    """To a thread's pair, a column of (2, threads), the squares of its own entries."""
    pair = pairs[0, own], pairs[1, own]
    for k in range(own, array.shape[0], step):
        pair = scaled_sum(pair, scaled_square(np.float64(array[k])))
    pairs[0, own], pairs[1, own] = pair


@functools.cache
def add_scaled_squares(count: int) -> Any:
    """``work(pairs, arrays)``: to the pair of each thread the squares of its own entries of so many arrays."""
    added = [f"add_own(pairs, arrays[{i}], own, step)" for i in range(count)]
    add_each = device_function(scattering("pairs, arrays, own, step", added, {"add_own": add_own}))

    @kernel
    def work(pairs: Any, arrays: Any) -> None:
        add_each(pairs, arrays, cuda.grid(1), cuda.gridsize(1))

    return work


@functools.cache
def limiting(count: int) -> Any:
    """``work(targets, sources, norm, limit)``: tuples of so many arrays with one axis."""
    scaled = [
        f"for k in range(first, targets[{i}].shape[0], step): targets[{i}][k] = factor * sources[{i}][k]"
        for i in range(count)
    ]
    scale_each = device_function(scattering("targets, sources, factor, first, step", scaled, {}))

    @kernel
    def work(targets: Any, sources: Any, norm: Any, limit: float) -> None:
        factor = limit / norm[()] if norm[()] > limit else np.float64(1)
        scale_each(targets, sources, targets[0].dtype.type(factor), cuda.grid(1), cuda.gridsize(1))

    return work


@kernel
def combine(found: Any, pairs: Any) -> None:
    """found (): the root of what the pairs of all threads add up to; for one block, its threads a power of two."""
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
        found[()] = scales[0] * math.sqrt(squares[0])
