"""A model whose every operation is a little off: what rounding makes of a computation that another program does.

Moving the inputs by one unit in the last place shows the condition of a problem, but not what is lost inside: a program
that knows a gate by its rounded value y has the slope y (1 - y), of which few digits are right at a gate that is open,
and none of them depends on the last place of an input. So here the operations are moved too, in float64 arithmetic, by
random relative numbers of the size of the *other* program's unit roundoff: each pre-activation as far as rounding moves
the activation behind it, each new state, each slope, the recurrent matrix, and the gradients on their way back.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from enrnn_ref import cells
from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.cells.base import Cell, Tuple
from enrnn_ref.cells.elementary import sigmoid_array
from enrnn_ref.cells.gru import GruAfter
from enrnn_ref.cells.lstm import PeepholeLstm
from enrnn_ref.models import Bidirectional, Model, Recurrence, Stacked
from enrnn_ref.models.composition import Composition
from enrnn_ref.parametrizations import Free
from enrnn_ref.parametrizations.base import Parametrization, Value

_FARTHEST = 1.0  # how far a pre-activation is moved at most, where its activation is saturated to the last place
_SIGMOIDS = frozenset("ifozr")  # gates by their names; the candidates "g" and "n" pass through a tanh


class Disturbance:
    """Random relative moves of size ``unit``."""

    def __init__(self, unit: float, rng: np.random.Generator) -> None:
        self.unit, self.rng = unit, rng

    def signs(self, shape: tuple[int, ...]) -> Array:
        """``unit`` with random signs."""
        return self.unit * self.rng.choice((-1.0, 1.0), shape)

    def entries(self, array: Array) -> Array:
        """Every entry moved by ``unit`` of itself; zeros stay zeros."""
        moved: Array = array * (1.0 + self.signs(array.shape))
        return moved

    def norm(self, array: Array) -> Array:
        """Every entry moved by ``unit`` of itself or of the root mean square, whichever is more."""
        typical = np.sqrt(np.mean(np.square(array))) if array.size else 0.0
        moved: Array = array + self.signs(array.shape) * np.maximum(np.abs(array), typical)
        return moved

    def arrays(self, arrays: Mapping[str, Array]) -> Arrays:
        """:meth:`entries` of each."""
        return {name: self.entries(array) for name, array in arrays.items()}

    def model(self, model: Model) -> Model:
        """``model`` with disturbed operations, for the reference backend; a new one, for every run draws anew."""
        if isinstance(model, Composition):
            twin: Any = copy.copy(model)
            twin.parts = {name: self.model(part) for name, part in model.parts.items()}
            if isinstance(model, Stacked):
                twin.layers = tuple(twin.parts.values())
            assert isinstance(model, (Stacked, Bidirectional))
            found: Model = twin
            return found
        assert isinstance(model, Recurrence)
        parametrization: Any = _Parametrization(model.parametrization, self)
        cell: Any = _Cell(model.cell, self)
        behind: Any = None if model.filter is None else _Cell(model.filter, self)
        return model._replaced(parametrization, cell, behind)


class _Cell:
    """A cell that rounds: the attributes are the cell's own."""

    def __init__(self, cell: Cell, disturbance: Disturbance) -> None:
        self._cell, self._disturbance = cell, disturbance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cell, name)

    def _by(self, arrays: Tuple, reach: Tuple) -> Tuple:
        return tuple(
            array + np.clip(self._disturbance.signs(array.shape) * far, -_FARTHEST, _FARTHEST)
            for array, far in zip(arrays, reach, strict=True)
        )

    def _moved(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        """z, moved as far as rounding the activations behind it moves what is known of it."""
        return self._by(z, _reach(self._cell, z, states, theta))

    def _rounded(self, arrays: Tuple) -> Tuple:
        return tuple(map(self._disturbance.entries, arrays))

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        return self._rounded(self._cell.step(self._moved(z, states, theta), states, theta))

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> tuple[Tuple, ...]:
        moved, at = self._moved(z, states, theta), _memory(self._cell)
        if at is None:
            return tuple(map(self._rounded, self._cell.pullback(moved, states, theta, dstates)))
        # The slope behind the memory is known from the rounded tanh; where the memory itself is a factor, it is known.
        memory = states[at]
        (loose,) = self._by((memory,), (_behind_tanh(memory),))
        dz, direct, dtheta = self._cell.pullback(moved, (*states[:at], loose, *states[at + 1 :]), theta, dstates)
        forget = self._cell.gate_names.index("f")
        factor = np.divide(memory, loose, out=np.ones_like(memory), where=loose != 0.0)
        dz = (*dz[:forget], dz[forget] * factor, *dz[forget + 1 :])
        return tuple(map(self._rounded, (dz, direct, dtheta)))

    def relay(self, z: Tuple, states: Tuple, theta: Tuple) -> Array:
        return self._disturbance.entries(self._cell.relay(self._moved(z, states, theta), states, theta))

    def relay_pullback(self, z: Tuple, states: Tuple, theta: Tuple, dq: Array) -> tuple[Tuple, ...]:
        moved = self._moved(z, states, theta)
        return tuple(map(self._rounded, self._cell.relay_pullback(moved, states, theta, dq)))


def _memory(cell: Cell) -> int | None:
    """Which state goes out through a tanh; an LSTM's."""
    lstm = "c" in cell.states and {"f", "o"} <= set(cell.gate_names)
    return list(cell.states).index("c") if lstm else None


def _reach(cell: Cell, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
    """How far, in units of relative rounding, each of z moves when the activation behind it is rounded.

    For y = f(a), rounding y by a relative u moves a by u·|y / f'(a)|: sinh |a| cosh a behind a tanh, 1 + exp(a) behind
    a sigmoid. Where nothing is known of the activation, an entry is moved by u of itself.
    """
    reach = [np.abs(array) for array in z]
    if isinstance(cell, cells.Tanh):
        return (_behind_tanh(z[0]),)
    names = cell.gate_names
    if isinstance(cell, GruAfter):
        behind = {0: z[0], 1: z[1], 2: z[2] + sigmoid_array(z[0]) * z[3]}
    elif isinstance(cell, PeepholeLstm):
        new = cell.step(z, states, theta)[1]
        behind = {0: z[0] + theta[0] * states[1], 1: z[1] + theta[1] * states[1], 2: z[2], 3: z[3] + theta[2] * new}
    else:
        behind = dict(enumerate(z))
    for gate, argument in behind.items():
        if names[gate] in _SIGMOIDS:
            reach[gate] = np.maximum(reach[gate], _behind_sigmoid(argument))
        elif names[gate] in ("g", "n", "n input"):
            reach[gate] = np.maximum(reach[gate], _behind_tanh(argument))
    return tuple(reach)


def _behind_tanh(argument: Array) -> Array:
    size = np.minimum(np.abs(argument), 300.0)  # so that the square of the exponential exists
    reach: Array = np.sinh(size) * np.cosh(size)
    return reach


def _behind_sigmoid(argument: Array) -> Array:
    reach: Array = 1.0 + np.exp(np.minimum(argument, 600.0))
    return reach


class _Parametrization:
    """A parametrization that rounds. Factorisations err by the size of a matrix, not of each of its entries."""

    def __init__(self, parametrization: Parametrization, disturbance: Disturbance) -> None:
        self._parametrization, self._disturbance = parametrization, disturbance
        self._move = disturbance.entries if isinstance(parametrization, Free) else disturbance.norm

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parametrization, name)

    def evaluate(self, raw: Mapping[str, Array], buffers: Mapping[str, Array] | None = None) -> Value:
        moved = {name: self._move(array) for name, array in raw.items()}
        value = self._parametrization.evaluate(moved, buffers)
        return dataclasses.replace(value, matrix=self._disturbance.entries(value.matrix))

    def pullback(self, value: Value, dmatrix: Array) -> Arrays:
        gradients = self._parametrization.pullback(value, self._disturbance.entries(dmatrix))
        return {
            name: self._move(array) if array.ndim == 1 else self._disturbance.entries(array)
            for name, array in gradients.items()
        }
