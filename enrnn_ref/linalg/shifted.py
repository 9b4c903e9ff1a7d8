"""Solving with I + A for a skew-symmetric A, and the Cayley transform (derivations/02-scaled-cayley.md)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import scipy

from enrnn_ref.arrays import Array
from enrnn_ref.errors import NotFiniteError
from enrnn_ref.linalg.skew import identity


class Shifted(Protocol):
    """I + A, prepared once for all that is solved with it. Invertible, as A is skew-symmetric [SC-2]."""

    def cayley(self) -> Array:
        """(I + A)⁻¹ (I − A)."""

    def solve(self, right_side: Array, *, transposed: bool = False) -> Array:
        """(I + A)⁻¹ B, or (I + A)⁻ᵀ B."""

    def settled(self) -> Shifted:
        """Itself, or what is as good as it should be where a device, asked only now, has found that it is not."""


class ShiftedLu:
    """One LU factorisation of I + A, A (n, n) float64, n ≥ 0.

    Raises
    ------
    NotFiniteError
        A is as large as 1/u, so that I + A is singular in float64.
    """

    def __init__(self, skew: Array) -> None:
        self._skew, self._eye = skew, identity(len(skew))
        self._lu = _factorised(self._eye + skew) if len(skew) else None

    def cayley(self) -> Array:
        return self.solve(self._eye - self._skew)

    def solve(self, right_side: Array, *, transposed: bool = False) -> Array:
        if self._lu is None:
            return right_side
        solution: Array
        solution, _ = scipy.linalg.lapack.dgetrs(*self._lu, right_side, trans=int(transposed))
        return solution

    def settled(self) -> Shifted:
        return self


def _factorised(matrix: Array) -> tuple[Array, Array]:
    lu, pivots, singular = scipy.linalg.lapack.dgetrf(matrix)
    if singular:
        raise NotFiniteError(
            f"skew has entries up to {np.abs(matrix).max():.3g}, so large that I + A is singular in float64; expected "
            f"smaller ones."
        )
    return lu, pivots
