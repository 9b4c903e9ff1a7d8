"""How a wrong gradient is related to the right one, where no model is known: a factor, a transposition, a shift, …"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array

BLOCKS = (2, 3, 4)
"""Into how many blocks of rows an array is cut to find gates in another order."""


def relations(
    name: str,
    analytic: Array,
    numeric: Array,
    tolerance: npt.ArrayLike,
    *,
    batch: int | None = None,
    steps: int | None = None,
) -> tuple[str, ...]:
    """Sentences on what a wrong gradient is, compared with the right one.

    Parameters
    ----------
    name : str
        The argument's.
    analytic, numeric : ndarray
        The gradient that is claimed and the one that was found by differences; one shape, real or complex.
    tolerance : float or ndarray
        How far an entry of ``numeric`` may lie from the truth; broadcast.
    batch, steps : int, optional
        B and T, if there are such: factors that are made of them are named.

    Returns
    -------
    tuple of str
        The simplest relation first; empty if the gradient is right, or related in no way that is known here.
    """
    analytic, numeric = np.asarray(analytic), np.asarray(numeric)
    bound = np.broadcast_to(np.asarray(tolerance, np.float64), numeric.shape)
    if analytic.shape != numeric.shape or not analytic.size:
        return ()
    if not (np.isfinite(analytic).all() and np.isfinite(numeric).all()) or _near(analytic, numeric, bound):
        return ()
    told = (
        f"the gradient of {name} {what}"
        for what in itertools.chain(
            _scaled(analytic, numeric, bound, batch, steps),
            _of_parts(analytic, numeric, bound),
            _of_matrix(analytic, numeric, bound),
            _of_order(analytic, numeric, bound),
            _right_elsewhere(analytic, numeric, bound),
        )
    )
    return tuple(dict.fromkeys(told))


def _near(analytic: Array, numeric: Array, bound: Array) -> bool:
    return bool((np.abs(analytic - numeric) <= bound).all())


def _scaled(analytic: Array, numeric: Array, bound: Array, batch: int | None, steps: int | None) -> Iterator[str]:
    """Zero, or a factor."""
    if not analytic.any():
        yield "is zero where the right one is not: nothing reaches it"
        return
    factors = {-1.0: "has the opposite sign", 2.0: "is twice the right one", 0.5: "is half of the right one"}
    factors |= {-2.0: "is −2 times the right one", -0.5: "is −1/2 times the right one"}
    for count, what in (
        (batch, "the batch"),
        (steps, "the number of steps"),
        (batch * steps if batch and steps else None, "batch times steps"),
    ):
        if count is not None and count > 1:
            factors.setdefault(float(count), f"is the right one times {what}, {count}")
            factors.setdefault(1 / count, f"is the right one divided by {what}, {count}: a mean where a sum is right")
    for factor, what in factors.items():
        if _near(analytic, factor * numeric, max(1.0, abs(factor)) * bound):
            yield what
            return
    norm = float(np.vdot(numeric, numeric).real)
    if numeric.size > 1 and norm > 0:
        factor = float(np.vdot(numeric, analytic).real) / norm
        if _near(analytic, factor * numeric, max(1.0, abs(factor)) * bound) and abs(factor) * norm**0.5 > bound.max():
            yield f"is {factor:.6g} times the right one"


def _of_parts(analytic: Array, numeric: Array, bound: Array) -> Iterator[str]:
    """Of complex arrays."""
    if not (np.iscomplexobj(analytic) or np.iscomplexobj(numeric)):
        return
    for what, expected in (
        ("is the complex conjugate of the right one", numeric.conj()),
        ("is minus the complex conjugate of the right one", -numeric.conj()),
        ("is the real part of the right one", numeric.real),
        ("is the imaginary part of the right one alone", 1j * numeric.imag),
        ("is the right one times i", 1j * numeric),
        ("is the right one times −i", -1j * numeric),
    ):
        if _near(analytic, expected, bound):
            yield what


def _of_matrix(analytic: Array, numeric: Array, bound: Array) -> Iterator[str]:
    """Transposed, stored by columns, symmetric or skew parts, triangles."""
    if numeric.ndim != 2:
        return
    rows, columns = numeric.shape
    if min(rows, columns) > 1:
        by_columns = numeric.ravel().reshape(numeric.shape, order="F")
        bounds = bound.ravel().reshape(numeric.shape, order="F")
        if rows != columns and _near(analytic, by_columns, bounds):
            yield "holds the right numbers, stored column by column and not row by row"
        if rows != columns and _near(analytic, numeric.ravel(order="F").reshape(numeric.shape), bound.max()):
            yield "holds the right numbers, stored row by row and not column by column"
    if rows != columns or rows == 1:
        return
    for what, expected in (
        ("is the transpose of the right one", numeric.T),
        ("is minus the transpose of the right one", -numeric.T),
        ("is the skew part (M − Mᵀ)/2 of the right one", (numeric - numeric.T) / 2),
        ("is M − Mᵀ of the right one", numeric - numeric.T),
        ("is the symmetric part (M + Mᵀ)/2 of the right one", (numeric + numeric.T) / 2),
        ("is M + Mᵀ of the right one", numeric + numeric.T),
        ("is the upper triangle of the right one", np.triu(numeric)),
        ("is the lower triangle of the right one", np.tril(numeric)),
        ("is the diagonal of the right one", np.diag(np.diag(numeric))),
    ):
        if _near(analytic, expected, bound + bound.T):
            yield what


def _of_order(analytic: Array, numeric: Array, bound: Array) -> Iterator[str]:
    """Shifted, reversed or permuted along the first axis."""
    if len(numeric) < 2:
        return
    moved = np.zeros_like(numeric)
    moved[1:] = numeric[:-1]
    spread = np.broadcast_to(bound.max(axis=0), bound.shape)
    zero_first, zero_last = _near(analytic[:1], moved[:1], spread[:1]), not analytic[-1].any()
    if len(numeric) > 2 or zero_first:
        if _near(analytic[1:], numeric[:-1], spread[1:]):
            yield "is the right one shifted by one entry of its first axis, entry t − 1 in the place of t (off by one)"
            return
        if _near(analytic[:-1], numeric[1:], spread[:-1]) and (len(numeric) > 2 or zero_last):
            yield "is the right one shifted by one entry of its first axis, entry t + 1 in the place of t (off by one)"
            return
    for blocks in BLOCKS:
        if len(numeric) % blocks or len(numeric) == blocks:
            continue
        parts = numeric.reshape(blocks, -1, *numeric.shape[1:])
        for order in itertools.permutations(range(blocks)):
            expected = parts[list(order)].reshape(numeric.shape)
            if _near(analytic, expected, spread.max(axis=0)):
                places = ", ".join(str(k + 1) for k in order)
                yield f"has its {blocks} blocks of rows in the order {places} (gates in another order)"
                return
    if _near(analytic, numeric[::-1], spread):
        yield "is the right one with its first axis reversed"
        return
    rows = _matched(analytic, numeric, bound)
    if rows is not None:
        yield f"has the right rows in another order: {', '.join(map(str, rows))}"


def _matched(analytic: Array, numeric: Array, bound: Array) -> list[int] | None:
    """Which row of ``numeric`` each row of ``analytic`` is, if every one is exactly one."""
    if numeric.ndim < 2 or len(numeric) > 512:
        return None
    flat, other, limit = (array.reshape(len(numeric), -1) for array in (analytic, numeric, bound))
    order = []
    for row in flat:
        hits = np.flatnonzero((np.abs(other - row) <= limit).all(axis=1))
        if len(hits) != 1:
            return None
        order.append(int(hits[0]))
    return order if sorted(order) == list(range(len(order))) else None


def _right_elsewhere(analytic: Array, numeric: Array, bound: Array) -> Iterator[str]:
    """Right but for a few entries of the first axis."""
    wrong = (np.abs(analytic - numeric) > bound).reshape(len(numeric), -1).any(axis=1) if numeric.ndim else None
    if wrong is None or len(wrong) < 3 or wrong.all():
        return
    indices = np.flatnonzero(wrong)
    if len(indices) == 1:
        yield f"is right but for entry {indices[0]} of its first axis"
    elif len(indices) <= len(wrong) // 2 and np.array_equal(indices, np.arange(indices[0], indices[-1] + 1)):
        yield f"is right but for the entries {indices[0]} to {indices[-1]} of its first axis"
