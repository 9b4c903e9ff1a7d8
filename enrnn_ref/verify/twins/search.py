"""An exact derivative of the checked function, if one can be had, and the proof that it belongs to the function.

Two ways are tried. Dual arrays (:mod:`~enrnn_ref.verify.twins.dual`) come first, in extended precision if the function
allows it and else in double. The complex step, Im f(x + i h v) / h with h = 2⁻³⁰⁰, also goes through compiled code, but
only through analytic functions. Both resolve derivatives that are 10⁻¹⁰⁰ of the function's size, where differences see
nothing. Neither is believed before it agrees with extrapolated differences along random directions in every argument
whose effect differences can see, and in one at least. Where they see the effect of none, the two must agree with each
other: they have no arithmetic in common.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.verify import differences
from enrnn_ref.verify.trees import Leaf
from enrnn_ref.verify.twins.constructors import dual_constructors
from enrnn_ref.verify.twins.dual import Dual, Trace

COMPLEX_STEP = 2.0**-300

ALIKE = 2.0**-26
"""Relative distance up to which derivatives by two ways are the same: half of the digits of double precision."""


@dataclass(frozen=True)
class Twin:
    """An exact derivative.

    Attributes
    ----------
    name : str
        How it is had.
    arithmetic : str
        "dual" or "complex".
    derivative : callable
        (arrays, directions) → (value (K,), derivative of the output (K,)), float64.
    trace : Trace
        What was noted in the calls so far.
    """

    name: str
    arithmetic: str
    derivative: Callable[[Arrays, Arrays], tuple[Array, Array]]
    trace: Trace

    def slope(self, arrays: Arrays, directions: Arrays) -> Array:
        """The derivative alone."""
        return self.derivative(arrays, directions)[1]

    def at(self, derivative: Callable[[Arrays, Arrays], tuple[Array, Array]]) -> Twin:
        """The same way for a function that calls this one's."""
        return replace(self, derivative=derivative)


def candidates(
    call: Callable[[dict[str, Any]], Any], leaves: dict[str, Leaf], flat: Callable[[Any], list[Any]]
) -> list[Twin]:
    """The ways that could work, the most exact first.

    Parameters
    ----------
    call : callable
        Named leaves → the function's output.
    leaves : dict of Leaf
    flat : callable
        An output → the list of its leaves, as they are.
    """
    return [
        _dual("dual numbers in extended precision", np.longdouble, call, leaves, flat),
        _dual("dual numbers", np.float64, call, leaves, flat),
        _complex_step(call, leaves, flat),
    ]


def _dual(
    name: str, precision: Any, call: Callable[..., Any], leaves: dict[str, Leaf], flat: Callable[..., Any]
) -> Twin:
    trace = Trace()

    def derivative(arrays: Arrays, directions: Arrays) -> tuple[Array, Array]:
        given = {}
        for key, leaf in leaves.items():
            value, tangent = (leaf.restored(a[key].astype(precision)) for a in (arrays, directions))
            given[key] = Dual(value, tangent, trace)
        with dual_constructors(trace, precision), np.errstate(all="ignore"):
            found = flat(call(given))
        values = [part.value if isinstance(part, Dual) else np.asarray(part) for part in found]
        tangents = [part.tangent if isinstance(part, Dual) else np.zeros(np.shape(part)) for part in found]
        return _vector(values), _vector(tangents)

    return Twin(name, "dual", derivative, trace)


def _complex_step(call: Callable[..., Any], leaves: dict[str, Leaf], flat: Callable[..., Any]) -> Twin:
    def derivative(arrays: Arrays, directions: Arrays) -> tuple[Array, Array]:
        if any(leaf.complex for leaf in leaves.values()):
            raise TypeError("the complex step needs a real function")
        given = {key: arrays[key] + 1j * COMPLEX_STEP * directions[key] for key in leaves}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            found = [np.asarray(part) for part in flat(call(given))]
        if any(part.dtype != np.complex128 for part in found):
            raise TypeError("the function made a complex argument real")
        return _vector([part.real for part in found]), _vector([part.imag / COMPLEX_STEP for part in found])

    return Twin("the complex step", "complex", derivative, Trace())


def _vector(parts: list[Array]) -> Array:
    """All parts in one real float64 vector, in the layout of a tree's leaves."""
    real = [np.stack([part.real, part.imag], -1) if np.iscomplexobj(part) else part for part in parts]
    return np.concatenate([np.ravel(part) for part in real]).astype(np.float64) if real else np.zeros(0)


def find(
    twins: list[Twin],
    arrays: Arrays,
    base: Array,
    slopes: dict[str, tuple[Arrays, differences.Slope]],
    cotangents: Array,
    floor: Array,
) -> Twin | None:
    """The first of ``twins`` that runs, gives the function's value, and agrees with its slopes or else with another.

    Parameters
    ----------
    twins : list of Twin
    arrays : dict of ndarray
        The point.
    base, floor : ndarray (K,)
        The function's value there, and how far rounding may move it.
    slopes : dict
        For each argument a random direction in it, and the slope of ``cotangents @ function`` along it.
    cotangents : ndarray (M, K)
    """
    unseen: list[tuple[Twin, Array]] = []
    for twin in twins:
        with _foreign_code():
            columns, seen = _examined(twin, arrays, base, slopes, cotangents, floor)
            if columns is not None and seen:
                return twin
            if columns is not None:
                unseen.append((twin, columns))
    for twin, columns in unseen:
        for other, others in unseen:
            if twin.arithmetic != other.arithmetic and _alike(columns, others):
                return twin
    return None


def _examined(
    twin: Twin,
    arrays: Arrays,
    base: Array,
    slopes: dict[str, tuple[Arrays, differences.Slope]],
    cotangents: Array,
    floor: Array,
) -> tuple[Array | None, bool]:
    """The derivatives along the directions, None if a slope contradicts them; and whether one visibly confirms them."""
    seen, columns = False, []
    for direction, slope in slopes.values():
        value, column = twin.derivative(arrays, direction)
        if value.shape != base.shape or not np.isfinite(column).all() or np.any(np.abs(value - base) > floor):
            return None, False
        found = cotangents @ column
        smooth = ~slope.kink & np.isfinite(slope.error)
        tolerance = differences.SAFETY**2 * slope.error
        if np.any(smooth & (np.abs(found - slope.value) > tolerance)):
            return None, False
        seen = seen or bool(np.any(smooth & (tolerance < np.abs(slope.value))))
        columns.append(column)
    return np.array(columns), seen


def _alike(columns: Array, others: Array) -> bool:
    """Whether two ways find the same derivative, and not zero, along every direction."""
    size = np.abs(columns).max(axis=1, keepdims=True, initial=0.0)
    return bool(np.all(size > 0.0) and np.all(np.abs(columns - others) <= ALIKE * size))


@contextlib.contextmanager
def _foreign_code() -> Iterator[None]:
    """Whatever the function does with arguments it was not written for only means that this way is closed."""
    with contextlib.suppress(Exception):
        yield
