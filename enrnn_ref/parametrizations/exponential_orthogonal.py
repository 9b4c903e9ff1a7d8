"""Orthogonal matrices by the exponential, W = expm(A) W₀, with a base that may move (derivations/09-exponential.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from enrnn_ref.arrays import Array, Arrays, choice, float_array, integer
from enrnn_ref.errors import OptionError, ParameterError
from enrnn_ref.initializers import cayley_rotations, henaff_rotations
from enrnn_ref.linalg.exponential import BlockExponential, SkewExponential
from enrnn_ref.linalg.skew import skew_matrix, skew_vector
from enrnn_ref.parametrizations.base import Parametrization, Value

METHODS: dict[str, type[SkewExponential] | type[BlockExponential]] = {
    "spectral": SkewExponential,
    "block": BlockExponential,
}
ANGLES = {"henaff": henaff_rotations, "cayley": cayley_rotations}


@dataclass(frozen=True, eq=False)
class ExponentialValue(Value):
    """Keeps expm(A) with what its derivatives need, and W₀ in float64 (None: the identity)."""

    exponential: Any = None
    base: Array | None = None


class ExponentialOrthogonal(Parametrization):
    """W = expm(A) W₀ with A skew-symmetric [EX-10]; raw key ``skew`` (n(n-1)/2,).

    Parameters
    ----------
    size : int
        n ≥ 0.
    method : {"spectral", "block"}
        How expm and its derivatives are computed: through the planes of rotation of A [EX-2] [EX-7], or by general
        exponentials of sizes n and 2n [EX-4]. The results are the same to rounding; the first takes a fraction of the
        time, the second is the check.
    angles : {"henaff", "cayley"}
        The law of the initial A: planes turned by angles from U[-π, π], or by tan(t/2) with t from U[0, π/2].
    rebase_every : int or None
        K ≥ 1: after every K updates the base becomes W and A becomes zero [EX-12], a dynamic trivialisation. The base
        is then the buffer ``base`` (n, n) float64, at first the identity, beside ``updates``, the number of updates
        (an int64 of shape ()). None: W₀ = I for ever and no buffers.
    project_every : int or None
        M ≥ 1: after every M re-basings the base is replaced by the nearest orthogonal matrix [EX-14], which stops
        rounding errors from piling up. Needs ``rebase_every``.

    Raises
    ------
    ParameterError
        By every method that takes ``buffers``, if their base is not orthogonal.

    Notes
    -----
    An evaluation never moves the base, only ``after_update`` does: a gradient always belongs to the A and W₀ that its
    value was made of, also on the step of re-basing [EX-13]. All of it runs in float64 whatever the dtype of ``skew``.
    """

    def __init__(
        self,
        size: int,
        *,
        method: str = "spectral",
        angles: str = "henaff",
        rebase_every: int | None = None,
        project_every: int | None = None,
    ) -> None:
        n = integer("size", size, least=0)
        self.shape = (n, n)
        self.shapes = {"skew": (n * (n - 1) // 2,)}
        self.method = choice("method", method, tuple(METHODS))
        self.angles = choice("angles", angles, tuple(ANGLES))
        self.rebase_every = None if rebase_every is None else integer("rebase_every", rebase_every)
        self.project_every = None if project_every is None else integer("project_every", project_every)
        if self.rebase_every is None and self.project_every is not None:
            raise OptionError(
                f"project_every is {self.project_every} and rebase_every is None; expected rebase_every to be given "
                f"too, since a base that never moves needs no projection."
            )

    def _init(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
        return {"skew": skew_vector(ANGLES[self.angles](rng, self.shape[0])).astype(dtype)}

    def initial_buffers(self) -> Arrays:
        if self.rebase_every is None:
            return {}
        return {"base": np.eye(self.shape[0]), "updates": np.array(0, np.int64)}

    def _evaluate(self, raw: Arrays, buffers: Arrays) -> ExponentialValue:
        """W = expm(A) W₀ [EX-10]; the buffers go through untouched."""
        exponential = METHODS[self.method](skew_matrix(raw["skew"].astype(np.float64), self.shape[0]))
        base = buffers.get("base")
        w = exponential.matrix if base is None else exponential.matrix @ base
        return ExponentialValue(self, w.astype(raw["skew"].dtype), buffers, exponential=exponential, base=base)

    def _pullback(self, value: ExponentialValue, dmatrix: Array) -> Arrays:
        """Y = L(Aᵀ, G W₀ᵀ) [EX-11]; the gradient of a_ij is (Y − Yᵀ)_ij [EX-9]."""
        g = dmatrix.astype(np.float64)
        y = value.exponential.pullback(g if value.base is None else g @ value.base.T)
        return {"skew": skew_vector(y - y.T).astype(dmatrix.dtype)}

    def _tangent(self, value: ExponentialValue, draw: Arrays) -> Array:
        """dW = L(A, dA) W₀ [EX-3]."""
        if "skew" not in draw:
            return np.zeros_like(value.matrix)
        dp = value.exponential.tangent(skew_matrix(draw["skew"].astype(np.float64), self.shape[0]))
        dw: Array = dp if value.base is None else dp @ value.base
        return dw.astype(value.matrix.dtype)

    def _violation(self, value: ExponentialValue) -> float:
        """Largest entry of \\|WᵀW − I\\| [EX-1], in the dtype of W."""
        return _distance_from_orthogonal(value.matrix)

    @property
    def moving(self) -> bool:
        """Whether there is a base."""
        return self.rebase_every is not None

    def _after_update(self, raw: Arrays, buffers: Arrays) -> tuple[Arrays, Arrays]:
        """Counts the update; at a multiple of K re-bases [EX-12], at a multiple of K·M projects too [EX-14]."""
        if self.rebase_every is None:
            return raw, buffers
        updates = np.asarray(buffers["updates"] + 1)
        if updates % self.rebase_every:
            return raw, {**buffers, "updates": updates}
        value = METHODS[self.method](skew_matrix(raw["skew"].astype(np.float64), self.shape[0]))
        base = value.matrix @ buffers["base"]
        if self.project_every is not None and updates % (self.rebase_every * self.project_every) == 0:
            base = _nearest_orthogonal(base)
        return {"skew": np.zeros_like(raw["skew"])}, {"base": base, "updates": updates}

    def _buffers(self, buffers: object) -> Arrays:
        """Copies, checked to be what ``after_update`` can have made: as many roundings from orthogonal as re-basings.

        A product of orthogonal matrices adds a rounding error of at most n·u to every entry of W₀ᵀW₀, and expm(A) is
        itself orthogonal to a few n·u; nothing amplifies either.
        """
        checked = {key: array.copy() for key, array in super()._buffers(buffers).items()}
        if self.rebase_every is None:
            return checked
        float_array("buffers['base']", checked["base"])
        updates = int(checked["updates"])
        if updates < 0:
            raise ParameterError(f"buffers['updates'] is {updates}; expected a count of at least 0.")
        products = updates // self.rebase_every % (self.project_every or updates + 1)
        tolerance = 8 * self.shape[0] * (1 + products) * float(np.finfo(np.float64).eps)
        distance = _distance_from_orthogonal(checked["base"])
        if distance > tolerance:
            raise ParameterError(
                f"buffers['base'] is not orthogonal: an entry of its Gram matrix is off by {distance:.3g}; expected at "
                f"most {tolerance:.3g}, as in run.buffers."
            )
        return checked


def _distance_from_orthogonal(matrix: Array) -> float:
    """Largest entry of \\|WᵀW − I\\|."""
    return float(np.abs(matrix.T @ matrix - np.eye(len(matrix), dtype=matrix.dtype)).max(initial=0.0))


def _nearest_orthogonal(matrix: Array) -> Array:
    """The orthogonal factor U Vᵀ of W = U Σ Vᵀ, the orthogonal matrix nearest to W [EX-14]."""
    if not matrix.size:
        return matrix
    left, _, right = scipy.linalg.svd(matrix, check_finite=False)
    nearest: Array = left @ right
    return nearest
