"""Functions of scalars applied to all entries of arrays: what an optimiser does, whatever the machine.

The function is written once. NumPy's arrays go through it as they are, whole; a compiling backend makes a loop of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.arrays import Array


class Entrywise(NamedTuple):
    """``function(entries, settings)``, for every entry of some arrays.

    ``arrays``, contiguous and of one shape and dtype, give a tuple of entries; ``settings`` are numbers, converted to
    that dtype. The function returns a tuple of ``results`` entries. Of other functions it calls those of
    ``cells/elementary.py`` alone.
    """

    function: Callable[..., Any]
    arrays: tuple[Array, ...]
    settings: tuple[float, ...]
    results: int


class Found(NamedTuple):
    """New arrays for each task; ``broken()`` is the first task with NaN or infinity among its results, or None."""

    results: list[tuple[Array, ...]]
    broken: Callable[[], int | None]


SMALL = 4096
"""Entries up to which arrays are joined before they go through a function: calls cost more than so much arithmetic."""


def on_host(tasks: Sequence[Entrywise]) -> Found:
    """NumPy's arrays through the functions."""
    alike: dict[Any, list[int]] = {}
    for k, (function, arrays, settings, _) in enumerate(tasks):
        alone = k if arrays[0].size > SMALL else None
        alike.setdefault((function, settings, arrays[0].dtype.char, alone), []).append(k)
    results: list[tuple[Array, ...]] = [()] * len(tasks)
    whole: list[Array] = []
    with np.errstate(all="ignore"):  # what overflows is seen in the results
        for (function, settings, char, _), places in alike.items():
            numbers = tuple([np.array(value, char) for value in settings])  # by which arrays are multiplied fastest
            if len(places) == 1:
                found = tuple(map(np.asarray, function(tasks[places[0]].arrays, numbers)))
                results[places[0]] = found
            else:
                columns = zip(*(tasks[k].arrays for k in places), strict=True)
                found = function(tuple([np.concatenate(column, axis=None) for column in columns]), numbers)
                start = 0
                for k in places:
                    like = tasks[k].arrays[0]
                    end = start + like.size
                    # Copies: the bits of a product may depend on how memory is aligned, and views begin anywhere.
                    results[k] = tuple([part[start:end].reshape(like.shape).copy() for part in found])
                    start = end
            whole += found

    def broken() -> int | None:
        if all(map(_is_finite, whole)):
            return None
        return next((k for k, arrays in enumerate(results) if not all(map(_is_finite, arrays))), None)

    return Found(results, broken)


def norm_on_host(arrays: Sequence[Array]) -> float:
    """The Euclidean norm of all entries together, in float64, on entries divided by the largest one."""
    peaks = [float(np.maximum.reduce(np.abs(array), axis=None, initial=0.0)) for array in arrays]
    largest = float(np.max(peaks, initial=0.0))  # NaN, if there is one
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    total = 0.0
    for array in arrays:
        # The quotient has no name, so that NumPy squares it where it lies.
        total += float(np.add.reduce(np.divide(array, largest, dtype=np.float64) ** 2, axis=None))
    return largest * math.sqrt(total)


def _is_finite(array: Array) -> bool:
    """Whether no entry is NaN or infinite; the sum of their squares tells faster, unless it overflows."""
    return math.isfinite(np.vdot(array, array)) or bool(np.isfinite(array).all())
