"""Eigenvectors to full accuracy: Newton steps on the eigenvalue equations with residuals in extended precision.

A dense routine returns vectors with an error of about u‖T‖ divided by the distance to the nearest other eigenvalue. The
matrix itself is exact, so for eigenvalues that lie close together that error is avoidable, and it is the largest one in
the derivative of the spectral radius.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from enrnn_ref.arrays import Array
from enrnn_ref.linalg.skew import identity

STEPS = 3
"""Each gains the factor u‖T‖/distance; what is left after three is the precision of the residuals."""

_WIDER = bool(np.finfo(np.longdouble).eps < np.finfo(np.float64).eps)


def refined_eigenpair(matrix: Array, value: complex, right: Array, left: Array) -> tuple[Any, Array, Array]:
    """A simple eigenpair [EN-1] corrected: value, right and left vector in extended precision.

    With w = u₀, the equations Tu = λu and w*u = 1 have the bordered Jacobian M = [[T − λ, −u], [w*, 0]], regular at a
    simple eigenvalue however close its neighbours are. Its conjugate transpose serves the left vector, so one
    factorisation does for all steps. Where NumPy's longdouble is no wider than float64 there is nothing to gain, and
    the pair is returned as it came.

    Parameters
    ----------
    matrix : ndarray (n, n) float64
    value : complex
    right, left : ndarray (n,) complex128, of unit 2-norm
    """
    if not _WIDER:
        return value, right, left
    if value.imag == 0.0:  # a real leader has real vectors: a quarter of the arithmetic
        value, right, left = value.real, right.real, left.real
    n, kind = len(matrix), right.dtype
    bordered = np.zeros((n + 1, n + 1), kind)
    bordered[:n, :n] = matrix - value * identity(n)
    bordered[:n, n], bordered[n, :n] = -right, right.conj()
    lapack: Any = scipy.linalg.lapack
    real = kind == np.float64
    factorise, solve = (lapack.dgetrf, lapack.dgetrs) if real else (lapack.zgetrf, lapack.zgetrs)
    lu, pivots, singular = factorise(bordered)
    if singular:  # a multiple eigenvalue after all: there is no one pair to correct
        return value, right, left

    right_side = np.zeros(n + 1, kind)

    def correction(exact: Array, eigenvalue: Any, vector: Array, trans: int) -> Array:
        right_side[:n] = eigenvalue * vector - _product(exact, vector)
        solution: Array = solve(lu, pivots, right_side, trans=trans)[0]
        return solution

    exact, wide = matrix.astype(np.longdouble), np.result_type(kind, np.longdouble)
    u, v, eigenvalue = right.astype(wide), left.astype(wide), wide.type(value)
    for _ in range(STEPS):
        step = correction(exact, eigenvalue, u, trans=0)
        u, eigenvalue = u + step[:n], eigenvalue + step[n]
    transposed, conjugate = exact.T, eigenvalue.conjugate()
    for _ in range(STEPS):
        v = v + correction(transposed, conjugate, v, trans=2)[:n]
    return eigenvalue, u, v


def _product(matrix: Array, vector: Array) -> Array:
    """A real matrix times a contiguous vector, real and imaginary parts as columns."""
    columns = vector.view(matrix.dtype).reshape(len(vector), -1)
    product: Array = (matrix @ columns).view(vector.dtype)[:, 0]
    return product
