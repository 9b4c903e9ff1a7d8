"""Backward takes time in blocks: how long they are, the gates' shares of one, and sums over all of them [BP-12]."""

from __future__ import annotations

import numpy.typing as npt

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.backends.base import Backend, runs

GRADIENT_BYTES = 1 << 21
"""Of the gradients of the pre-activations that the backward pass over a share of the batch holds at a time. Two
megabytes took less time than four (58 ms and 69 at the adding size, in float64 155 and 174) and no more than one."""

LEAST_ROWS = 1024
"""Of a product over a block, however wide: adding it to the sum takes as long as multiplying dozens of rows."""


class Sums:
    """Sums over blocks of time, in float64 at least. The first term is kept, and the others are added to it."""

    def __init__(self, engine: Backend) -> None:
        self._engine = engine
        self._sums: Arrays = {}

    def add(self, name: str, term: Array) -> None:
        if name in self._sums:
            self._engine.add(self._sums[name], term)
        else:
            self._sums[name] = term

    def add_all(self, terms: Arrays | Sums) -> None:
        for name, term in (terms._sums if isinstance(terms, Sums) else terms).items():
            self.add(name, term)

    def rounded(self, dtype: npt.DTypeLike) -> Arrays:
        """The sums, rounded once."""
        return self._engine.copies(self._sums, dtype)


def time_blocks(length: int, batch: int, step_bytes: int) -> list[slice]:
    """Stretches of time for which the pre-activations, of so many bytes a step, take about ``GRADIENT_BYTES``."""
    return stretches(length, _steps(batch, step_bytes))


def segments(length: int, batch: int, step_bytes: int, at_least: int) -> list[slice]:
    """Stretches of at least so many steps, each of them whole blocks, so that the sums over blocks stay the same."""
    steps = _steps(batch, step_bytes)
    return stretches(length, steps * -(-at_least // steps))


def stretches(length: int, steps: int) -> list[slice]:
    """0..length in pieces of ``steps``; the last may be shorter."""
    return [slice(lo, min(lo + steps, length)) for lo in range(0, length, steps)]


def _steps(batch: int, step_bytes: int) -> int:
    return max(1, GRADIENT_BYTES // step_bytes, LEAST_ROWS // batch)


def at_gates(dz: Array, gates: tuple[int, ...], n: int) -> list[Array]:
    """The blocks of dz (T, B, G·n) that belong to ``gates``; neighbours in one piece: a slice is a view, not a copy."""
    return [dz[..., run.first * n : (run.first + run.gates) * n] for run in runs(gates)]


def by_gate(engine: Backend, total: Array, gates: tuple[int, ...], n: int) -> Array:
    """The blocks of a vector of all gates that belong to ``gates``."""
    return engine.joined([total[g * n : (g + 1) * n] for g in gates])
