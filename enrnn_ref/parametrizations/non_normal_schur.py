"""Matrices in real Schur form, W = P Θ Pᵀ, with eigenvalues of chosen modulus (derivations/10-schur.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays, choice, integer, number
from enrnn_ref.errors import NotFiniteError, OptionError
from enrnn_ref.linalg.exponential import SkewExponential
from enrnn_ref.linalg.skew import skew_matrix, skew_vector
from enrnn_ref.parametrizations.base import Parametrization, Value
from enrnn_ref.parametrizations.exponential_orthogonal import ANGLES

MASKS = ("strict", "released")


@dataclass(frozen=True, eq=False)
class SchurValue(Value):
    """Keeps expm(A) with what its derivatives need, Θ (n, n), and angles and moduli (n/2,), all float64."""

    exponential: Any = None
    schur: Any = None
    angle: Any = None
    modulus: Any = None


class NonNormalSchur(Parametrization):
    """W = P Θ Pᵀ with P = expm(A), A skew-symmetric [NS-1], and Θ = blockdiag(γ_i R(θ_i)) + T [NS-2].

    Raw keys ``skew`` (n(n-1)/2,); ``angle`` (n/2,), θ; ``modulus`` (n/2,), γ; ``lower``, the free entries of T in the
    order of ``np.tril_indices(n, -1)``: (n(n-1)/2 − n/2,) with the strict mask, (n(n-1)/2,) with the released one.

    Parameters
    ----------
    size : int
        n ≥ 0, even.
    mask : {"strict", "released"}
        "strict": T is zero inside the 2×2 diagonal blocks, and the eigenvalues of W are γ_i exp(±iθ_i) [NS-3].
        "released" is the released code's: the entry below the diagonal of each block is free too, and the moduli of the
        eigenvalues are no longer γ [NS-10].
    modulus_penalty, lower_decay : float
        δ ≥ 0 and λ ≥ 0 of the term of the loss that ``penalty`` returns [NS-8].
    angles : {"henaff", "cayley"}
        The law of the initial A: planes turned by angles from U[-π, π], or by tan(t/2) with t from U[0, π/2].

    Raises
    ------
    NotFiniteError
        By ``evaluate``, where the entries are so large that A or W overflows.

    Notes
    -----
    The released code keeps rows, h M with M = Wᵀ: its strictly upper part is Tᵀ, its angles are −θ, the rest is the
    same. It draws the henaff angles of A from U[-π, 0]; a sign merely swaps the two units of a plane. All of it runs in
    float64 whatever the dtype of the arrays.
    """

    def __init__(
        self,
        size: int,
        mask: str = "strict",
        *,
        modulus_penalty: float = 0.0,
        lower_decay: float = 0.0,
        angles: str = "henaff",
    ) -> None:
        n = even_integer("size", size, least=0)
        self.mask = choice("mask", mask, MASKS)
        self.modulus_penalty = number("modulus_penalty", modulus_penalty)
        self.lower_decay = number("lower_decay", lower_decay)
        self.angles = choice("angles", angles, tuple(ANGLES))
        rows, columns = np.tril_indices(n, -1)
        free = (rows // 2 != columns // 2) | (self.mask == "released")
        self._lower = rows[free], columns[free]
        self.shape = (n, n)
        self.shapes = {
            "skew": (n * (n - 1) // 2,),
            "angle": (n // 2,),
            "modulus": (n // 2,),
            "lower": (int(np.count_nonzero(free)),),
        }

    def _init(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
        """As released: θ from U[0, 2π], γ = 1 and T = 0, so that W is orthogonal."""
        return {
            "skew": skew_vector(ANGLES[self.angles](rng, self.shape[0])).astype(dtype),
            "angle": rng.uniform(0.0, 2 * math.pi, self.shapes["angle"]).astype(dtype),
            "modulus": np.ones(self.shapes["modulus"], dtype),
            "lower": np.zeros(self.shapes["lower"], dtype),
        }

    def _evaluate(self, raw: Arrays, buffers: Arrays) -> SchurValue:
        """W = P Θ Pᵀ [NS-1] [NS-2]."""
        skew, angle, modulus, lower = (raw[key].astype(np.float64) for key in self.shapes)
        exponential = SkewExponential(skew_matrix(skew, self.shape[0]))
        schur = self._assemble(modulus * np.cos(angle), modulus * np.sin(angle), lower)
        with np.errstate(over="ignore", invalid="ignore"):  # judged below
            matrix = (exponential.matrix @ schur @ exponential.matrix.T).astype(raw["skew"].dtype)
        if not np.isfinite(matrix).all():
            largest = max(np.abs(raw[key]).max(initial=0.0) for key in ("modulus", "lower"))
            raise NotFiniteError(
                f"modulus and lower have entries up to {largest:.3g}, so large that the matrix overflows; expected "
                f"smaller ones."
            )
        return SchurValue(self, matrix, exponential=exponential, schur=schur, angle=angle, modulus=modulus)

    def _pullback(self, value: SchurValue, dmatrix: Array) -> Arrays:
        """dΘ = PᵀGP and dP = G P Θᵀ + Gᵀ P Θ [NS-5]; their free parts by [NS-6] and [NS-7]."""
        g, p, schur = dmatrix.astype(np.float64), value.exponential.matrix, value.schur
        gp = g @ p
        dschur = p.T @ gp
        dskew = value.exponential.pullback(gp @ schur.T + g.T @ p @ schur)
        c, s = np.cos(value.angle), np.sin(value.angle)
        first, second = _planes(self.shape[0])
        dx = dschur[first, first] + dschur[second, second]
        dy = dschur[second, first] - dschur[first, second]
        grads = {
            "skew": skew_vector(dskew - dskew.T),
            "angle": value.modulus * (c * dy - s * dx),
            "modulus": c * dx + s * dy,
            "lower": dschur[self._lower],
        }
        return {key: array.astype(dmatrix.dtype) for key, array in grads.items()}

    def _tangent(self, value: SchurValue, draw: Arrays) -> Array:
        """dW = dP Θ Pᵀ + P dΘ Pᵀ + P Θ dPᵀ [NS-4]."""
        dskew, dangle, dmodulus, dlower = (
            np.asarray(draw.get(key, np.zeros(shape)), np.float64) for key, shape in self.shapes.items()
        )
        p, schur = value.exponential.matrix, value.schur
        c, s = np.cos(value.angle), np.sin(value.angle)
        turned = value.modulus * dangle
        dschur = self._assemble(dmodulus * c - turned * s, dmodulus * s + turned * c, dlower)
        dp = value.exponential.tangent(skew_matrix(dskew, self.shape[0]))
        dw: Array = (dp @ schur + p @ dschur) @ p.T + p @ schur @ dp.T
        return dw.astype(value.matrix.dtype)

    def _violation(self, value: SchurValue) -> float:
        """Backward error of the promise: by how much, relative to ‖W‖, W had to change to keep it exactly [NS-13].

        The largest of: an entry of \\|PᵀP − I\\|; an entry of PᵀWP above the diagonal blocks; and, with the strict mask
        only, the distance of the eigenvalue moduli of those blocks from \\|γ\\|. A block is normal, so that its
        eigenvalues are as well determined as its entries, which those of W need not be. With the released mask nothing
        is promised about moduli and nothing about them is measured.
        """
        n = self.shape[0]
        if n == 0:
            return 0.0
        p, w = value.exponential.matrix, value.matrix.astype(np.float64)
        scale = float(np.linalg.norm(w, 2)) or 1.0
        inner = p.T @ (w / scale) @ p
        rows, columns = np.indices(self.shape) // 2
        errors = [p.T @ p - np.eye(n), inner[rows < columns]]
        if self.mask == "strict":
            blocks = inner[rows == columns].reshape(n, 2)  # row by row, so two rows make a block
            moduli = np.abs(np.linalg.eigvals(blocks.reshape(n // 2, 2, 2)))
            errors.append(moduli - np.abs(value.modulus / scale)[:, np.newaxis])
        return max(float(np.abs(error).max(initial=0.0)) for error in errors)

    @property
    def penalized(self) -> bool:
        """Whether one of the two terms has a weight."""
        return bool(self.modulus_penalty or self.lower_decay)

    def _penalty(self, raw: Arrays) -> tuple[float, Arrays]:
        """δ Σ (γ_i − 1)² + λ/2 ‖T‖² [NS-8] and its gradient [NS-9].

        The released code has the second term as a weight decay of T that is added to the gradient before the optimiser
        scales it, which is the same thing.
        """
        drift, lower = raw["modulus"].astype(np.float64) - 1, raw["lower"].astype(np.float64)
        dmodulus, dlower = 2 * self.modulus_penalty * drift, self.lower_decay * lower  # [NS-9]
        grads = {key: np.zeros_like(array) for key, array in raw.items()}
        grads["modulus"], grads["lower"] = dmodulus.astype(raw["modulus"].dtype), dlower.astype(raw["lower"].dtype)
        with np.errstate(over="ignore"):  # the square of a large entry is infinite, and rightly so
            return float(dmodulus @ drift + dlower @ lower) / 2, grads

    def _assemble(self, x: Array, y: Array, lower: Array) -> Array:
        """The matrix with diagonal blocks [[x, −y], [y, x]], and ``lower`` added where T is free [NS-2]."""
        n = self.shape[0]
        first, second = _planes(n)
        matrix = np.zeros((n, n))
        matrix[first, first] = matrix[second, second] = x
        matrix[first, second], matrix[second, first] = -y, y
        matrix[self._lower] += lower
        return matrix


def even_integer(name: str, value: object, *, least: int) -> int:
    """``value`` as an even int not below ``least``; OptionError otherwise."""
    n = integer(name, value, least=least)
    if n % 2:
        raise OptionError(f"{name} is {n}; expected an even number, since the units are paired to planes of rotation.")
    return n


def _planes(size: int) -> tuple[Array, Array]:
    """Indices of the first and of the second unit of every plane."""
    first = 2 * np.arange(size // 2)
    return first, first + 1
