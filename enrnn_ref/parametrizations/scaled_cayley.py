"""Orthogonal matrices by the scaled Cayley transform, W = (I + A)⁻¹ (I − A) D (derivations/02-scaled-cayley.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from enrnn_ref.arrays import Array, Arrays, integer
from enrnn_ref.errors import OptionError
from enrnn_ref.initializers import cayley_rotations
from enrnn_ref.linalg.algebra import Algebra, algebra_of
from enrnn_ref.linalg.shifted import Shifted
from enrnn_ref.linalg.skew import skew_vector
from enrnn_ref.parametrizations.base import Parametrization, Value


@dataclass(frozen=True, eq=False)
class CayleyValue(Value):
    """Keeps I + A as the map, its pullback and its tangent solve with it, and W in float64."""

    shifted: Any = None
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

    portable: ClassVar[bool] = True

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
        skew = raw["skew"]
        on = algebra_of(skew)
        return self._solved(on.shifted(on.skew_matrix(skew.astype(np.float64), self.shape[0])), on, skew.dtype)

    def _solved(self, shifted: Shifted, on: Algebra, dtype: np.dtype[Any]) -> CayleyValue:
        w: Array = shifted.cayley() * on.constant(self.signs)  # [SC-1]
        return CayleyValue(self, w.astype(dtype), shifted=shifted, exact=w)

    def _settled(self, value: CayleyValue) -> CayleyValue:
        shifted = value.shifted.settled()
        if shifted is value.shifted:
            return value
        return self._solved(shifted, algebra_of(value.matrix), value.matrix.dtype)

    def _pullback(self, value: CayleyValue, dmatrix: Array) -> Arrays:
        """V = (I + A)⁻ᵀ G (D + Wᵀ) [SC-4]; the gradient of a_ij is (Vᵀ − V)_ij [SC-5]."""
        on, g = algebra_of(dmatrix), dmatrix.astype(np.float64)
        factor = on.plus_diagonal(value.exact.T, on.constant(self.signs))
        v = value.shifted.solve(g @ factor, transposed=True)
        return {"skew": on.skew_vector(v.T - v).astype(dmatrix.dtype)}

    def _tangent(self, value: CayleyValue, draw: Arrays) -> Array:
        """dW = −(I + A)⁻¹ dA (W + D) [SC-3]."""
        on, dtype = algebra_of(value.matrix), value.matrix.dtype
        if "skew" not in draw:
            return on.zeros(self.shape, dtype)
        da = on.skew_matrix(draw["skew"].astype(np.float64), self.shape[0])
        dw: Array = -value.shifted.solve(da @ on.plus_diagonal(value.exact, on.constant(self.signs)))
        return dw.astype(dtype)

    def _violation(self, value: CayleyValue) -> float:
        """Largest entry of \\|WᵀW − I\\| [SC-2], in the dtype of W."""
        w = value.matrix
        return float(np.abs(w.T @ w - np.eye(len(w), dtype=w.dtype)).max(initial=0.0))
