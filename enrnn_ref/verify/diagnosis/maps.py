"""The pullbacks of the parametrizations, written out so that each factor is a method of its own.

The equations are those of derivations/02, 03, 04, 07, 09 and 10; what is here and not in ``parametrizations/`` is that
a mistake can replace one factor and leave the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.linalg.eigenpair import Eigenpair
from enrnn_ref.linalg.skew import skew_vector
from enrnn_ref.parametrizations.base import Parametrization
from enrnn_ref.parametrizations.coupled_blocks import BlockValue, CoupledBlocks
from enrnn_ref.parametrizations.eigenvalue_normalized import EigenvalueNormalized, NormalizedValue
from enrnn_ref.parametrizations.exponential_orthogonal import ExponentialOrthogonal, ExponentialValue
from enrnn_ref.parametrizations.non_normal_schur import NonNormalSchur, SchurValue
from enrnn_ref.parametrizations.scaled_cayley import CayleyValue, ScaledCayley
from enrnn_ref.parametrizations.unitary_cayley import UnitaryCayley, UnitaryValue


class Maps:
    """From dL/dR to the gradients of the free arrays."""

    def matrix_pullback(self, source: Parametrization, value: Any, dmatrix: Array) -> Arrays:
        """Gradients under the parametrization's own names."""
        if isinstance(source, CoupledBlocks):
            return self.blocks_pullback(source, value, dmatrix)
        if isinstance(source, ScaledCayley):
            return self.cayley_pullback(source, value, dmatrix)
        if isinstance(source, EigenvalueNormalized):
            return self.normalized_pullback(source, value, dmatrix)
        if isinstance(source, ExponentialOrthogonal):
            return self.exponential_pullback(value, dmatrix)
        if isinstance(source, UnitaryCayley):
            return self.unitary_pullback(source, value, dmatrix)
        if isinstance(source, NonNormalSchur):
            return self.schur_pullback(source, value, dmatrix)
        return source.pullback(value, np.ascontiguousarray(dmatrix))

    # ENRNN's blocks.

    def blocks_pullback(self, source: CoupledBlocks, value: BlockValue, dmatrix: Array) -> Arrays:
        """Each block of dR to its own map [CB-2]."""
        n = source.long_size
        grads = {
            "skew": self.matrix_pullback(source.long, value.long, dmatrix[:n, :n])["skew"],
            "short": self.matrix_pullback(source.short, value.short, dmatrix[n:, n:])["free"],
        }
        if source.coupled:
            grads["coupling"] = self.coupling_gradient(dmatrix, n)
        return grads

    def coupling_gradient(self, dmatrix: Array, n: int) -> Array:
        """The upper right block of dR."""
        return dmatrix[:n, n:].copy()

    # Orthogonal by the scaled Cayley transform.

    def cayley_pullback(self, source: ScaledCayley, value: CayleyValue, dmatrix: Array) -> Arrays:
        """V = (I + A)⁻ᵀ G (D + Wᵀ) [SC-4], the gradient of a_ij is (Vᵀ − V)_ij [SC-5]."""
        right_side = dmatrix @ self.cayley_factor(source.signs, value.exact)
        return {"skew": self.skew_gradient(self.cayley_solve(source, value, right_side).T)}

    def cayley_factor(self, signs: Array, w: Array) -> Array:
        """D + Wᵀ."""
        factor: Array = np.diag(signs) + w.T
        return factor

    def cayley_solve(self, source: ScaledCayley, value: CayleyValue, right_side: Array) -> Array:
        """(I + A)⁻ᵀ times the right side; W D = 2 (I + A)⁻¹ − I."""
        inverse = (np.eye(len(value.exact)) + value.exact * source.signs) / 2
        solution: Array = inverse.T @ right_side
        return solution

    def skew_gradient(self, m: Array) -> Array:
        """Of the free entries a_ij, i < j, of a skew matrix whose unconstrained gradient is M: (M − Mᵀ)_ij."""
        return skew_vector(m - m.T)

    # Orthogonal by the exponential.

    def exponential_pullback(self, value: ExponentialValue, dmatrix: Array) -> Arrays:
        """Y = L(Aᵀ, G W₀ᵀ) [EX-11]; the gradient of a_ij is (Y − Yᵀ)_ij [EX-9]."""
        g = dmatrix if value.base is None else dmatrix @ value.base.T
        return {"skew": self.skew_gradient(self.frechet_pullback(value.exponential, g))}

    def frechet_pullback(self, exponential: Any, g: Array) -> Array:
        """L(Aᵀ, G), the adjoint of the derivative of expm at A [EX-8]."""
        pulled: Array = exponential.pullback(g)
        return pulled

    # Spectrum in the unit disc.

    def normalized_pullback(self, source: EigenvalueNormalized, value: NormalizedValue, dmatrix: Array) -> Arrays:
        """(G − ⟨G, W⟩ ∂ρ/∂T)/(ρ + ε) [EN-7]; the radial part taken apart as in the parametrization."""
        if value.divisor is None or value.unit is None or value.eigenpair is None:
            return {"free": dmatrix.copy()}
        if value.degeneracy is not None and source.on_degenerate == "raise":
            raise value.degeneracy.error()
        divisor = self.backward_divisor(value.divisor, source.eps)
        radial = np.sum(dmatrix * value.unit) * self.modulus_gradient(value.eigenpair)
        return {"free": (dmatrix - radial * (1 - source.eps / value.divisor)) / divisor}

    def backward_divisor(self, divisor: float, eps: float) -> float:
        """ρ + ε, by which the gradient is divided."""
        return divisor

    def modulus_gradient(self, pair: Eigenpair) -> Array:
        """∂ρ/∂T [EN-4]."""
        return pair.modulus_gradient

    # Unitary.

    def unitary_pullback(self, source: UnitaryCayley, value: UnitaryValue, dmatrix: Array) -> Arrays:
        """K = (I + A)⁻* G (W + D)*, and the phases [UC-6]; the tied entries of K [UC-7]."""
        n, w, d = source.size, value.exact, value.diagonal
        g = self.folded(dmatrix, n)
        g = g.T if source.order == "released" else g
        eye = np.eye(n)
        inverse = (eye + w * d.conj()) / 2  # (I + A)⁻¹, since W D* = 2 (I + A)⁻¹ − I
        k = inverse.conj().T @ g @ (w + np.diag(d)).conj().T
        return {
            "skew_real": self.skew_gradient(k.real.T),
            "skew_imag": self.tied_gradient(-k.imag),
            "phase": np.sum(g * w.conj(), axis=0).imag,
        }

    def folded(self, dmatrix: Array, n: int) -> Array:
        """dRe W + i dIm W from the four blocks of dR [UC-4]."""
        g: Array = dmatrix[:n, :n] + dmatrix[n:, n:] + 1j * (dmatrix[n:, :n] - dmatrix[:n, n:])
        return g

    def tied_gradient(self, m: Array) -> Array:
        """Of the free entries y_ij, i ≤ j, of a symmetric matrix whose unconstrained gradient is M."""
        tied = m + m.T
        np.fill_diagonal(tied, m.diagonal())
        return tied[np.triu_indices(len(m))]

    # Real Schur form.

    def schur_pullback(self, source: NonNormalSchur, value: SchurValue, dmatrix: Array) -> Arrays:
        """dΘ = PᵀGP and dP = G P Θᵀ + Gᵀ P Θ [NS-5]; their free parts [NS-6] [NS-7]."""
        p, schur = value.exponential.matrix, value.schur
        dschur = p.T @ dmatrix @ p
        dframe = self.frame_gradient(dmatrix @ p @ schur.T, dmatrix.T @ p @ schur)
        rows, columns = np.tril_indices(len(p), -1)
        free = (rows // 2 != columns // 2) | (source.mask == "released")
        first = 2 * np.arange(len(p) // 2)
        second = first + 1
        c, s = np.cos(value.angle), np.sin(value.angle)
        dx = dschur[first, first] + dschur[second, second]
        dy = dschur[second, first] - dschur[first, second]
        return {
            "skew": self.skew_gradient(self.frechet_pullback(value.exponential, dframe)),
            "angle": self.angle_gradient(value.modulus, c * dy - s * dx),
            "modulus": c * dx + s * dy,
            "lower": dschur[rows[free], columns[free]],
        }

    def frame_gradient(self, left: Array, right: Array) -> Array:
        """dP: P stands on both sides of Θ."""
        return left + right

    def angle_gradient(self, modulus: Array, turned: Array) -> Array:
        """γ times the derivative of a rotation."""
        return modulus * turned
