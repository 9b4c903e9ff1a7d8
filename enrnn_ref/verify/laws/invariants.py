"""Laws of matrices: what a parametrization promises of the matrix it makes, on any matrix; each returns a row.

A tolerance is what rounding in the matrix's dtype may do to the promise, from the size and the numbers of the matrix
itself: a bound of the classical analysis where there is one (n units in the last place for an inner product of n
terms), with the safety factor of all measurements of rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg

from enrnn_ref.arrays import Array, Arrays, float_array, integer, number
from enrnn_ref.errors import OptionError, ShapeError
from enrnn_ref.linalg.eigenpair import Eigenpair
from enrnn_ref.models import Model
from enrnn_ref.parametrizations.base import Parametrization, Value
from enrnn_ref.parametrizations.coupled_blocks import BlockValue
from enrnn_ref.parametrizations.eigenvalue_normalized import NormalizedValue
from enrnn_ref.verify.conditioning import SAFETY, unit
from enrnn_ref.verify.report import Row, worst_row
from enrnn_ref.verify.spectra import check_spectrum
from enrnn_ref.verify.verdicts import Verdict


def orthogonality(matrix: Array) -> Row:
    """WᵀW = I, entry by entry, within n units in the last place: the rounding of an inner product of unit columns.

    Parameters
    ----------
    matrix : ndarray (n, n)
        float32 or float64.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError
    """
    w = _square("matrix", matrix)
    return _held("orthogonality", {"": _from_identity(w)}, len(w) * unit(w.dtype))


def unitarity(matrix: Array) -> Row:
    """The real form [[Re U, −Im U], [Im U, Re U]] of a complex matrix U with UᴴU = I.

    Parameters
    ----------
    matrix : ndarray (2 n, 2 n)
        float32 or float64. The form is held to one unit in the last place, and U to n of them.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError
    """
    w = _square("matrix", matrix)
    if len(w) % 2:
        raise ShapeError(f"matrix has shape {w.shape}; expected (2 n, 2 n), the real form of a complex (n, n).")
    n = len(w) // 2
    form = np.block([w[:n, :n] - w[n:, n:], w[n:, :n] + w[:n, n:]]).astype(np.float64)
    errors = {"the columns": _from_identity(w), "the form": n * np.abs(form)}
    return _held("unitarity", errors, n * unit(w.dtype))


def spectral_radius(matrix: Array, bound: float) -> Row:
    """No eigenvalue has a modulus above ``bound``.

    Each eigenvalue may be off by its own condition number times 16 n u ‖W‖ + v ‖W‖_F, as in
    :func:`~enrnn_ref.verify.check_spectrum`; where that reaches the bound, rounding decides, and the verdict is
    ILL_CONDITIONED.

    Parameters
    ----------
    matrix : ndarray (n, n)
        float32 or float64.
    bound : float
        At least 0.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError, OptionError
    """
    w, bound = _square("matrix", matrix), number("bound", bound)
    exact = w.astype(np.float64)
    unit_roundoff = unit(exact.dtype) / 2.0
    rounding = SAFETY * len(w) * unit_roundoff * float(np.linalg.norm(exact, 2)) if w.size else 0.0
    rounding += unit(w.dtype) / 2.0 * float(np.linalg.norm(exact))
    values, conditions = _eigenvalues(exact, rounding)
    moduli, tolerances = np.abs(values), rounding * conditions
    row = worst_row(
        "spectral radius",
        "invariant",
        {"": np.maximum(moduli - bound, 0.0)},
        {"": tolerances},
        {"": np.full(len(w), bound)},
    )
    radius = float(moduli.max(initial=0.0))
    leaders = moduli + tolerances >= radius
    undecided = row.passed and bool(np.any(leaders & ~(tolerances < max(bound, radius)))) and radius > 0.0
    verdict = Verdict.ILL_CONDITIONED if undecided else row.verdict
    return Row(
        row.name,
        row.group,
        verdict,
        row.error,
        row.tolerance,
        verdict is Verdict.PASSED,
        f"spectral radius {radius:.6g}, at most {bound:.6g} expected",
    )


def spectrum(requested: npt.ArrayLike, matrix: Array) -> Row:
    """The eigenvalues are the requested ones: the row of :func:`~enrnn_ref.verify.check_spectrum` for one block.

    Parameters
    ----------
    requested : array_like (n,)
        Real or complex, in any order.
    matrix : ndarray (n, n)
        float32 or float64.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError
    """
    if np.ndim(requested) != 1:
        raise ShapeError(f"requested has shape {np.shape(requested)}; expected (n,).")
    return check_spectrum(requested, matrix)["eigenvalues"]


def circulant(matrix: Array, block: int) -> Row:
    """Every block of ``block`` rows and columns is circulant: constant along its wrapped diagonals.

    The first column or the first row of a block may be its generator: both orders have the same structure. The
    tolerance is one unit in the last place of the generator's norm, what a Fourier transform of it rounds to.

    Parameters
    ----------
    matrix : ndarray (P k, Q k)
        float32 or float64.
    block : int
        k.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError, OptionError
    """
    w, k = float_array("matrix", matrix), integer("block", block)
    if w.ndim != 2 or w.shape[0] % k or w.shape[1] % k:
        raise ShapeError(f"matrix has shape {w.shape}; expected both sizes to be multiples of block, {k}.")
    blocks = wrapped_diagonals(w.astype(np.float64), k)
    errors = np.abs(blocks - blocks[:, :, :, :1])
    norms = np.linalg.norm(blocks, axis=(2, 3), keepdims=True) / k**0.5
    scales = np.broadcast_to(norms, errors.shape)
    return worst_row("circulant blocks", "invariant", {"": errors}, {"": SAFETY * unit(w.dtype) * scales}, {"": scales})


def wrapped_diagonals(matrix: Array, block: int) -> Array:
    """Entry (p, q, s, b) is [(s + b) mod k, b] of block (p, q), with k = ``block``: a wrapped diagonal in each row."""
    columns = np.arange(block)
    rows = (columns[:, np.newaxis] + columns) % block
    blocks = matrix.reshape(matrix.shape[0] // block, block, -1, block).transpose(0, 2, 1, 3)
    gathered: Array = blocks[:, :, rows, columns]
    return gathered


def invariant(
    parametrization: Parametrization,
    raw: Mapping[str, Array],
    buffers: Mapping[str, Array] | None = None,
) -> Row:
    """The promise of a parametrization at ``raw``: its own ``violation``, within rounding.

    The tolerance is n units in the last place of the dtype, times the condition number of the leading eigenvalue where
    the parametrization divides by it.

    Raises
    ------
    EnrnnError
        As ``parametrization.evaluate`` does, or ``parametrization`` is not one.
    """
    if not isinstance(parametrization, Parametrization):
        raise OptionError(f"parametrization is a {type(parametrization).__name__}; expected a Parametrization.")
    return promise(parametrization.evaluate(raw, buffers))


def promise(value: Value) -> Row:
    """As :func:`invariant`, of a parametrization that is evaluated already."""
    error, pair = value.source.violation(value), leader(value)
    units = value.matrix.shape[1]
    tolerance = SAFETY * units * unit(value.matrix.dtype) * (1.0 if pair is None else pair.condition)
    verdict = Verdict.PASSED if error <= tolerance else Verdict.WRONG
    name = f"invariant of {type(value.source).__name__}"
    return Row(name, "invariant", verdict, error, tolerance, verdict is Verdict.PASSED)


def of_model(model: Model, params: Arrays) -> list[Row]:
    """The promise of every parametrization in a model of this package, under its prefix."""
    rows = []
    for prefix, recurrence, own, buffers in model.recurrences(params):
        row = promise(recurrence.evaluate(own, buffers))
        rows.append(replace(row, name=f"{prefix}{row.name}"))
    return rows


def leader(value: Value) -> Eigenpair | None:
    """The leading eigenpair that the parametrization divides by, if it does."""
    if isinstance(value, BlockValue):
        return leader(value.short)
    return value.eigenpair if isinstance(value, NormalizedValue) else None


def _square(name: str, value: object) -> Array:
    array = float_array(name, value)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ShapeError(f"{name} has shape {array.shape}; expected a square matrix, (n, n).")
    return array


def _from_identity(matrix: Array) -> Array:
    """WᵀW − I, computed in float64."""
    w = matrix.astype(np.float64)
    distance: Array = np.abs(w.T @ w - np.eye(len(w)))
    return distance


def _held(name: str, errors: Arrays, tolerance: float) -> Row:
    """All errors within one tolerance, SAFETY × ``tolerance``, on the scale of unit columns."""
    tolerances = {key: np.full(error.shape, SAFETY * tolerance) for key, error in errors.items()}
    return worst_row(
        name, "invariant", errors, tolerances, {key: np.ones(error.shape) for key, error in errors.items()}
    )


def _eigenvalues(matrix: Array, rounding: float) -> tuple[Array, Array]:
    """Eigenvalues (n,) and their condition numbers 1 / |v* u|, which are 1 in a matrix normal to within rounding."""
    triangle, _ = scipy.linalg.schur(matrix, output="complex")
    if float(np.linalg.norm(np.triu(triangle, 1))) <= rounding:
        return np.diag(triangle), np.ones(len(matrix))
    decomposition: Any = scipy.linalg.eig(matrix, left=True, right=True)
    values, left, right = decomposition
    with np.errstate(divide="ignore"):
        return values, 1.0 / np.abs(np.sum(left.conj() * right, axis=0))
