"""The compiled backend: the same loops in Numba, one compilation per kind of cell and dtype.

Threads share the sequences of a batch: each takes its share through a whole pass, the loop and the products, and they
meet at the end of it. Where there are fewer sequences than threads, one of those that are left over does the products
over a block of time while the share's own thread loops over the steps of the next. The number of threads is Numba's
(``numba.set_num_threads``); the models hold BLAS to one thread meanwhile, whose own pool would fight ours. Every share
has its own partial sums, which are added in a fixed order: for a given thread count the bits do not change from run to
run.

Subnormal numbers are flushed. The short-term state decays by design, and on many processors arithmetic on subnormals
costs a hundred times more. A state or a gradient below ``smallest normal / machine epsilon`` (1e-31 in float32, 1e-292
in float64) is set to zero: then its product with any weight above machine epsilon is still a normal number, inside the
matrix products too.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.lib.stride_tricks import as_strided

from enrnn_ref.arrays import Array
from enrnn_ref.backends.base import (
    Backend,
    Item,
    Looped,
    Prepared,
    Result,
    SequenceGradients,
    SequenceTape,
    Stages,
    States,
    Step,
    flush_below,
    settings_of,
    state_room,
)
from enrnn_ref.backends.kernels import add_columns, affine, compile_kernels
from enrnn_ref.backends.products import Packed, Term, pack
from enrnn_ref.backends.reference import sum_outer
from enrnn_ref.cells.base import Cell

PARALLEL_WORK = 1 << 22  # multiply-adds below which waking a second thread costs more than it brings
TIME_BLOCK_ROWS = 1024  # rows of a product over time: one block stays in the cache, and is summed in the arrays' dtype


class CpuBackend(Backend):
    """Numba on the CPU.

    Parameters
    ----------
    threads : int, optional
        How many it may use; as many as Numba's setting says at the time, if none are given.
    """

    name = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        self._given = threads

    @property
    def _threads(self) -> int:
        return numba.get_num_threads() if self._given is None else self._given

    def shares(self, batch: int, multiply_adds: int) -> list[slice]:
        return _shares(batch, self._threads if multiply_adds >= PARALLEL_WORK else 1)

    def each(self, work: Callable[[Backend, Item], Result], items: Sequence[Item]) -> list[Result]:
        if len(items) == 1:
            return [work(self, items[0])]
        threads, lines = self._threads, min(self._threads, len(items))

        def line(k: int) -> list[Result]:  # items k, k + lines, … one after the other
            engine = CpuBackend(len(range(k, threads, lines)))
            return [work(engine, item) for item in items[k::lines]]

        found = _side_by_side([functools.partial(line, k) for k in range(lines)], _pool("passes"))
        return [found[i % lines][i // lines] for i in range(len(items))]

    def pipeline(self, stages: Stages[Item, Prepared, Looped], items: Sequence[Item], multiply_adds: int) -> None:
        if len(items) == 1 or multiply_adds < PARALLEL_WORK or self._threads == 1:
            super().pipeline(stages, items, multiply_adds)
            return
        before, loop, after = stages
        coming: list[Prepared] = [before(items[0])]
        gone: list[Looped] = []

        def beside(item: Item | None) -> None:
            """What one thread does while the other loops: it ends what looped last, and begins what loops next."""
            if gone:
                after(gone.pop())
            if item is not None:
                coming.append(before(item))

        for item in (*items[1:], None):
            looping = functools.partial(loop, coming.pop())
            looped, _ = _side_by_side([looping, functools.partial(beside, item)], _pool("products"))
            gone.append(looped)
        after(gone.pop())

    def affine(self, x: Array, weight: Array, bias: Array | None, out: Array | None = None) -> Array:
        y = self.empty((*x.shape[:2], len(weight)), x.dtype) if out is None else out
        assert y.flags.c_contiguous  # else the next line would make a copy of it
        rows, results = np.ascontiguousarray(x).reshape(-1, x.shape[2]), y.reshape(-1, y.shape[2])
        packed = pack([Term(0, 0, weight)], x.dtype)
        offset = np.zeros(len(weight), x.dtype) if bias is None else bias
        affine(results, rows, packed, offset)
        return y

    def correlate(self, dz: Array, x: Array) -> Array:
        steps = max(1, TIME_BLOCK_ROWS // dz.shape[1])
        total = sum_outer(dz[:steps], x[:steps]).astype(np.float64, copy=False)
        for t in range(steps, len(dz), steps):
            total += sum_outer(dz[t : t + steps], x[t : t + steps])
        return total

    def total(self, dz: Array) -> Array:
        total = np.zeros(dz.shape[2])
        add_columns(total, dz.reshape(-1, dz.shape[2]))
        return total

    def forward(self, cell: Cell, step: Step, tape: SequenceTape) -> None:
        h, memory, z, emitted, relayed = tape
        compile_kernels(cell).forward(
            *_matrices(step), step.theta, settings_of(cell, z.dtype), z, h, memory,
            _or_empty(emitted, z), _or_empty(relayed, z), _unseen(cell, memory), flush_below(z),
        )  # fmt: skip

    def backward(
        self, cell: Cell, step: Step, tape: SequenceTape, dh: Array | None, dfinal: States
    ) -> SequenceGradients:
        z = tape.z
        dz, dtheta = self.empty(z.shape, z.dtype), np.zeros(step.theta.shape)
        dinitial = States(dfinal.h.copy(), dfinal.memory.copy())
        whole = None if step.projection is None else self.empty((len(z), *dfinal.h.shape), z.dtype)
        _, batch, n = dfinal.memory.shape
        dm, dq = np.zeros((batch, cell.output_components * n), z.dtype), np.empty((batch, n), z.dtype)
        compile_kernels(cell).backward(
            *_matrices(step, transposed=True), step.theta, settings_of(cell, z.dtype), z, tape.h, tape.memory,
            *_by_time(dh, z), *dinitial, dz, dtheta, _or_empty(whole, z), _unseen(cell, tape.memory), dm, dq,
            flush_below(z),
        )  # fmt: skip
        return SequenceGradients(dz, dinitial, dtheta, whole)

    def tangent(
        self, cell: Cell, step: Step, drive: Array, initial: States, dstep: Step, ddrive: Array, dinitial: States
    ) -> tuple[States, States]:
        states, dstates = state_room(self, initial, len(drive)), state_room(self, dinitial, len(drive))
        _, batch, n = initial.memory.shape
        m, dm = (np.empty((1, batch, cell.output_components * n), drive.dtype) for _ in range(2))
        q, dq = (np.empty((batch, n), drive.dtype) for _ in range(2))
        r, r_relayed, projection = _matrices(step)
        dr, dr_relayed, dprojection = _matrices(dstep)
        compile_kernels(cell).tangent(
            r, dr, r_relayed, dr_relayed, projection, dprojection, step.theta,
            settings_of(cell, drive.dtype), dstep.theta, drive, ddrive, states.h, dstates.h, states.memory,
            dstates.memory, _unseen(cell, states.memory), m, dm, q, dq, flush_below(drive),
        )  # fmt: skip
        return states, dstates


Matrices = tuple[Packed, Packed, Packed]


def _matrices(step: Step, *, transposed: bool = False) -> Matrices:
    """What a loop multiplies by: R for h, R for the relay, and P; transposed, for the backward loop."""
    name = "transposed" if transposed else "as given"
    if name not in step.prepared:
        step.prepared[name] = _packed(step, transposed)
    matrices: Matrices = step.prepared[name]
    return matrices


def _packed(step: Step, transposed: bool) -> Matrices:
    def term(rows: int, columns: int, block: Array) -> Term:
        return Term(columns, rows, block.T) if transposed else Term(rows, columns, block)

    products: tuple[list[Term], list[Term]] = ([], [])
    for part in step.parts:
        products[part.relayed].append(term(part.z.start, part.columns.start, step.matrix[part.rows, part.columns]))
    projection = [] if step.projection is None else [term(0, 0, step.projection)]
    dtype = step.matrix.dtype
    return pack(products[0], dtype), pack(products[1], dtype), pack(projection, dtype)


def _or_empty(array: Array | None, like: Array) -> Array:
    """``array``, or what a kernel takes for none."""
    return np.empty((0, 0, 0), like.dtype) if array is None else array


def _unseen(cell: Cell, memory: Array) -> Array:
    """What a step sees of the one before where the output passes a projection: zeros (1, B, c·n)."""
    return np.zeros((1, memory.shape[2], cell.output_components * memory.shape[3]), memory.dtype)


def _by_time(dh: Array | None, like: Array) -> tuple[Array, int]:
    """The memory from the first entry of dh (T, B, W) to its last, and how many entries after a time the next begins.

    Of some sequences of a batch, those of one time lie one after the other, and those of the others between the times.
    """
    if dh is None:
        return np.empty(0, like.dtype), 0
    time, batch, width = dh.shape
    apart, rest = divmod(dh.strides[0], dh.itemsize)
    if dh.strides[1:] != (width * dh.itemsize, dh.itemsize) or apart < 0 or rest:  # as a caller may have laid it out
        dh = np.ascontiguousarray(dh)
    if dh.flags.c_contiguous:
        return dh.reshape(-1), batch * width
    return as_strided(dh, ((time - 1) * apart + batch * width,), (dh.itemsize,)), apart


def available_threads() -> int:
    """The most that Numba's setting may be."""
    count: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    return count


def _shares(length: int, count: int) -> list[slice]:
    """0..length in so many contiguous shares, or in ``length`` of them, whose lengths differ by one at most."""
    count = min(count, length)
    return [slice(lo, hi) for lo, hi in itertools.pairwise(length * k // count for k in range(count + 1))]


def _side_by_side(tasks: Sequence[Callable[[], Any]], pool: ThreadPoolExecutor) -> list[Any]:
    """The results in the order of the tasks, which threads of the pool do; none is left running, not even by an error.

    The calling thread does the first task itself: it need not be woken, and what it reads next is in its cache.
    """
    others = [pool.submit(task) for task in tasks[1:]]
    try:
        first = tasks[0]()
    finally:
        for other in others:
            other.exception()  # waits for it
    return [first, *(task.result() for task in others)]


@functools.cache
def _pool(purpose: str) -> ThreadPoolExecutor:
    """Threads of its own for every purpose: a pass waits for its products, which must not wait for its own thread."""
    return ThreadPoolExecutor(available_threads(), thread_name_prefix=f"enrnn-ref {purpose}")


if hasattr(os, "register_at_fork"):  # a forked child inherits the pool but not its threads, and would wait forever
    os.register_at_fork(after_in_child=_pool.cache_clear)
