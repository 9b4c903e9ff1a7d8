"""What every backend offers: the time loop forward, backward and as a tangent, and the products over all times.

It offers the arrays too, which lie where it computes: what a model does with one is to look at its ``shape`` and
``dtype``, to take a slice, to reshape what is contiguous, to copy, convert or transpose it, and to hand it to the
backend. Matrices, weights and biases are of that kind too.

Arrays are time-major and C-contiguous, all of one dtype, and checked already; those that are written to share no memory
with others. n is the number of units, G the cell's gates, W the width of the output state h, M the components of the
cell's other states, C its pointwise parameters (rows of ``theta``).
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import FLOATS, Array, Arrays
from enrnn_ref.backends import entrywise, memory
from enrnn_ref.backends.entrywise import Entrywise, Found
from enrnn_ref.cells.base import Cell

Item = TypeVar("Item")
Result = TypeVar("Result")
Prepared = TypeVar("Prepared")
Looped = TypeVar("Looped")

Support = tuple[tuple[slice, slice], ...]
"""Rows and columns of the rectangles of a matrix outside of which it is zero."""


@dataclass(frozen=True, eq=False)
class Step:
    """What one step multiplies by, or a direction of it.

    matrix : ndarray (rows, W)
        R; a block of n rows for every recurrent gate.
    theta : ndarray (C, n)
        The cell's pointwise parameters.
    projection : ndarray (W, n) or None
        P of h = P m [CO-3], where m is what the cell puts out; None: h = m.
    parts : sequence of Part
        The rectangles of R outside of which it is zero, as :func:`parts` gives them; a backend may leave the rest out.
    prepared : dict
        What a backend makes of it once, for all blocks of time.
    """

    matrix: Array
    theta: Array
    parts: Sequence[Part]
    projection: Array | None = None
    prepared: dict[str, Any] = field(default_factory=dict)


class States(NamedTuple):
    """h (..., B, W), the state that goes out, and memory (..., M, B, n), the others."""

    h: Array
    memory: Array


class SequenceTape(NamedTuple):
    """What the reverse loop needs of the forward one, for some sequences of a batch.

    ``h`` (T+1, B, W); ``memory`` (T+1, M, B, n); ``z`` (T, B, G·n); ``emitted`` (T, B, n), the cell's output before a
    projection, or None; ``relayed`` (T, B, n), what the second product of a step multiplied, or None.
    """

    h: Array
    memory: Array
    z: Array
    emitted: Array | None
    relayed: Array | None

    @property
    def states(self) -> States:
        """With the leading axis T+1."""
        return States(self.h, self.memory)

    def between(self, times: slice) -> SequenceTape:
        """The tape of a stretch of time: views."""
        bounds = slice(times.start, times.stop + 1)
        return SequenceTape(
            self.h[bounds],
            self.memory[bounds],
            self.z[times],
            *(None if part is None else part[times] for part in (self.emitted, self.relayed)),
        )


class SequenceGradients(NamedTuple):
    """What the reverse time loop returns.

    ``dz`` (T, B, G·n); ``dinitial``; ``dtheta`` (C, n), in float64 at least; ``dh`` (T, B, W), the whole gradient of
    every h_t, where a projection needs it, or None.
    """

    dz: Array
    dinitial: States
    dtheta: Array
    dh: Array | None


class Stages(NamedTuple, Generic[Item, Prepared, Looped]):
    """What is done for an item: ``after(loop(before(item)))``."""

    before: Callable[[Item], Prepared]
    loop: Callable[[Prepared], Looped]
    after: Callable[[Looped], None]


class Backend(ABC):
    """The time loop of a recurrence, and the arrays that it runs on: NumPy's, unless overridden.

    ``longdouble``: whether it computes in that too. ``blocked``: whether a pass had better go block by block of time,
    each while it is in the cache. ``ahead``: whether what it is asked for is done after it was asked for, so that a
    caller who goes on asking keeps it busy.
    """

    name: str
    longdouble: bool = False
    blocked: bool = True
    ahead: bool = False
    adopt: Callable[[object], Array] | None = None
    """Takes an array that others left where this backend computes, if that is not the host, as one of its own: no copy,
    unless it is not contiguous."""

    def shares(self, batch: int, multiply_adds: int) -> list[slice]:
        """The sequences that a pass of so many multiply-adds is worth dividing into; all in one, unless overridden."""
        return [slice(0, batch)]

    def each(self, work: Callable[[Backend, Item], Result], items: Sequence[Item]) -> list[Result]:
        """``work(engine, item)`` for every item, side by side where the backend can; the results in their order.

        ``engine`` is this backend with the item's part of its threads.
        """
        return [work(self, item) for item in items]

    def pipeline(self, stages: Stages[Item, Prepared, Looped], items: Sequence[Item], multiply_adds: int) -> None:
        """The stages of every item, of so many multiply-adds in all; each stage takes the items in order.

        Beside ``loop`` a backend may do ``after`` of the item that it did last, and then ``before`` of the next.
        """
        before, loop, after = stages
        for item in items:
            after(loop(before(item)))

    def owns(self, array: object) -> bool:
        """Whether an array is one as this backend computes with: where it does, contiguous, float32 or float64."""
        return type(array) is np.ndarray and array.flags.carray and array.dtype in FLOATS

    def take(self, array: Array) -> Array:
        """An array of the host, where this backend computes; the same one, where that is the host."""
        return array

    def give(self, array: Array) -> Array:
        """The way back."""
        return array

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """An array with anything in it."""
        return memory.empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """An array of zeros."""
        return np.zeros(shape, dtype)

    def full(self, shape: tuple[int, ...], value: float, dtype: npt.DTypeLike) -> Array:
        """An array of one number."""
        return np.full(shape, value, dtype)

    def clear(self, target: Array) -> None:
        """target = 0."""
        target[...] = 0

    def copy(self, target: Array, source: Array) -> None:
        """target = source, which is of the same shape."""
        target[...] = source

    def copies(self, named: Mapping[str, Array], dtype: npt.DTypeLike) -> Arrays:
        """Contiguous copies in a dtype. The given arrays are of one dtype and, on a device, contiguous."""
        return {name: np.array(array, dtype, order="C") for name, array in named.items()}

    def add(self, target: Array, term: Array) -> None:
        """target += term, which has the last axes of its shape, or all."""
        target += term

    def joined(self, parts: Sequence[Array], axis: int = 0) -> Array:
        """A new array: the parts one after the other."""
        return np.concatenate(parts, axis)

    def reversed(self, sequence: Array) -> Array:
        """A new array: (T, B, k) from the last time to the first."""
        return np.ascontiguousarray(sequence[::-1])

    def entrywise(self, tasks: Sequence[Entrywise]) -> Found:
        """Functions of scalars applied to all entries of arrays."""
        return entrywise.on_host(tasks)

    def later(self, number: Any) -> Callable[[], float]:
        """What gives a number that was computed here, when all is done that this was asked for by now."""
        return lambda: float(number)

    def norm(self, there: Sequence[Array]) -> Any:
        """The Euclidean norm of all entries together, in float64, which no square overflows; NaN or infinite if one is.

        The same bits every time. A number, as :meth:`later` takes it.
        """
        return entrywise.norm_on_host(there)

    def limited(self, there: Sequence[Array], norm: Any, limit: float) -> Sequence[Array]:
        """Arrays of this norm, scaled by one factor to a norm that does not exceed the limit."""
        if norm <= limit:
            return there
        return [np.asarray(array * array.dtype.type(limit / norm)) for array in there]

    @abstractmethod
    def affine(self, x: Array, weight: Array, bias: Array | None, out: Array | None = None) -> Array:
        """y_t = W x_t + c for all times, (T, B, m), (k, m), (k,) → (T, B, k): the drive [GS-1], the readout [GS-4].

        Written to ``out``, contiguous, where one is given. An entry has the same bits whatever times are computed with
        it.
        """

    @abstractmethod
    def correlate(self, dz: Array, x: Array) -> Array:
        """Σ dz_t x_tᵀ over times and sequences, (T, B, k), (T, B, m) → (k, m) [BP-4] [BP-5], in float64 at least.

        Views that take some columns will do.
        """

    @abstractmethod
    def total(self, dz: Array) -> Array:
        """Σ dz_t over times and sequences, (T, B, k) → (k,) [BP-5], in float64 at least."""

    @abstractmethod
    def forward(self, cell: Cell, step: Step, tape: SequenceTape) -> None:
        """Run the recurrence [GS-2] [GS-3] over a tape that holds the drive, in ``z``, and the initial states."""

    @abstractmethod
    def backward(
        self, cell: Cell, step: Step, tape: SequenceTape, dh: Array | None, dfinal: States
    ) -> SequenceGradients:
        """Backpropagation through time [BP-1] [BP-2] [BP-3].

        ``dh`` (T, B, W) is the direct gradient of every h_t (None: there is none), ``dfinal`` the one that arrives at
        the final states.
        """

    @abstractmethod
    def tangent(
        self, cell: Cell, step: Step, drive: Array, initial: States, dstep: Step, ddrive: Array, dinitial: States
    ) -> tuple[States, States]:
        """Forward mode [TA-1] [TA-2]: the states and their derivatives along a direction, with the leading axis T+1."""


def room(
    engine: Backend,
    cell: Cell,
    time: int,
    initial: States,
    *,
    projected: bool,
) -> SequenceTape:
    """A tape with nothing on it but the initial states."""
    _, batch, n = initial.memory.shape
    dtype, units = initial.h.dtype, (time, batch, n)
    tape = SequenceTape(
        engine.empty((time + 1, *initial.h.shape), dtype),
        engine.empty((time + 1, *initial.memory.shape), dtype),
        engine.empty((time, batch, cell.gates * n), dtype),
        engine.empty(units, dtype) if projected else None,
        engine.empty(units, dtype) if cell.relayed else None,
    )
    for sequence, first_one in zip(tape.states, initial, strict=True):
        engine.copy(sequence[0], first_one)
    return tape


def state_room(engine: Backend, initial: States, time: int) -> States:
    """Space for the states of all times, the first filled."""
    sequences = States(*(engine.empty((time + 1, *part.shape), part.dtype) for part in initial))
    for sequence, first_one in zip(sequences, initial, strict=True):
        engine.copy(sequence[0], first_one)
    return sequences


def flush_below(array: Array) -> Any:
    """The magnitude below which a state or a gradient is set to zero, a scalar of the array's dtype.

    Smallest normal number / machine epsilon: its product with any weight above machine epsilon is still normal.
    """
    return _flushed_below(array.dtype)


@functools.cache
def _flushed_below(dtype: np.dtype[Any]) -> Any:
    info = np.finfo(dtype)
    return dtype.type(info.tiny / info.eps)


def settings_of(cell: Cell, dtype: npt.DTypeLike) -> tuple[Any, ...]:
    """The cell's settings, each rounded to a scalar of the arrays' dtype."""
    kind: Any = np.dtype(dtype).type
    return tuple(kind(value) for value in cell.settings)


def blocks(cell: Cell, matrix: Array) -> tuple[Array, Array]:
    """The rows of R that multiply h, and those that multiply the relay."""
    gates = len(cell.recurrent)
    rows = len(matrix) * (gates - cell.relayed) // max(1, gates)
    return matrix[:rows], matrix[rows:]


class Part(NamedTuple):
    """A rectangle of R: its ``rows`` and ``columns``, and the columns of z to which its product is added.

    ``relayed``: what it multiplies is the relay and not h.
    """

    rows: slice
    columns: slice
    z: slice
    relayed: bool


def parts(cell: Cell, support: Support, n: int) -> list[Part]:
    """The rectangles of R, cut where the gates change that take their products, but not between neighbours."""
    found = []
    direct = len(cell.recurrent) - cell.relayed
    for gates, before, relayed in ((cell.recurrent[:direct], 0, False), (cell.recurrent[direct:], direct, True)):
        for gate, block, count in runs(gates):
            first = (before + block) * n
            for rows, columns in support:
                lo, hi = max(rows.start, first), min(rows.stop, first + count * n)
                if lo < hi and columns.start < columns.stop:
                    shift = gate * n - first
                    found.append(Part(slice(lo, hi), columns, slice(lo + shift, hi + shift), relayed))
    return found


class Run(NamedTuple):
    """Neighbouring gates that take neighbouring blocks of rows: ``gates`` of them, from ``first`` and ``block`` on."""

    first: int
    block: int
    gates: int


def runs(gates: tuple[int, ...]) -> list[Run]:
    """``gates`` in as few pieces as will do; gate ``gates[k]`` takes block k."""
    found: list[Run] = []
    for block, gate in enumerate(gates):
        if found and found[-1].first + found[-1].gates == gate:
            found[-1] = found[-1]._replace(gates=found[-1].gates + 1)
        else:
            found.append(Run(gate, block, 1))
    return found
