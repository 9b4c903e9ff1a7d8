"""Memory that was freed, kept for the next array of its size: that of tapes and of blocks of gradients.

A tape is as large as all states of all times. The C library gives stretches of that size back to the system when they
are freed, and gets the next ones empty: each page of theirs then costs an interrupt, and its clearing, when it is first
written, which took as long as the mathematics (benchmarks/results). A training step needs the same sizes again and
again, so here what has been freed is kept, and handed out when the very same size is asked for.

A device's memory is kept in the same way (cuda/memory.py).
"""

from __future__ import annotations

import math
import operator
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array

LARGE_BYTES = 1 << 20
"""Smaller arrays are the C library's business: it keeps their memory itself. What the gradients of a block of time take
(models/time_blocks.py) it gives back from the heaps of threads other than the main one."""

KEPT_BYTES = 1 << 30
"""How much a process holds at most that it does not use at the moment."""


_NBYTES = operator.attrgetter("nbytes")


class Kept:
    """Stretches of memory that nobody uses.

    Parameters
    ----------
    new : function
        Makes a stretch of so many bytes, which says how many in ``nbytes``.
    most : function
        How many bytes to hold at most.
    """

    def __init__(self, new: Callable[[int], Any], most: Callable[[], int]) -> None:
        self._new, self._most = new, most
        self.stretches: deque[Any] = deque()  # its methods are atomic: one may come back while any line here runs

    def take(self, size: int) -> Any:
        """A kept stretch of just this size, or a new one."""
        for _ in range(len(self.stretches)):
            try:
                stretch = self.stretches.popleft()
            except IndexError:  # another thread was faster
                break
            if stretch.nbytes == size:
                return stretch
            self.stretches.append(stretch)
        return self._new(size)

    def give_back(self, stretch: Any) -> None:
        """Keep it, and let go of the longest kept ones that this leaves no room for."""
        self.stretches.append(stretch)
        while sum(map(_NBYTES, tuple(self.stretches))) > self._most():
            self.stretches.popleft()

    def lend(self, stretch: Any, borrower: object) -> None:
        """It comes back when the last array is gone that refers to ``borrower``."""
        weakref.finalize(borrower, self.give_back, stretch).atexit = False


class _Lease:
    """What arrays on a kept stretch refer to."""

    def __init__(self, stretch: Array) -> None:
        self.__array_interface__ = stretch.__array_interface__


kept = Kept(lambda size: np.empty(size, np.uint8), lambda: KEPT_BYTES)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """As :func:`numpy.empty`, on kept memory where there is some of this size."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LARGE_BYTES:
        return np.empty(shape, dtype)
    stretch = kept.take(size)
    lease = _Lease(stretch)
    kept.lend(stretch, lease)
    leased: Array = np.asarray(lease)
    return leased.view(dtype).reshape(shape)
