"""When two arrays count as the same numbers: what rounding may do, and what a mistake does.

Every array is judged in pieces, each relative to its own largest entry, so that a part that has vanished counts like
any other: outputs, states and the input's gradient step by step, the parameters of several gates gate by gate.

- *Right* is what lies within the floor of the right value: a few hundred units in the last place of the piece's scale,
  or a hundred times what moving all arguments by one unit in the last place does, if that is more.
- *Equal to what a mistake computes* is what lies within the floor of that, or within a hundredth of the distance from
  the mistake to the right value, but never further than a thousandth (float32) or 1e-7 (float64) of the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.models.base import Model

SAMPLES = 3
SAFETY = 100.0
"""How many times the measured response two programs may differ: it is the largest of a few samples, not a bound."""

SHARE = 0.01
"""Of the distance between mistake and right value: how far from the mistake a number still belongs to it."""

TIGHT = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 3e-5}
LOOSE = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-3}


class Yardstick:
    """The right values, and how far from them, or from a mistake's, a number may lie.

    Parameters
    ----------
    model : Model
    right : dict of ndarray
        The right values of all arrays.
    responses : list of dict of ndarray
        The same at arguments moved by one unit in the last place.
    dtype : dtype
        What the numbers to be judged were computed in.
    """

    def __init__(self, model: Model, right: Arrays, responses: list[Arrays], dtype: np.dtype[Any]) -> None:
        self.right = right
        self._tight, self._loose = TIGHT[dtype], LOOSE[dtype]
        self._pieces = {name: _pieces(model, name, array) for name, array in right.items()}
        self._scale = {name: self.sizes(name, array) for name, array in right.items()}
        tiny = float(np.finfo(dtype).tiny)
        self._floor = {
            name: np.max(
                [
                    SAFETY * np.max([self.sizes(name, moved[name] - array) for moved in responses], axis=0),
                    np.full(self._pieces[name], tiny),
                    self._tight * self._scale[name],
                ],
                axis=0,
            )
            for name, array in right.items()
        }

    def sizes(self, name: str, array: Array) -> Array:
        """The largest magnitude in every piece of an array."""
        sizes: Array = np.abs(array).reshape(self._pieces[name], -1).max(axis=1, initial=0.0)
        return sizes

    def is_right(self, name: str, found: Array) -> bool:
        """Whether the numbers are the right ones."""
        return bool((self.sizes(name, found - self.right[name]) <= self._floor[name]).all())

    def differs(self, name: str, mistaken: Array) -> bool:
        """Whether a mistake shows in this array."""
        return bool((self.sizes(name, mistaken - self.right[name]) > 10 * self._floor[name]).any())

    def equals(self, name: str, found: Array, mistaken: Array) -> bool:
        """Whether the numbers are the mistake's."""
        scale = np.maximum(self._scale[name], self.sizes(name, mistaken))
        floor = np.maximum(self._floor[name], self._tight * scale)
        share = np.minimum(SHARE * self.sizes(name, mistaken - self.right[name]), self._loose * scale)
        return bool((self.sizes(name, found - mistaken) <= np.maximum(floor, share)).all())


def responses(
    function: Callable[[Arrays], Arrays], arguments: Mapping[str, Array], dtype: np.dtype[Any]
) -> list[Arrays]:
    """The values of a function at arguments moved by one unit in the last place of ``dtype``, at random."""
    rng = np.random.default_rng(0)
    eps = float(np.finfo(dtype).eps)
    return [
        function({name: array * (1 + eps * rng.choice([-1.0, 1.0], array.shape)) for name, array in arguments.items()})
        for _ in range(SAMPLES)
    ]


def _pieces(model: Model, name: str, array: Array) -> int:
    """Into how many equal pieces of its first axis an array is cut."""
    if not array.size:
        return 1
    if array.ndim == 3:  # of every time step
        return len(array)
    for prefix, recurrence, _, _ in model.recurrences({}):
        n, key = recurrence.hidden_size, name.removeprefix(prefix)
        if name.startswith(prefix) and key in recurrence.shapes and len(recurrence.cell.driven) > 1:
            return len(array) // n if len(array) % n == 0 and not key.startswith("readout") else 1
    return 1
