"""The processor's own limit: as many multiply-adds as a pass has, on numbers that never leave the first-level cache.

What the products alone take longer than this is memory and calls; how much faster it is on all threads than on one says
how many processors the machine really gives, which on a shared one may be fewer than it counts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from enrnn_ref.backends.compiler import jit
from enrnn_ref.backends.products import PANELS, TILE_ROWS, Term, add_product, pack
from enrnn_ref.backends.tile import lanes
from enrnn_ref.bench.contenders.base import Contender
from enrnn_ref.bench.threads import numba_threads
from enrnn_ref.bench.workload import Workload

ROWS, DEPTH = 2 * TILE_ROWS, 96
"""Of a product whose factors and result, in float64, fill at most 36 kB."""


class Arithmetic(Contender):
    """The multiply-adds of R h, Rᵀ dz, dR where R may be other than zero, of the drive, dU and dx, shared evenly."""

    def __init__(self, work: Workload, *, threads: int | None = None) -> None:
        super().__init__(work)
        self.threads = threads or work.threads
        rng, width = np.random.default_rng(0), PANELS[-1] * lanes(work.dtype)
        self.packed = pack([Term(0, 0, rng.standard_normal((width, DEPTH)).astype(work.dtype))], work.dtype)
        self.source = rng.standard_normal((ROWS, DEPTH)).astype(work.dtype)
        self.target = np.zeros((ROWS, width), work.dtype)
        self.count = max(1, round(multiply_adds(work) / (self.threads * self.target.size * DEPTH)))
        self.pool = ThreadPoolExecutor(self.threads)

    def setting(self) -> AbstractContextManager[object]:
        return numba_threads(self.threads)

    def run(self) -> object:
        list(self.pool.map(self._share, range(self.threads)))
        return None

    def _share(self, _: int) -> None:
        _repeat(self.target.copy(), self.source, self.packed, self.count)


def multiply_adds(work: Workload) -> int:
    """Of the products in a forward and a backward pass, those of R and those of U three times each."""
    size = work.size
    recurrent = sum(work.matrix[block].size for block in work.model.parametrization.support)
    return 3 * size.steps * size.batch * (recurrent + size.units * size.inputs)


@jit
def _repeat(target: Any, source: Any, packed: Any, count: int) -> None:
    for _ in range(count):
        add_product(target, source, packed)
