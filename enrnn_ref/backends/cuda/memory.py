"""Arrays in memory of the device that is kept when they are gone, and handed out to the next of their size.

The driver takes long to make a stretch of memory, and to free one it waits for the device: a training step, which needs
dozens, would never run ahead of it. What is handed out again may still be read by kernels that are queued; whatever
writes to it is queued behind them, in the same stream.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.backends.cuda.target import DRIVER_ERRORS, SIMULATED, cuda, lent_from
from enrnn_ref.backends.memory import Kept

PART = 4
"""Of the device's memory one part in so many is kept unused at most."""

SIMULATED_BYTES = 1 << 26
"""A simulator's memory has no end."""


class _Lease:
    """What arrays on a kept stretch refer to."""


def device_array(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> Any:
    """One of Numba's arrays, with anything in it, as ``cuda.device_array`` makes them."""
    shape = (shape,) if isinstance(shape, int) else shape
    kind: np.dtype[Any] = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size == 0:
        return cuda.device_array(shape, kind)
    stretch, lease = kept.take(size), _Lease()
    kept.lend(stretch, lease)
    return lent_from(stretch, shape, kind, lease)


def _new(size: int) -> Any:
    try:
        return cuda.device_array(size, np.uint8)
    except DRIVER_ERRORS:  # what is kept may be what is missing
        kept.stretches.clear()
        return cuda.device_array(size, np.uint8)


@functools.cache
def _most() -> int:
    return SIMULATED_BYTES if SIMULATED else int(cuda.current_context().get_memory_info().total // PART)


kept = Kept(_new, _most)
