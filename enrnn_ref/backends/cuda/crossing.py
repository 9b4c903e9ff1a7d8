"""What crosses between host and device while neither waits for the other.

The device copies by itself from and to memory of the host that stays in its place. Stretches of it are kept, and lent
again when the copy is done that they were lent for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, default_stream, device_errors
from enrnn_ref.backends.memory import Kept

STAGED_BYTES = 1 << 26
"""Larger arrays go to the device straight from where they are, and are waited for: a copy would double their memory."""

KEPT_BYTES = 1 << 28
"""Of such memory, kept unused at most."""


class _Stretch:
    """Bytes of the host that the device reads and writes, and the event after which it does no more."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self.bytes: Array = cuda.pinned_array(nbytes, np.uint8)
        self.done = cuda.event()

    def like(self, array: Any) -> Array:
        """Its memory as an array of this shape and dtype."""
        alike: Array = self.bytes.view(array.dtype).reshape(array.shape)
        return alike


kept = Kept(_Stretch, lambda: KEPT_BYTES)


def _unused(nbytes: int) -> _Stretch:
    """A kept stretch that the device has done with, or a new one."""
    longest: _Stretch = kept.take(nbytes)
    if SIMULATED or longest.done.query():
        return longest
    kept.give_back(longest)
    return _Stretch(nbytes)


def send(target: Any, source: Array) -> None:
    """target = source, contiguous arrays of Numba's and of NumPy's; the source may be changed at once."""
    if source.nbytes > STAGED_BYTES:
        target.copy_to_device(source)
        return
    stretch = _unused(source.nbytes)
    staged = stretch.like(source)
    staged[...] = source
    target.copy_to_device(staged, default_stream())
    stretch.done.record()
    kept.give_back(stretch)


class Later:
    """A copy on the host of a contiguous array, as it is when all that is queued by now is done.

    Whoever reads it waits for that, and for nothing that is queued afterwards.
    """

    def __init__(self, array: Any) -> None:
        self._stretch = _unused(array.nbytes)
        kept.lend(self._stretch, self)
        self._numbers = self._stretch.like(array)
        array.data.copy_to_host(self._numbers, default_stream())
        self._stretch.done.record()

    @device_errors()
    def read(self) -> Array:
        """The numbers, to keep.

        Raises
        ------
        DeviceError
            The device was lost.
        """
        self._stretch.done.synchronize()
        return self._numbers.copy()
