"""Sums over all entries, without atomic operations: of a block by halves, of the blocks in their order."""

from __future__ import annotations

from typing import Any

import numpy as np

from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, device_function, kernel, number_type

THREADS, BLOCKS = (2, 2) if SIMULATED else (256, 32)
"""Threads a power of two; few blocks, whose sums a single thread adds."""

DOUBLE = number_type(np.dtype(np.float64))


def room() -> Any:
    """For the sums of all blocks."""
    return device_array(BLOCKS, np.float64)


def total(parts: Any) -> DeviceArray:
    """Σ parts (blocks,): a number that stays on the device."""
    found = DeviceArray(device_array(1, np.float64))[0]
    add_parts[1, 1](found.data, parts)
    return found


@device_function
def sum_of_block(value: Any) -> Any:
    """The sum of the values of all threads of a block; all of them must come here."""
    held = cuda.shared.array(THREADS, DOUBLE)
    own, half = cuda.threadIdx.x, THREADS // 2
    held[own] = value
    cuda.syncthreads()
    while half > 0:
        if own < half:
            held[own] += held[own + half]
        cuda.syncthreads()
        half //= 2
    total = held[0]
    cuda.syncthreads()  # the next sum begins when all have read this one
    return total


@device_function
def sum_of_parts(parts: Any) -> Any:
    """Σ parts (blocks,), in their order."""
    total = parts[0]
    for part in range(1, parts.shape[0]):
        total += parts[part]
    return total


@kernel
def add_products(parts: Any, a: Any, b: Any) -> None:
    """parts (blocks,): each block's share of Σ a_k b_k, a and b (size,)."""
    total = np.float64(0)
    for k in range(cuda.grid(1), a.shape[0], cuda.gridsize(1)):
        total += a[k] * b[k]
    total = sum_of_block(total)
    if cuda.threadIdx.x == 0:
        parts[cuda.blockIdx.x] = total


@kernel
def add_parts(total: Any, parts: Any) -> None:
    """total () = Σ parts; for one thread."""
    total[()] = sum_of_parts(parts)
