"""The dominant eigenpair of a real matrix and the derivative of its modulus (derivations/03-spectral-radius.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from enrnn_ref.arrays import Array, choice, float_array
from enrnn_ref.errors import DegenerateEigenvalueError, ShapeError
from enrnn_ref.linalg.refinement import refined_eigenpair

POLICIES = ("raise", "proceed")


@dataclass(frozen=True)
class Degeneracy:
    """Why the leading eigenvalue has no derivative.

    Attributes
    ----------
    kind : str
        ``"tied"`` (another eigenvalue, not its conjugate, has the same modulus), ``"defective"`` (it coincides with
        another one and shares its eigenvector) or ``"zero"``.
    modulus, gap, condition : float
        Its modulus, how far the second modulus lies below, and its condition number.
    uncertainty : float
        What rounding alone can move it by, n·u·‖T‖·condition [EN-10]: the yardstick for "the same".
    """

    kind: str
    modulus: float
    gap: float
    condition: float
    uncertainty: float

    def message(self) -> str:
        """One sentence: which degeneracy, by how much, and the way out."""
        what = {
            "tied": "is tied: the second modulus is as large up to rounding, so the spectral radius has a kink here",
            "defective": "is defective: it shares its eigenvector with another one, and its derivative is unbounded",
            "zero": "is zero: the modulus has a kink at 0",
        }[self.kind]
        return (
            f"The leading eigenvalue {what} (modulus {self.modulus:.6g}, gap {self.gap:.3g}, "
            f"condition {self.condition:.3g}, rounding moves it by {self.uncertainty:.3g}); move the matrix off this "
            f"point, or pass on_degenerate='proceed' to go on with the choice of [EN-12]."
        )

    def error(self) -> DegenerateEigenvalueError:
        return DegenerateEigenvalueError(
            self.message(), kind=self.kind, modulus=self.modulus, gap=self.gap, condition=self.condition
        )


@dataclass(frozen=True)
class Eigenpair:
    """An eigenvalue of largest modulus with its vectors [EN-1].

    Attributes
    ----------
    value : complex
        λ; of a conjugate pair the one with non-negative imaginary part.
    modulus : float
        ρ = \\|λ\\|.
    right, left : ndarray (n,) complex128
        Tu = λu and v*T = λv*, of unit 2-norm.
    gap : float
        ρ minus the second modulus (the conjugate of λ does not count); infinity where there is no second.
    condition : float
        1 / \\|v*u\\| ≥ 1 [EN-10].
    modulus_gradient : ndarray (n, n) float64
        ∂ρ/∂T = Re(conj(λ) S)/ρ [EN-4]; zero where the policy says so [EN-12].
    degeneracy : Degeneracy or None
        None when the derivative exists.
    """

    value: complex
    modulus: float
    right: Array
    left: Array
    gap: float
    condition: float
    modulus_gradient: Array
    degeneracy: Degeneracy | None


def dominant_eigenpair(matrix: Array, *, on_degenerate: str = "raise") -> Eigenpair:
    """The eigenvalue of largest modulus, its vectors, its gap, its condition and the derivative of its modulus.

    Computed in float64 by LAPACK's dense routine, whatever the dtype of ``matrix``.

    Parameters
    ----------
    matrix : ndarray (n, n), n ≥ 1, float32 or float64
    on_degenerate : {"raise", "proceed"}
        What to do where the modulus has no derivative; "proceed" makes the choice of [EN-12] and records it in
        ``degeneracy``.

    Raises
    ------
    DegenerateEigenvalueError
        The leader is tied, defective or zero, and ``on_degenerate`` is "raise".
    ShapeError, DtypeError, NotFiniteError
        ``matrix`` is not a square, finite, real floating-point matrix.

    Notes
    -----
    Implements [EN-1], [EN-3] in gradient form [EN-4], and [EN-10].
    """
    choice("on_degenerate", on_degenerate, POLICIES)
    matrix = float_array("matrix", matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ShapeError(f"matrix has shape {matrix.shape}; expected (n, n) with n of at least 1.")
    pair = eigenpair_of(matrix.astype(np.float64))
    if pair.degeneracy is not None and on_degenerate == "raise":
        raise pair.degeneracy.error()
    return pair


def eigenpair_of(matrix: Array) -> Eigenpair:
    """:func:`dominant_eigenpair` of a checked float64 matrix; a degeneracy is recorded, never raised.

    The matrix is scaled by a power of two, which rounds nothing, so that no product in it overflows or underflows.
    """
    exponent = int(np.frexp(np.abs(matrix).max())[1])
    spectrum = _Spectrum(np.ldexp(matrix, -exponent))

    def unscaled(number: float) -> float:
        return float(np.ldexp(number, exponent))

    k, kind = spectrum.leader()
    value, condition, gap = complex(spectrum.values[k]), float(spectrum.conditions[k]), spectrum.gap(k)
    if kind in ("defective", "zero"):
        gradient = np.zeros_like(matrix)  # [EN-12]: the modulus counts as locally constant
    else:
        gradient = spectrum.modulus_gradient(k, refine=kind is None and spectrum.has_neighbour(k))
    modulus, gap = unscaled(abs(value)), unscaled(gap)
    degeneracy = None
    if kind is not None:
        degeneracy = Degeneracy(kind, modulus, gap, condition, unscaled(spectrum.uncertainty(k)))
    value = complex(unscaled(value.real), unscaled(value.imag))
    return Eigenpair(value, modulus, spectrum.right[:, k], spectrum.left[:, k], gap, condition, gradient, degeneracy)


class _Spectrum:
    """Eigenvalues of a matrix with entries of order one, their vectors and conditions, and what rounding does."""

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix
        decomposition: Any = scipy.linalg.eig(matrix, left=True, right=True, check_finite=False)
        self.values, self.left, self.right = decomposition
        self.moduli = np.abs(self.values)
        with np.errstate(divide="ignore"):
            self.conditions = 1.0 / np.abs(np.einsum("ij,ij->j", self.left.conj(), self.right))
        self.norm = float(np.linalg.norm(matrix))
        self.backward_error = float(np.finfo(np.float64).eps) * self.norm

    def uncertainty(self, k: int) -> float:
        """What rounding may move eigenvalue k by: n·u·‖T‖·condition [EN-10].

        First-order theory ends at a double eigenvalue, which rounding moves by no more than about sqrt(u)·‖T‖.
        """
        first_order = len(self.values) * self.backward_error * float(self.conditions[k])
        return min(first_order, math.sqrt(self.backward_error * self.norm))

    def rivals(self, k: int) -> Array:
        """All other eigenvalues but the conjugate of k, which is the same mode."""
        other = np.ones(len(self.values), bool)
        other[k] = False
        value = self.values[k]
        if value.imag != 0.0:
            other[np.flatnonzero(self.values == value.conjugate())[:1]] = False
        return np.flatnonzero(other)

    def gap(self, k: int) -> float:
        """By how much the second modulus lies below that of k; infinity where there is none."""
        return max(0.0, float(self.moduli[k]) - float(self.moduli[self.rivals(k)].max(initial=-np.inf)))

    def leader(self) -> tuple[int, str | None]:
        """Index of the leader, with imaginary part ≥ 0, and its degeneracy if it has one [EN-10] [EN-12]."""
        k = self._preferred(np.flatnonzero(self.moduli == self.moduli.max()))
        if self.moduli[k] <= len(self.values) * self.backward_error:
            return k, "zero"
        if self._merged(k):
            return k, "defective"
        reach = [
            j for j in self.rivals(k) if self.moduli[k] - self.moduli[j] <= self.uncertainty(k) + self.uncertainty(j)
        ]
        if reach:
            return self._preferred(np.append(reach, k)), "tied"
        return k, None

    def _preferred(self, indices: Array) -> int:
        """Of leaders that are equal to rounding the one with the greatest real part, then imaginary part [EN-12]."""
        return int(max(indices, key=lambda j: (self.values[j].real, self.values[j].imag)))

    def _merged(self, k: int) -> bool:
        """Whether k cannot be told from a defective eigenvalue.

        Rounding splits merged eigenvalues to a distance of about the error it makes in each, backward error times
        condition, and leaves a condition of 1/sqrt(u) or more. Neighbours with a small condition are a mere tie.
        """
        condition, neighbours = float(self.conditions[k]), np.delete(self.values, k)
        distance = float(np.abs(neighbours - self.values[k]).min(initial=np.inf))
        ill_conditioned = condition >= 1e-2 * math.sqrt(float(self.moduli[k]) / self.backward_error)
        return ill_conditioned and distance <= 16 * self.backward_error * condition

    def has_neighbour(self, k: int) -> bool:
        """Whether another mode lies closer to k than its own conjugate.

        The routine's errors in the two vectors of a pair near the real axis cancel in the derivative; those that
        another mode causes do not.
        """
        distance = np.abs(self.values[self.rivals(k)] - self.values[k]).min(initial=np.inf)
        return bool(self.values[k].imag == 0.0 or distance < 2 * abs(self.values[k].imag))

    def modulus_gradient(self, k: int, *, refine: bool) -> Array:
        """∂ρ/∂T = Re(conj(λ) S)/ρ with S = conj(v) uᵀ / (v*u) [EN-4]; a tied pair is taken as it comes."""
        value, u, v = self.values[k], self.right[:, k], self.left[:, k]
        if refine:
            value, u, v = refined_eigenpair(self.matrix, value, u, v)
        weighted = v.conj() * (value.conjugate() / abs(value) / np.vdot(v, u))
        gradient: Array = np.outer(weighted.real, u.real)
        if np.iscomplexobj(u):
            gradient -= np.outer(weighted.imag, u.imag)
        return gradient.astype(np.float64)
