"""Numbers of the device that the host reads later, while kernels behind them run already."""

from __future__ import annotations

from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.backends.cuda.target import cuda, default_stream, device_errors
from enrnn_ref.backends.memory import Kept

KEPT_BYTES = 1 << 20
"""Of the host's memory that the device writes to, kept unused at most; a step reads some thousand numbers."""

kept = Kept(lambda size: cuda.pinned_array(size, np.uint8), lambda: KEPT_BYTES)


class Later:
    """A copy on the host of a contiguous array, as it is when all that is queued by now is done.

    Whoever reads it waits for that, and for nothing that is queued afterwards.
    """

    def __init__(self, array: Any) -> None:
        stretch = kept.take(array.nbytes)
        kept.lend(stretch, self)  # a copy that nobody waited for is queued before the one of the next borrower
        self._numbers: Array = stretch.view(array.dtype).reshape(array.shape)
        array.data.copy_to_host(self._numbers, default_stream())
        self._done = cuda.event()
        self._done.record()

    @device_errors()
    def read(self) -> Array:
        """The numbers, to keep.

        Raises
        ------
        DeviceError
            The device was lost.
        """
        self._done.synchronize()
        return self._numbers.copy()
