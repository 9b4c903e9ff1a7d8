"""What a step multiplies by, on the device, and where rows and columns belong."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.backends.base import Step, blocks, settings_of
from enrnn_ref.backends.cuda.arrays import DeviceArray, to_device
from enrnn_ref.backends.cuda.memory import device_array
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
        theta: Any = step.theta
        n, width = step.theta.shape[1], step.matrix.shape[1]
        projection = DeviceArray(device_array((0, n), theta.dtype)) if step.projection is None else step.projection
        given: list[Any] = [*blocks(cell, step.matrix), projection]
        both = (each.data for matrix in given for each in (matrix, matrix.T.copy()))
        settings = settings_of(cell, theta.dtype)
        return cls(theta.data, settings, *both, *_places(cell.recurrent, len(cell.recurrent) - cell.relayed, width, n))


@functools.cache
def _places(recurrent: tuple[int, ...], direct: int, width: int, n: int) -> tuple[Any, ...]:
    """The index arrays, the same for every pass of a cell; of the recurrent gates so many take R h."""
    places = [gate * n + np.arange(n, dtype=np.int32) for gate in recurrent]
    none = [np.empty(0, np.int32)]
    arrays = (
        np.concatenate(places[:direct] or none), np.concatenate(places[direct:] or none),
        np.array(recurrent[:direct], np.int32), np.arange(width, dtype=np.int32), np.arange(n, dtype=np.int32),
    )  # fmt: skip
    return tuple(to_device(array) for array in arrays)
