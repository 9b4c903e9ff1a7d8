"""Orthogonal matrices by the scaled Cayley transform, W = (I + A)⁻¹ (I − A) D (derivations/02-scaled-cayley.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from enrnn_ref.arrays import Array, Arrays, integer
from enrnn_ref.errors import NotFiniteError, OptionError
from enrnn_ref.initializers import cayley_rotations
from enrnn_ref.linalg.skew import skew_matrix, skew_vector
from enrnn_ref.parametrizations.base import Parametrization, Value


@dataclass(frozen=True, eq=False)
class CayleyValue(Value):
    """Keeps the one LU factorisation of I + A that the map, its pullback and its tangent share, and W in float64."""

    lu: Any = None
    exact: Any = None


class ScaledCayley(Parametrization):
    """W = (I + A)⁻¹ (I − A) D with A skew-symmetric and D = diag(±1) fixed [SC-1]; raw key ``skew`` (n(n-1)/2,).

    Parameters
    ----------
    size : int
        n ≥ 0.
    negative_ones : int
        How many entries of D, counted from the end, are -1; 0 ≤ negative_ones ≤ size.

    Notes
    -----
    I + A is always invertible: the eigenvalues of A are imaginary [SC-2]. Solved in float64 whatever the dtype.
    """

    def __init__(self, size: int, negative_ones: int) -> None:
        n = integer("size", size, least=0)
        count = integer("negative_ones", negative_ones, least=0)
        if count > n:
            raise OptionError(f"negative_ones is {count}; expected at most the {n} units of the orthogonal block.")
        self.shape = (n, n)
        self.shapes = {"skew": (n * (n - 1) // 2,)}
        self.signs = np.repeat([1.0, -1.0], [n - count, count])

    def _init(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
        """Rotations by angles from U[0, π/2]."""
        return {"skew": skew_vector(cayley_rotations(rng, self.shape[0])).astype(dtype)}

    def _evaluate(self, raw: Arrays, buffers: Arrays) -> CayleyValue:
        n = self.shape[0]
        a = skew_matrix(raw["skew"].astype(np.float64), n)
        eye = np.eye(n)
        lu = _factorised(eye + a) if n else None
        w = _solve(lu, eye - a) * self.signs  # [SC-1]
        return CayleyValue(self, w.astype(raw["skew"].dtype), lu=lu, exact=w)

    def _pullback(self, value: CayleyValue, dmatrix: Array) -> Arrays:
        """V = (I + A)⁻ᵀ G (D + Wᵀ) [SC-4]; the gradient of a_ij is (Vᵀ − V)_ij [SC-5]."""
        g = dmatrix.astype(np.float64)
        v = _solve(value.lu, g @ (np.diag(self.signs) + value.exact.T), transposed=True)
        return {"skew": skew_vector(v.T - v).astype(dmatrix.dtype)}

    def _tangent(self, value: CayleyValue, draw: Arrays) -> Array:
        """dW = −(I + A)⁻¹ dA (W + D) [SC-3]."""
        if "skew" not in draw:
            return np.zeros_like(value.matrix)
        da = skew_matrix(draw["skew"].astype(np.float64), self.shape[0])
        dw = -_solve(value.lu, da @ (value.exact + np.diag(self.signs)))
        return dw.astype(value.matrix.dtype)

    def _violation(self, value: CayleyValue) -> float:
        """Largest entry of \\|WᵀW − I\\| [SC-2], in the dtype of W."""
        w = value.matrix
        return float(np.abs(w.T @ w - np.eye(len(w), dtype=w.dtype)).max(initial=0.0))


def _factorised(matrix: Array) -> Any:
    """LU factorisation of I + A; invertible on paper [SC-2], and in float64 unless A is as large as 1/u."""
    lu, pivots, singular = scipy.linalg.lapack.dgetrf(matrix)
    if singular:
        raise NotFiniteError(
            f"skew has entries up to {np.abs(matrix).max():.3g}, so large that I + A is singular in float64; expected "
            f"smaller ones."
        )
    return lu, pivots


def _solve(lu: Any, right_side: Array, *, transposed: bool = False) -> Array:
    """(I + A)⁻¹ B, or (I + A)⁻ᵀ B, from the shared factorisation (None for a block of size zero)."""
    if lu is None:
        return right_side
    solution: Array
    solution, _ = scipy.linalg.lapack.dgetrs(*lu, right_side, trans=int(transposed))
    return solution
