"""One BLAS thread for the duration of a pass.

NumPy and SciPy each bring an OpenBLAS with a thread pool of its own. The matrices here are small: waking a pool costs
more than it brings, and on a busy machine the pools wait for each other and for our own threads, which split the batch.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from threadpoolctl import ThreadpoolController

_WITHIN: ContextVar[bool] = ContextVar("within single_threaded_blas", default=False)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Within the block, or within a function decorated with it, BLAS runs on the calling thread alone.

    A block inside another costs nothing: a check enters one, and each of its thousands of passes another.
    """
    if _WITHIN.get():
        yield
        return
    token = _WITHIN.set(True)
    several: list[tuple[Any, int]] = []
    try:
        # Not the controller's own ``limit``, which reports on every library first and takes four times as long.
        several += [(library, count) for library in _libraries() if (count := library.get_num_threads()) > 1]
        for library, _ in several:
            library.set_num_threads(1)
        yield
    finally:
        for library, count in several:
            library.set_num_threads(count)
        _WITHIN.reset(token)


@functools.cache
def _libraries() -> list[Any]:
    """Finding the loaded libraries takes milliseconds, so it is done once.

    A controller knows what was loaded before it. ``import scipy`` leaves ``scipy.linalg``, which brings SciPy's own
    BLAS, for its first use: it takes as long to import as this whole package.
    """
    importlib.import_module("scipy.linalg")
    found: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return found
