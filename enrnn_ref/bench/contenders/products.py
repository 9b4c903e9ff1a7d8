"""The limit: the matrix products of a forward and a backward pass, one after the other, and nothing else.

No sum with the drive, no nonlinearity, no gradient of it. A step waits for the one before, as in every recurrence. The
matrix is dense here, zero block or not, and all sums are in the arrays' own dtype.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.bench.contenders.base import Contender
from enrnn_ref.bench.threads import blas_threads, torch_threads
from enrnn_ref.bench.workload import Workload

Matrix = Any  # an array or a tensor


class _Share(NamedTuple):
    """Some of the sequences; what a step reads and writes is looked up beforehand."""

    x: Matrix
    dx: Matrix
    h: Matrix  # all times in rows, the states before every step
    dz: Matrix
    forward: list[tuple[Matrix, Matrix]]
    backward: list[tuple[Matrix, Matrix]]
    drecurrent: Matrix
    dinput: Matrix


class Products(Contender):
    """Drive, R h of every step, Rᵀ dz of every step, dR, dU and dx.

    ``shares``: the sequences are split among the threads, each with products of its own on one thread of BLAS; without,
    BLAS splits every product. Which one is faster depends on the size.
    """

    def __init__(self, work: Workload, *, shares: bool) -> None:
        super().__init__(work)
        self.shares = min(work.threads, work.size.batch) if shares else 1
        self.blas = 1 if shares else work.threads
        self.recurrent, self.input = self._own(work.matrix.copy()), self._own(work.params["input"])
        self.transposed = self._own(np.ascontiguousarray(work.matrix.T))
        self.pool = ThreadPoolExecutor(self.shares)
        bounds = [work.size.batch * k // self.shares for k in range(self.shares + 1)]
        self.work_of = [self._share(low, high) for low, high in pairwise(bounds)]

    @abstractmethod
    def _own(self, array: Array) -> Matrix:
        """``array`` as the library has it."""

    @abstractmethod
    def _multiply(self) -> Callable[[Matrix, Matrix, Matrix], object]:
        """The function (a, b, out)."""

    def run(self) -> object:
        if self.shares == 1:
            self._all_products(self.work_of[0])
        else:
            list(self.pool.map(self._all_products, self.work_of))
        return None

    def _share(self, low: int, high: int) -> _Share:
        """Of sequences low..high, in arrays of their own: contiguous."""
        size, batch = self.work.size, high - low
        row, rows = (size.steps + 1) * size.units, size.steps * batch
        h, dz = (
            self._own(flat[low * row : high * row].reshape(size.steps + 1, batch, size.units))
            for flat in self.work.scratch
        )

        def room(*shape: int) -> Array:
            return np.ones(shape, self.work.dtype)

        return _Share(
            self._own(room(rows, size.inputs)),
            self._own(room(rows, size.inputs)),
            h[:-1].reshape(rows, size.units),
            dz[1:].reshape(rows, size.units),
            [(h[t], h[t + 1]) for t in range(size.steps)],
            [(dz[t + 1], dz[t]) for t in reversed(range(size.steps))],
            self._own(room(size.units, size.units)),
            self._own(room(size.units, size.inputs)),
        )

    def _all_products(self, share: _Share) -> None:
        multiply = self._multiply()
        multiply(share.x, self.input.T, share.h)  # overwritten by the loop, as ours is
        transposed, recurrent = self.transposed, self.recurrent
        for h, following in share.forward:
            multiply(h, transposed, following)
        for dz, preceding in share.backward:
            multiply(dz, recurrent, preceding)
        multiply(share.dz.T, share.h, share.drecurrent)
        multiply(share.dz.T, share.x, share.dinput)
        multiply(share.dz, self.input, share.dx)


class MklProducts(Products):
    """By PyTorch, whose BLAS is MKL on this kind of processor, as far as its build says so."""

    def __init__(self, work: Workload, *, shares: bool) -> None:
        self.torch = importlib.import_module("torch")
        super().__init__(work, shares=shares)

    def setting(self) -> AbstractContextManager[object]:
        return torch_threads(self.torch, self.blas)

    def _own(self, array: Array) -> Matrix:
        return self.torch.from_numpy(array)

    def _multiply(self) -> Callable[[Matrix, Matrix, Matrix], object]:
        mm = self.torch.mm
        return lambda a, b, out: mm(a, b, out=out)


class OpenblasProducts(Products):
    """By NumPy, whose BLAS is OpenBLAS where it came as a wheel."""

    def setting(self) -> AbstractContextManager[object]:
        return blas_threads(self.blas)

    def _own(self, array: Array) -> Matrix:
        return array

    def _multiply(self) -> Callable[[Matrix, Matrix, Matrix], object]:
        return np.matmul
