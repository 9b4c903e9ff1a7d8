"""The elementary functions that the scalar functions of the cells may call.

Called from Python they are NumPy's. A compiling backend replaces them by its own (``backends/elementary.py``): the
mathematics stays with the cell, the instructions with the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from enrnn_ref.arrays import Array

Function = TypeVar("Function", bound=Callable[..., Any])

HELPERS: list[Callable[..., Any]] = []
"""Functions that scalar functions call, to be compiled with them."""


def unit_helper(function: Function) -> Function:
    """Mark a function of scalars that the scalar functions of a cell call, to be compiled with them."""
    HELPERS.append(function)
    return function


def tanh(x: Any) -> Any:
    """The hyperbolic tangent, in the type of x."""
    return np.tanh(x)


def sigmoid(x: Any) -> Any:
    """σ(x) = 1 / (1 + exp(-x)), without overflow, in the type of x; relative accuracy also where it vanishes."""
    return sigmoid_array(x)


def sqrt(x: Any) -> Any:
    """The square root, in the type of x."""
    return np.sqrt(x)


def floor(x: Any) -> Any:
    """The largest whole number that is not above x, in the type of x: no integer, of which there are fewer."""
    return np.floor(x)


def sigmoid_array(x: Array) -> Array:
    """σ(x), entry by entry: e / (1 + e) or 1 / (1 + e) with e = exp(-|x|), so that nothing overflows."""
    e = np.exp(-np.abs(x))
    result: Array = np.where(x < 0, e, 1) / (1 + e)
    return result


def sigmoid_slope_array(x: Array) -> Array:
    """σ'(x) = σ(x) σ(-x), entry by entry: σ (1 - σ) would lose all digits at a gate that is open [LS-4]."""
    return sigmoid_array(x) * sigmoid_array(-x)
