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
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _WITHIN.reset(token)


@functools.cache
def _controller() -> ThreadpoolController:
    """Finding the loaded libraries takes milliseconds, so it is done once.

    A controller knows what was loaded before it. ``import scipy`` leaves ``scipy.linalg``, which brings SciPy's own
    BLAS, for its first use: it takes as long to import as this whole package.
    """
    importlib.import_module("scipy.linalg")
    return ThreadpoolController()
