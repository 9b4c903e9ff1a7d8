"""A matrix with its spectrum in the unit disc, W = T / (ρ(T) + ε) (derivations/03-spectral-radius.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import scipy

from enrnn_ref.arrays import Array, Arrays, choice, float_array, integer, number
from enrnn_ref.initializers import cayley_rotations
from enrnn_ref.linalg.algebra import ClaimedLeader, algebra_of
from enrnn_ref.linalg.eigenpair import POLICIES, Eigenpair, eigenpair_of, tracked_eigenpair_of
from enrnn_ref.linalg.tracking import columns
from enrnn_ref.parametrizations.base import Parametrization, Value

RULES = ("always", "never", "switch")
EIGENPAIRS = ("auto", "dense", "tracked")

TRACKED_FROM = 128
"""From this size on "auto" tracks, in half of the dense method's time or less (benchmarks/results/README.md)."""


@dataclass(frozen=True, eq=False)
class NormalizedValue(Value):
    """Keeps the divisor ρ + ε and T/ρ in float64; both None where W = T. While a device only claims to know the leader,
    also the claim and T."""

    divisor: Any = None
    unit: Array | None = None
    claim: ClaimedLeader | None = None
    free: Any = None


class EigenvalueNormalized(Parametrization):
    """W = T / (ρ(T) + ε) [EN-5]; raw key ``free`` (n, n).

    Parameters
    ----------
    size : int
        n ≥ 0.
    eps : float
        ε ≥ 0. With 0 the leader lies on the unit circle and the map is scale invariant.
    normalize : {"always", "never", "switch"}
        "switch" is the rule of the released code [EN-11]: W = T until ρ(T) first exceeds 1, normalised for ever after.
        Whether that has happened is the buffer ``switched`` (a bool of shape ()).
    on_degenerate : {"raise", "proceed"}
        What pullback and tangent do where ρ has no derivative: raise, or make the choice of [EN-12] and record it in
        ``value.degeneracy``.
    eigenpair : {"auto", "dense", "tracked"}
        How ρ(T) is computed. "tracked" starts from the step before, which is the buffer ``basis`` (zero before the
        first step, which is dense), and asks the dense method wherever it cannot prove that its pair leads; how often
        is the buffer ``fallbacks`` (an int64 of shape ()). "auto": tracked from size :data:`TRACKED_FROM` on. The
        result is the same to rounding. On a device "auto" and "tracked" have ρ computed and proved there, without a
        start, and ask the host as above where the proof fails, which counts as a fallback.

    Raises
    ------
    DegenerateEigenvalueError
        By ``pullback`` and ``tangent`` at a tied, defective or zero leader; by ``evaluate`` where ρ = 0 and ε = 0.

    Notes
    -----
    The eigenpair is computed in float64 whatever the dtype of T.
    """

    portable: ClassVar[bool] = True

    def __init__(
        self,
        size: int,
        eps: float = 1e-3,
        normalize: str = "always",
        *,
        on_degenerate: str = "raise",
        eigenpair: str = "auto",
    ) -> None:
        n = integer("size", size, least=0)
        self.shape = (n, n)
        self.shapes = {"free": (n, n)}
        self.eps = number("eps", eps)
        self.normalize = choice("normalize", normalize, RULES)
        self.on_degenerate = choice("on_degenerate", on_degenerate, POLICIES)
        self.eigenpair = choice("eigenpair", eigenpair, EIGENPAIRS)
        wanted = eigenpair == "tracked" or (eigenpair == "auto" and n >= TRACKED_FROM)
        self._tracked = wanted and columns(n) > 0 and normalize != "never"

    def _init(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
        """A normal matrix with eigenvalues γ_j e^{±i t_j}, γ_j from U[-1, 1], t_j from U[0, π/2] (released code).

        For odd sizes the extra γ goes last, next to the zero row of A: the released code puts it first, which
        misaligns the pairs and makes T non-normal.
        """
        n = self.shape[0]
        skew = cayley_rotations(rng, n)
        moduli = np.repeat(rng.uniform(-1.0, 1.0, n - n // 2), 2)[:n]
        rotation = scipy.linalg.solve(np.eye(n) + skew, np.eye(n) - skew) if n else skew
        return {"free": (rotation * moduli).T.astype(dtype, order="C")}

    def initial_buffers(self) -> Arrays:
        buffers = {"switched": np.array(False)} if self.normalize == "switch" else {}
        if self._tracked:
            n = self.shape[0]
            buffers |= {"basis": np.zeros((n, columns(n))), "fallbacks": np.array(0, np.int64)}
        return buffers

    def _evaluate(self, raw: Arrays, buffers: Arrays) -> NormalizedValue:
        """W at T; with ``normalize="switch"`` the flag in ``buffers`` decides, and is raised once ρ(T) > 1 [EN-11]."""
        free = raw["free"]
        if self.normalize == "never" or free.size == 0:
            return NormalizedValue(self, free.copy(), buffers)
        wide = free.astype(np.float64)
        claim = None if self.eigenpair == "dense" else algebra_of(wide).claimed_leader(wide)
        if claim is None:
            return self._by_host(free, wide, buffers, tried=False)
        if self.normalize == "always" or buffers["switched"]:
            return replace(self._divided(free, wide, claim.modulus, buffers), claim=claim, free=free)
        pair = claim.proved()  # on which side of 1 it lies has to be known
        return self._by_host(free, wide, buffers, tried=True) if pair is None else self._at(free, wide, pair, buffers)

    def _settled(self, value: NormalizedValue) -> NormalizedValue:
        if value.claim is None:
            return value
        pair = value.claim.proved()
        if pair is None:
            return self._by_host(value.free, value.free.astype(np.float64), value.buffers, tried=True)
        return replace(value, eigenpair=pair, divisor=pair.modulus + self.eps, claim=None, free=None)

    def _by_host(self, free: Array, wide: Array, buffers: Arrays, *, tried: bool) -> NormalizedValue:
        """W by a leader that the host finds; ``tried``: after a device could not."""
        on = algebra_of(wide)
        here = wide if on.adopt is None else float_array("raw['free']", on.fetch(wide))  # nobody has looked at it yet
        if self._tracked:
            pair = tracked_eigenpair_of(here, buffers["basis"] if buffers["basis"].any() else None)
            assert pair.basis is not None
            fallbacks = int(buffers["fallbacks"]) + (tried or pair.fell_back)
            buffers = buffers | {"basis": pair.basis, "fallbacks": np.array(fallbacks, np.int64)}
        else:
            pair = eigenpair_of(here)
        return self._at(free, wide, replace(pair, fell_back=True) if tried else pair, buffers)

    def _at(self, free: Array, wide: Array, pair: Eigenpair, buffers: Arrays) -> NormalizedValue:
        """W where the leader is known."""
        if self.normalize == "switch":
            switched = bool(buffers["switched"]) or pair.modulus > 1.0
            buffers = buffers | {"switched": np.array(switched)}
            if not switched:
                return NormalizedValue(self, free.copy(), buffers, eigenpair=pair)
        if self.eps == 0.0 and pair.degeneracy is not None and pair.degeneracy.kind == "zero":
            if self.on_degenerate == "raise":
                raise pair.degeneracy.error()
            return NormalizedValue(self, free.copy(), buffers, pair.degeneracy, pair)  # [EN-12]: nothing to divide by
        return self._divided(free, wide, pair.modulus, buffers, pair)

    def _divided(
        self, free: Array, wide: Array, modulus: Any, buffers: Arrays, pair: Eigenpair | None = None
    ) -> NormalizedValue:
        divisor = modulus + self.eps
        matrix = (wide / divisor).astype(free.dtype)  # [EN-5]
        # A modulus that counts as constant has no radial part to take apart; it may be too small to divide by.
        constant = pair is not None and pair.constant
        unit = algebra_of(wide).zeros(self.shape, np.float64) if constant else wide / modulus
        return NormalizedValue(self, matrix, buffers, None if pair is None else pair.degeneracy, pair, divisor, unit)

    def _pullback(self, value: NormalizedValue, dmatrix: Array) -> Arrays:
        """dT = (G − ⟨G, W⟩ ∂ρ/∂T) / (ρ + ε) [EN-7], with ∂ρ/∂T = C/ρ [EN-4].

        W is T/ρ but for a part ε/(ρ + ε). Taken apart, the first can cancel the radial part of G without a trace, and
        the second, which is all that is left of it, keeps its digits [EN-9].
        """
        if value.divisor is None or value.unit is None:
            return {"free": dmatrix.copy()}
        slope = self._modulus_gradient(value)
        g = dmatrix.astype(np.float64)
        radial = algebra_of(g).inner(g, value.unit) * slope
        free = (g - radial + radial * (self.eps / value.divisor)) / value.divisor
        return {"free": free.astype(dmatrix.dtype)}

    def _tangent(self, value: NormalizedValue, draw: Arrays) -> Array:
        """dW = (dT − W dρ) / (ρ + ε) [EN-6], with dρ = ⟨∂ρ/∂T, dT⟩ [EN-3]; W taken apart as in the pullback."""
        if "free" not in draw:
            return algebra_of(value.matrix).zeros(self.shape, value.matrix.dtype)
        if value.divisor is None or value.unit is None:
            return draw["free"].copy()
        slope = self._modulus_gradient(value)
        dt = draw["free"].astype(np.float64)
        radial = value.unit * algebra_of(dt).inner(slope, dt)
        dw: Array = (dt - radial + radial * (self.eps / value.divisor)) / value.divisor
        return dw.astype(value.matrix.dtype)

    def _violation(self, value: NormalizedValue) -> float:
        """By how much the spectral radius of W differs from ρ/(ρ + ε), or exceeds 1 where W = T."""
        if self.normalize == "never" or value.matrix.size == 0:
            return 0.0
        radius = float(np.abs(np.linalg.eigvals(value.matrix.astype(np.float64))).max())
        if value.divisor is None or value.eigenpair is None:
            return max(0.0, radius - 1.0)
        return abs(radius - float(value.eigenpair.modulus / value.divisor))

    def _modulus_gradient(self, value: NormalizedValue) -> Array:
        assert value.eigenpair is not None
        if value.degeneracy is not None and self.on_degenerate == "raise":
            raise value.degeneracy.error()
        return algebra_of(value.matrix).bring(value.eigenpair.modulus_gradient)
