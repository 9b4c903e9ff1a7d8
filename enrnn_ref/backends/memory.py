"""The memory of tapes and of blocks of gradients, kept for the next one.

A tape is as large as all states of all times. The C library gives stretches of that size back to the system when they
are freed, and gets the next ones empty: each page of theirs then costs an interrupt, and its clearing, when it is first
written, which took as long as the mathematics (benchmarks/results). A training step needs the same sizes again and
again, so here what has been freed is kept, and handed out when the very same size is asked for.
"""

from __future__ import annotations

import math
import weakref
from collections import deque

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array

LARGE_BYTES = 1 << 20
"""Smaller arrays are the C library's business: it keeps their memory itself. What the gradients of a block of time take
(models/time_blocks.py) it gives back from the heaps of threads other than the main one."""

KEPT_BYTES = 1 << 30
"""How much a process holds at most that it does not use at the moment."""

_kept: deque[Array] = deque()  # its methods are atomic: a stretch may come back while any thread runs any line here


class _Lease:
    """What arrays on a kept stretch of memory refer to; when the last of them is gone, so is the lease."""

    def __init__(self, memory: Array) -> None:
        self.__array_interface__ = memory.__array_interface__
        weakref.finalize(self, _give_back, memory).atexit = False


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """As :func:`numpy.empty`, on kept memory where there is some of this size."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LARGE_BYTES:
        return np.empty(shape, dtype)
    leased: Array = np.asarray(_Lease(_take(size)))
    return leased.view(dtype).reshape(shape)


def _take(size: int) -> Array:
    """A kept stretch of just this size, or a new one."""
    for _ in range(len(_kept)):
        try:
            memory = _kept.popleft()
        except IndexError:  # another thread was faster
            break
        if memory.nbytes == size:
            return memory
        _kept.append(memory)
    return np.empty(size, np.uint8)


def _give_back(memory: Array) -> None:
    """Keep it, and let go of the longest kept ones that this leaves no room for."""
    _kept.append(memory)
    while sum(other.nbytes for other in tuple(_kept)) > KEPT_BYTES:
        _kept.popleft()
