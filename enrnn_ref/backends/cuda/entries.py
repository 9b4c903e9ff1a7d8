"""Launches over all entries of an array: how many threads, and where the entry of each stands."""

from __future__ import annotations

import functools
from typing import Any

from enrnn_ref.backends.cuda.target import SIMULATED, device_function

THREADS, BLOCKS = (2, 1) if SIMULATED else (256, 1024)
"""At most; each thread takes the entries that many apart."""


def grid_over(size: int) -> tuple[int, int]:
    """Blocks and threads for so many entries."""
    return min(BLOCKS, -(-size // THREADS)), THREADS


@functools.cache
def place_of(axes: int) -> Any:
    """``place(shape, k)``: where the k-th entry of an array of so many axes, or more, stands, whatever its strides."""
    if axes < 2:

        @device_function
        def only(shape: Any, k: int) -> Any:
            return ()

        @device_function
        def along(shape: Any, k: int) -> Any:
            return (k,)

        return along if axes else only
    last = axes - 1  # numba-cuda's simulator knows no negative index of a shape
    before = place_of(last)

    @device_function
    def place(shape: Any, k: int) -> Any:
        return (*before(shape, k // shape[last]), k % shape[last])

    return place
