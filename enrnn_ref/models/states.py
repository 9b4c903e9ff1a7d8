"""Named states of a model, each (B, width), and the stacked form that a backend takes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy.typing as npt

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.backends.base import Backend, States
from enrnn_ref.cells.base import Cell


class StateLayout:
    """How the states of one cell are named and stored.

    Parameters
    ----------
    cell : Cell
    units : int
        n.
    width : int
        Of the first state; the others have their components times n.
    hide_output : bool
        Whether the first state is left out of the names: a filter's output that its step never looks at.
    """

    def __init__(self, cell: Cell, units: int, width: int, *, hide_output: bool = False) -> None:
        self.units, self.width = units, width
        self.output = next(iter(cell.states))
        self.memory = cell.memory
        self.widths = {} if hide_output else {self.output: width}
        self.widths |= {name: components * units for name, components in self.memory.items()}
        ends = list(itertools.accumulate(self.memory.values()))
        self._components = sum(self.memory.values())
        self._rows = [(name, range(end - self.memory[name], end)) for name, end in zip(self.memory, ends, strict=True)]

    def stack(self, engine: Backend, named: Mapping[str, Array], batch: int, dtype: npt.DTypeLike) -> States:
        """(B, width) each → States without a time axis; what is missing is zero."""
        h = engine.zeros((batch, self.width), dtype)
        if self.output in self.widths and self.output in named:
            engine.copy(h, named[self.output])
        memory = engine.zeros((self._components, batch, self.units), dtype)
        for name, rows in self._rows:
            for k, row in enumerate(rows if name in named else ()):
                engine.copy(memory[row], named[name][:, k * self.units : (k + 1) * self.units])
        return States(h, memory)

    def name(self, engine: Backend, states: States) -> Arrays:
        """The inverse of :meth:`stack`; copies, so that a tape is not kept alive by its last row."""
        named = {self.output: engine.joined([states.h])} if self.output in self.widths else {}
        for name, rows in self._rows:
            named[name] = engine.joined([states.memory[row] for row in rows], axis=1)
        return named
