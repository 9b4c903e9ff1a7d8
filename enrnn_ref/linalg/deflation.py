"""The proof that a leading eigenpair leads, by the norms of powers of what is left without it
(derivations/03-spectral-radius.md).

Matrices are somebody else's: what is looked at here is a handful of numbers about them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.linalg.eigenpair import stands_alone
from enrnn_ref.linalg.tracking import CONTENDERS_TOLERANCE

LOWEST = 2.0**-3
"""Of the leader's modulus: a bound on the second modulus need not be better."""

WIDENINGS = 4
"""Circles tried: on a wider one the resolvent is smaller, and the bound not as good."""

TINY = 1e-250
"""Norms of powers count as no less, so that none of their roots underflows."""

SLACK = 1 + 2.0**-20
"""For rounding in a norm, and in its logarithm times the degree of the power."""

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Deflation:
    """What is known of N = T − U Λ Vᵀ [EN-18], all in float64.

    Attributes
    ----------
    size : int
        n.
    norm : float
        ‖T‖.
    section : ndarray (2, 2)
        Λ; with a single leader the number itself, and zeros.
    inverse : ndarray (2, 2)
        (UᵀW)⁻¹, where V = W (UᵀW)⁻¹ and U, W have orthonormal columns; with a single leader one number, and zeros.
    pair : bool
        Whether U has two columns.
    residual : float
        ‖TU − UΛ‖ + ‖WᵀT − WᵀT W Wᵀ‖, the latter with Λ in the place of what it is similar to [EN-19].
    powers : tuple of float
        Binary logarithms of ‖N‖, ‖N²‖, ‖N⁴‖, … as computed; −inf for zero.
    """

    size: int
    norm: float
    section: Array
    inverse: Array
    pair: bool
    residual: float
    powers: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Leader:
    """A leader that is proved to lead.

    Attributes
    ----------
    value : complex
        λ, with imaginary part ≥ 0.
    second : float
        A bound on the second modulus; −inf where there is none.
    condition : float
    right, left : ndarray (2,) complex128
        y and z: u = Uy and conj(v) = Vz.
    section : ndarray (2, 2)
        Λ.
    """

    value: complex
    second: float
    condition: float
    right: Array
    left: Array
    section: Array

    @property
    def slope(self) -> Array:
        """K (2, 2) of ∂ρ/∂T = V K Uᵀ [EN-22]."""
        (a, b), (c, d) = self.section.tolist()
        if self.value.imag == 0.0:
            return np.array([[math.copysign(1.0, a), 0.0], [0.0, 0.0]])
        return np.array([[d, -c], [-b, a]]) / (2 * abs(self.value))


def certified(found: Deflation) -> Leader | None:
    """The leader, or None where it is not proved to lead or near anything that the dense method might call degenerate.

    Notes
    -----
    Implements [EN-19] to [EN-22].
    """
    if not found.residual <= CONTENDERS_TOLERANCE * found.norm:
        return None
    leader = _eigenvalue(found.section, pair=found.pair)
    if leader is None:
        return None
    value, right, left = leader
    sizes = np.linalg.norm(right) * np.linalg.norm(found.inverse @ left)
    condition = float(sizes / abs(left @ right))
    second = _second(found, abs(value), condition)
    if second is None or not stands_alone(value, abs(value) - second, condition, found.norm):
        return None
    return Leader(value, second, condition, right, left, found.section)


def _eigenvalue(section: Array, *, pair: bool) -> tuple[complex, Array, Array] | None:
    """Of Λ, with y and z [EN-1]; None where two columns hold real eigenvalues, of which neither is known to lead."""
    (a, b), (c, d) = section.tolist()
    if not pair:
        one = np.array([1.0, 0.0])
        return complex(a), one, one
    half = (a - d) / 2
    discriminant = half * half + b * c
    if not discriminant < 0.0:
        return None
    value = complex((a + d) / 2, math.sqrt(-discriminant))
    return value, np.array([b, value - a]), np.array([c, value - a])


def _second(found: Deflation, modulus: float, condition: float) -> float | None:
    """A bound on the second modulus of every matrix within rounding of T [EN-20] [EN-21]."""
    n, leaders = found.size, 2 if found.pair else 1
    if n == leaders:
        return -math.inf
    norm_of_projector = 1 + leaders * condition
    # V is dual to U, and N is what it should be, up to rounding.
    distance = found.residual + 8 * n * _EPS * norm_of_projector**2 * found.norm
    norms = _norms(found, modulus, distance)
    roots: list[float] = [(2 * norm) ** (2.0**-j) for j, norm in enumerate(norms)]
    k = roots.index(min(roots))
    circle = max(roots[k], LOWEST)
    reach = 2 * max(distance, 4 * n * _EPS * found.norm) / modulus
    for _ in range(WIDENINGS if circle < 1.0 else 0):
        resolvent: float = 2 / circle * math.prod(1 + norms[j] / circle ** float(2**j) for j in range(k))
        if reach * (leaders * condition / (1 - circle) + norm_of_projector * resolvent) < 1.0:
            return modulus * circle
        circle = math.sqrt(circle)
    return None


def _norms(found: Deflation, modulus: float, distance: float) -> list[float]:
    """Bounds on ‖Ñ^(2^j)‖ / ρ^(2^j) for the Ñ that belongs exactly to its vectors [EN-13]."""
    n, unit, norms, error = found.size, math.log2(modulus), [], distance / modulus
    rounding = n * _EPS / (1 - n * _EPS)
    for j, power in enumerate(found.powers):
        exponent = power - 2**j * unit
        computed = SLACK * 2.0 ** min(exponent, 500.0) if exponent > -1000.0 else 0.0
        norms.append(max(computed + error, TINY) if exponent < 500.0 else math.inf)
        error = min(2 * computed * error + error * error + rounding * computed * computed, 1e100)
    return norms
