"""What a step multiplies by, on the device, and where rows and columns belong."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.backends.base import Step, blocks, settings_of
from enrnn_ref.backends.cuda.arrays import to_device
from enrnn_ref.cells.base import Cell


class Operands(NamedTuple):
    """A step's matrices, each with its transpose for the way back, its numbers, and index arrays.

    ``direct`` and ``relayed``: the columns of z for the rows of R that multiply h and q; ``where``: the gates of the
    former. ``columns`` and ``units``: 0, 1, … for h and for n units. What a step has not has no rows.
    """

    theta: Any
    settings: tuple[Any, ...]
    matrix: Any
    transposed: Any
    relay_matrix: Any
    relay_transposed: Any
    projection: Any
    projection_transposed: Any
    direct: Any
    relayed: Any
    where: Any
    columns: Any
    units: Any

    @property
    def projected(self) -> bool:
        return len(self.projection) > 0

    @classmethod
    def of(cls, cell: Cell, step: Step) -> Operands:
        """Those of a step, which keeps them for all calls of a pass."""
        if "device" not in step.prepared:
            step.prepared["device"] = cls._made(cell, step)
        operands: Operands = step.prepared["device"]
        return operands

    @classmethod
    def _made(cls, cell: Cell, step: Step) -> Operands:
        n, width = step.theta.shape[1], step.matrix.shape[1]
        direct, relay = blocks(cell, step.matrix)
        projection = np.empty((0, n), step.matrix.dtype) if step.projection is None else step.projection
        cut = len(cell.recurrent) - cell.relayed
        places = [gate * n + np.arange(n, dtype=np.int32) for gate in cell.recurrent]
        none = [np.empty(0, np.int32)]
        arrays = (
            direct, direct.T, relay, relay.T, projection, projection.T,
            np.concatenate(places[:cut] or none), np.concatenate(places[cut:] or none),
            np.array(cell.recurrent[:cut], np.int32), np.arange(width, dtype=np.int32), np.arange(n, dtype=np.int32),
        )  # fmt: skip
        settings = settings_of(cell, step.matrix.dtype)
        return cls(to_device(step.theta), settings, *(to_device(array) for array in arrays))
