"""The drive of a recurrence: from the input to the gates that take it, and the gradients on the way back."""

from __future__ import annotations

import itertools

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.backends.base import Backend
from enrnn_ref.cells.base import Cell
from enrnn_ref.models.time_blocks import Sums, at_gates, by_gate


class Drive:
    """a_t = U x_t + b_a, a block of n entries for every driven gate.

    ``takes_all_gates``: every gate has one, in order, so that the drive can be computed where the gates lie.
    ``recurrent_bias``: whether the recurrent gates have a bias of their own.
    """

    def __init__(self, cell: Cell, size: int, *, recurrent_bias: bool) -> None:
        self._cell, self._size, self.recurrent_bias = cell, size, recurrent_bias
        self.takes_all_gates = cell.driven == tuple(range(cell.gates))

    def affine(self, engine: Backend, params: Arrays, x: Array, out: Array | None = None) -> Array:
        """a_t = U x_t + b_a [GS-1]."""
        return engine.affine(x, params["input"], params["bias"] if self._cell.drive_bias else None, out)

    def spread(self, engine: Backend, a: Array, params: Arrays, z: Array) -> Array:
        """Put the drive (T, B, ·) into z at the gates that take it, and add the recurrent gates' bias [CO-1]."""
        n, cell = self._size, self._cell
        if not self.takes_all_gates:
            engine.clear(z)
            for k, g in enumerate(cell.driven):
                engine.copy(z[..., g * n : (g + 1) * n], a[..., k * n : (k + 1) * n])
        elif a is not z:
            engine.copy(z, a)
        if self.recurrent_bias:
            for k, g in enumerate(cell.recurrent):
                engine.add(z[..., g * n : (g + 1) * n], params["recurrent_bias"][k * n : (k + 1) * n])
        return z

    def add_sums(self, engine: Backend, sums: Sums, dz: Array, driven: tuple[int, ...], x: Array) -> None:
        """dU and db_a [BP-5]; ``driven`` are the gates of dz that had the drive."""
        n = self._size
        sums.add("input", engine.joined([engine.correlate(part, x) for part in at_gates(dz, driven, n)]))
        if self._cell.drive_bias:
            sums.add("bias", by_gate(engine, engine.total(dz), driven, n))

    def pullback(self, engine: Backend, params: Arrays, dz: Array, driven: tuple[int, ...]) -> Array:
        """dx_t = Uᵀ da_t [BP-6]."""
        parts = at_gates(dz, driven, self._size)
        ends = itertools.accumulate(part.shape[2] for part in parts)
        terms = (
            engine.affine(da, params["input"][end - da.shape[2] : end].T, None)
            for da, end in zip(parts, ends, strict=True)
        )
        dx = next(terms)
        for term in terms:
            engine.add(dx, term)
        return dx
