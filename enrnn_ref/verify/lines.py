"""A function along a line through the point, and how long a step on it may naturally be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.verify.problem import ContractError, Problem


def entry_line(
    problem: Problem, name: str, index: tuple[int, ...], base: Array
) -> tuple[Callable[[float], Array], float]:
    """h → the output with one entry of one array moved by h; and the entry's scale."""
    array = problem.arrays[name]
    at = float(array[index])
    moved = {**problem.arrays, name: array.copy()}

    def line(h: float) -> Array:
        moved[name][index] = at + h
        return value(problem, moved, base)

    return line, max(abs(at), typical(array)) or 1.0


def direction_line(problem: Problem, name: str, direction: Array, base: Array) -> Callable[[float], Array]:
    """h → the output with one array moved by h times ``direction``."""

    def line(h: float) -> Array:
        return value(problem, {**problem.arrays, name: problem.arrays[name] + h * direction}, base)

    return line


def typical(array: Array) -> float:
    """The root mean square of the entries."""
    return float(np.sqrt(np.mean(np.square(array)))) if array.size else 0.0


def value(problem: Problem, arrays: dict[str, Array], base: Array) -> Array:
    """Far from the point the function may overflow or leave its domain: such a step tells nothing."""
    try:
        with np.errstate(all="ignore"):
            return problem.function(arrays)
    except (ArithmeticError, ValueError, ContractError):
        return np.full(base.shape, np.nan)
