"""Fifth rung: the products over all times, in tiles, and sums over slices of time in a fixed order.

    result[slice, i, j] = Σ_d a[d, i] b[d, j]      (dR, dU: d runs through the times and sequences of the slice)
    result[i, j] = Σ_d a[i, d] b[j, d] + c_j             (drive, readout: i runs through times and sequences)

A block computes a tile of ``threads · each`` rows and columns; it fetches ``depth`` columns of both factors to shared
memory at a time, and every thread holds ``each`` by ``each`` sums in registers: for ``2 · each`` entries that it reads,
``each²`` multiply-adds. A matrix of gradients has few tiles and very many times, so that slices of time go to blocks of
their own. Their sums are added in float64, in order: no atomic operation, the same bits every time.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.backends.cuda.target import SIMULATED, cuda, device_function, kernel, number_type


class Tile(NamedTuple):
    """``threads`` by ``threads`` threads, each with ``each`` by ``each`` sums; ``depth`` columns at a time."""

    threads: int
    each: int
    depth: int

    @property
    def side(self) -> int:
        return self.threads * self.each


TILE = Tile(2, 2, 3) if SIMULATED else Tile(16, 4, 16)
"""On a device: 256 threads with 16 sums each, 8 kB of shared memory in float32. A simulated thread is a real one."""


class Products(NamedTuple):
    """``over_time(result, a, b, bias, steps)`` and ``over_columns(...)``.

    result (slices, k, m), a (T, B, k), b (T, B, m), or result (T, B, k), a (T, B, d), b (1, k, d) · bias (k,) or empty.
    ``steps``: times of a slice. A slice is a block's z in the grid.
    """

    over_time: Any
    over_columns: Any


@functools.cache
def products(kind: Any, tile: Tile = TILE) -> Products:
    """The two products for arrays of one dtype."""
    dtype, zero = number_type(kind), kind.type(0)
    side, each, depth, threads = tile.side, tile.each, tile.depth, tile.threads

    @device_function
    def along_time(array: Any, d: int, i: int) -> Any:
        t, b = d // array.shape[1], d % array.shape[1]
        return array[t, b, i] if i < array.shape[2] else zero

    @device_function
    def along_columns(array: Any, d: int, i: int) -> Any:
        t, b = i // array.shape[1], i % array.shape[1]
        return array[t, b, d] if t < array.shape[0] else zero

    @device_function
    def put_slice(result: Any, part: int, i: int, j: int, value: Any) -> None:
        result[part, i, j] = value

    @device_function
    def put_row(result: Any, part: int, i: int, j: int, value: Any) -> None:
        result[i // result.shape[1], i % result.shape[1], j] = value

    def product(entry: Any, put: Any, of_time: bool) -> Any:
        @kernel
        def multiply(result: Any, a: Any, b: Any, bias: Any, steps: int) -> None:
            of_a = cuda.shared.array((depth, side), dtype)
            of_b = cuda.shared.array((depth, side), dtype)
            sums = cuda.local.array((each, each), dtype)
            x, y = cuda.threadIdx.x, cuda.threadIdx.y
            top, left, part = cuda.blockIdx.x * side, cuda.blockIdx.y * side, cuda.blockIdx.z
            if of_time:
                first, last = part * steps * a.shape[1], min((part + 1) * steps, a.shape[0]) * a.shape[1]
            else:
                first, last = 0, a.shape[2]
            for p in range(each):
                for q in range(each):
                    sums[p, q] = zero
            for begin in range(first, last, depth):
                for number in range(y * threads + x, depth * side, threads * threads):
                    if of_time:  # neighbouring threads fetch neighbouring entries
                        k, i = number // side, number % side
                    else:
                        k, i = number % depth, number // depth
                    inside = begin + k < last
                    of_a[k, i] = entry(a, begin + k, top + i) if inside else zero
                    of_b[k, i] = entry(b, begin + k, left + i) if inside else zero
                cuda.syncthreads()
                for k in range(depth):
                    for p in range(each):
                        factor = of_a[k, y + p * threads]
                        for q in range(each):
                            sums[p, q] += factor * of_b[k, x + q * threads]
                cuda.syncthreads()
            rows = result.shape[1] if of_time else result.shape[0] * result.shape[1]
            for p in range(each):
                for q in range(each):
                    i, j = top + y + p * threads, left + x + q * threads
                    if i < rows and j < result.shape[2]:
                        put(result, part, i, j, sums[p, q] + bias[j] if bias.shape[0] > 0 else sums[p, q])

        return multiply

    return Products(product(along_time, put_slice, True), product(along_columns, put_row, False))


@kernel
def add_slices(total: Any, parts: Any) -> None:
    """total (k, m), in float64, = Σ parts (slices, k, m), in order."""
    j, i = cuda.grid(2)
    if i < total.shape[0] and j < total.shape[1]:
        value = np.float64(0)
        for part in range(parts.shape[0]):
            value += parts[part, i, j]
        total[i, j] = value


@kernel
def sum_rows(parts: Any, array: Any, steps: int) -> None:
    """parts (slices, 1, k) = Σ array (T, B, k) over the times of a slice."""
    j, part = cuda.grid(2)
    if j < array.shape[2] and part < parts.shape[0]:
        value = type(array[0, 0, j])(0)
        for t in range(part * steps, min((part + 1) * steps, array.shape[0])):
            for b in range(array.shape[1]):
                value += array[t, b, j]
        parts[part, 0, j] = value
