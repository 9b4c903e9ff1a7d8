"""Unitary matrices by the complex Cayley transform, in their real form (derivations/07-unitary-cayley.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from enrnn_ref.arrays import Array, Arrays, choice, integer
from enrnn_ref.errors import NotFiniteError
from enrnn_ref.initializers import cayley_rotations
from enrnn_ref.linalg.skew import skew_matrix, skew_vector
from enrnn_ref.parametrizations.base import Parametrization, Value

ORDERS = ("paper", "released")


@dataclass(frozen=True, eq=False)
class UnitaryValue(Value):
    """Keeps what the map, its pullback and its tangent share, in complex128 and in the paper's order.

    The LU factorisation of I + A, the diagonal of D, and W = (I + A)⁻¹ (I − A) D.
    """

    lu: Any = None
    diagonal: Any = None
    exact: Any = None


class UnitaryCayley(Parametrization):
    """R = [[Re W, −Im W], [Im W, Re W]] [UC-2] of the unitary W = (I + A)⁻¹ (I − A) D [UC-1].

    A is skew-Hermitian, A = X + iY with Xᵀ = −X and Yᵀ = Y; D = diag(e^{iθ}). Raw keys ``skew_real`` (n(n-1)/2,), the
    strict upper triangle of X; ``skew_imag`` (n(n+1)/2,), the upper triangle of Y with its diagonal; ``phase`` (n,), θ.

    Parameters
    ----------
    size : int
        n ≥ 1, complex units; R is (2n, 2n) and real.
    order : {"paper", "released"}
        "released" is the released code's W = D (I + Aᵀ)⁻¹ (I − Aᵀ), the transpose of the paper's [UC-8].

    Notes
    -----
    I + A is always invertible: the eigenvalues of A are imaginary [UC-3]. Solved in complex128 whatever the dtype.
    """

    def __init__(self, size: int, order: str = "paper") -> None:
        n = integer("size", size)
        self.order = choice("order", order, ORDERS)
        self.size = n
        self.shape = (2 * n, 2 * n)
        self.shapes = {"skew_real": (n * (n - 1) // 2,), "skew_imag": (n * (n + 1) // 2,), "phase": (n,)}

    def _init(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
        """As released: rotations by angles from U[0, π/2] in X, Y = 0, θ from U[0, 2π]."""
        n = self.size
        return {
            "skew_real": skew_vector(cayley_rotations(rng, n)).astype(dtype),
            "skew_imag": np.zeros(self.shapes["skew_imag"], dtype),
            "phase": rng.uniform(0.0, 2 * math.pi, n).astype(dtype),
        }

    def _evaluate(self, raw: Arrays, buffers: Arrays) -> UnitaryValue:
        real, imag, phase = (raw[key].astype(np.float64) for key in self.shapes)
        a = _skew_hermitian(real, imag, self.size)
        diagonal = np.exp(1j * phase)
        eye = np.eye(self.size)
        with np.errstate(over="ignore", invalid="ignore"):  # what is left of such entries is judged below
            lu = scipy.linalg.lapack.zgetrf(eye + a)[:2]
            w = _solve(lu, (eye - a) * diagonal)  # [UC-1]
        _require_unit_lengths(w, raw)
        matrix = self._embedded(w).astype(raw["phase"].dtype)
        return UnitaryValue(self, matrix, lu=lu, diagonal=diagonal, exact=w)

    def _pullback(self, value: UnitaryValue, dmatrix: Array) -> Arrays:
        """K = (I + A)⁻* G (W + D)* and θ̄ [UC-6], and the tied entries of K [UC-7]; G is folded from dR by [UC-4]."""
        g, w = self._folded(dmatrix.astype(np.float64)), value.exact
        k = _solve(value.lu, g @ (w + np.diag(value.diagonal)).conj().T, adjoint=True)
        tied = k.imag + k.imag.T
        np.fill_diagonal(tied, k.imag.diagonal())  # an entry of the diagonal moves alone
        grads = {
            "skew_real": skew_vector(k.real.T - k.real),
            "skew_imag": -tied[np.triu_indices(self.size)],
            "phase": np.sum(g * w.conj(), axis=0).imag,
        }
        return {key: array.astype(dmatrix.dtype) for key, array in grads.items()}

    def _tangent(self, value: UnitaryValue, draw: Arrays) -> Array:
        """dW = −(I + A)⁻¹ dA (W + D) + i W dθ [UC-5]."""
        real, imag, phase = (
            np.asarray(draw.get(key, np.zeros(shape)), np.float64) for key, shape in self.shapes.items()
        )
        w = value.exact
        da = _skew_hermitian(real, imag, self.size)
        dw = 1j * w * phase - _solve(value.lu, da @ (w + np.diag(value.diagonal)))
        return self._embedded(dw).astype(value.matrix.dtype)

    def _violation(self, value: UnitaryValue) -> float:
        """Largest entry of \\|RᵀR − I\\| [UC-3], or distance of R from the form [UC-2], in the dtype of R."""
        r, n = value.matrix, self.size
        unitarity = np.abs(r.T @ r - np.eye(len(r), dtype=r.dtype)).max()
        form = max(np.abs(r[:n, :n] - r[n:, n:]).max(), np.abs(r[n:, :n] + r[:n, n:]).max())
        return float(max(unitarity, form))

    def _embedded(self, w: Array) -> Array:
        """The real form [UC-2] of a matrix given in the paper's order."""
        w = w.T if self.order == "released" else w
        return np.block([[w.real, -w.imag], [w.imag, w.real]])

    def _folded(self, dr: Array) -> Array:
        """The adjoint of :meth:`_embedded`: G = dRe W + i dIm W [UC-4], in the paper's order."""
        n = self.size
        g = dr[:n, :n] + dr[n:, n:] + 1j * (dr[n:, :n] - dr[:n, n:])
        return g.T if self.order == "released" else g


def _skew_hermitian(real: Array, imag: Array, size: int) -> Array:
    """A = X + iY from the strict upper triangle of X and the upper triangle of Y."""
    upper = np.zeros((size, size))
    upper[np.triu_indices(size)] = imag
    a: Array = skew_matrix(real, size) + 1j * (upper + np.triu(upper, 1).T)
    return a


def _require_unit_lengths(w: Array, raw: Arrays) -> None:
    """I + A is invertible on paper [UC-3], in float64 only while A is below 1/u; beyond, W is far from unitary."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.concatenate([np.linalg.norm(w, axis=axis) for axis in (0, 1)])
    if not (np.abs(lengths - 1) <= 0.01).all():
        largest = max(np.abs(raw[key]).max(initial=0.0) for key in ("skew_real", "skew_imag"))
        raise NotFiniteError(
            f"skew_real and skew_imag have entries up to {largest:.3g}, so large that I + A is singular in float64; "
            f"expected smaller ones."
        )


def _solve(lu: Any, right_side: Array, *, adjoint: bool = False) -> Array:
    """(I + A)⁻¹ B, or (I + A)⁻* B, from the shared factorisation."""
    solution: Array = scipy.linalg.lu_solve(lu, right_side, trans=2 if adjoint else 0, check_finite=False)
    return solution
