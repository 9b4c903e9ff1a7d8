"""The orthogonal matrices of torch.nn.utils.parametrizations as a parametrization of this package.

torch keeps a free matrix X (n, n), looks at its lower triangle only, and, with B the base of its trivialisation (if
none: the identity), has

    A = tril(X) - tril(X)ᵀ,    Q = B exp(A)                          (``"matrix_exp"``)
                               Q = B (I - A/2)⁻¹ (I + A/2)           (``"cayley"``).

Here a skew matrix is stored as its strict upper triangle s. So exp(A) is the map of expRNN [EX-10] with s_ij = -X_ji,
and the other one that of scoRNN [SC-1] with D = I, whose matrix is -A/2: s_ij = X_ji / 2, for i < j. The diagonal and
the upper triangle of X have a gradient of zero. Source: torch/nn/utils/parametrizations.py, 2.13.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays, choice, float_array, require_shape
from enrnn_ref.errors import OptionError
from enrnn_ref.parametrizations import ExponentialOrthogonal, ScaledCayley
from enrnn_ref.parametrizations.base import Parametrization, Value
from enrnn_ref.verify.adapters import dependency

_SKEW = {"matrix_exp": -1.0, "cayley": 0.5}  # s_ij / X_ji


@dataclass(frozen=True, eq=False)
class _OrthogonalValue(Value):
    """Keeps the value of the map without its base."""

    inner: Any = None


class TorchOrthogonal(Parametrization):
    """Q = B exp(A) or B (I - A/2)⁻¹ (I + A/2) with A from the lower triangle of X; raw key ``original`` (n, n).

    Parameters
    ----------
    size : int
        n ≥ 1.
    orthogonal_map : {"matrix_exp", "cayley"}
        torch's name of the map.
    base : ndarray (n, n), optional
        B, the base of torch's trivialisation; None: the identity.
    """

    def __init__(self, size: int, orthogonal_map: str, base: Array | None = None) -> None:
        self.orthogonal_map = choice("orthogonal_map", orthogonal_map, tuple(_SKEW))
        self._map = ExponentialOrthogonal(size) if self.orthogonal_map == "matrix_exp" else ScaledCayley(size, 0)
        self.shape = (size, size)
        self.shapes = {"original": (size, size)}
        self.base = None if base is None else float_array("base", base).astype(np.float64)
        if self.base is not None:
            require_shape("base", self.base, self.shape, "the shape of the matrix")

    def skew(self, original: Array) -> Array:
        """The array ``skew`` of ScoRNN with ``negative_ones=0``, or of ExpRNN, from torch's X."""
        factor = original.dtype.type(_SKEW[self.orthogonal_map])
        upper: Array = factor * original.T[np.triu_indices(self.shape[0], 1)]
        return upper

    def _spread(self, skew: Array) -> Array:
        """The transpose of :meth:`skew`."""
        original = np.zeros(self.shape, skew.dtype)
        original.T[np.triu_indices(self.shape[0], 1)] = skew.dtype.type(_SKEW[self.orthogonal_map]) * skew
        return original

    def _based(self, matrix: Array) -> Array:
        return matrix if self.base is None else self.base.astype(matrix.dtype) @ matrix

    def _init(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
        skew = self._map.init(rng, np.float64)["skew"] / _SKEW[self.orthogonal_map] ** 2
        return {"original": self._spread(skew).astype(dtype)}

    def _evaluate(self, raw: Arrays, buffers: Arrays) -> _OrthogonalValue:
        inner = self._map.evaluate({"skew": self.skew(raw["original"].astype(np.float64))})
        matrix = self._based(inner.matrix).astype(raw["original"].dtype)
        return _OrthogonalValue(self, matrix, buffers, inner=inner)

    def _pullback(self, value: _OrthogonalValue, dmatrix: Array) -> Arrays:
        g = dmatrix.astype(np.float64)
        g = g if self.base is None else self.base.T @ g
        return {"original": self._spread(self._map.pullback(value.inner, g)["skew"]).astype(dmatrix.dtype)}

    def _tangent(self, value: _OrthogonalValue, draw: Arrays) -> Array:
        if "original" not in draw:
            return np.zeros_like(value.matrix)
        inner = self._map.tangent(value.inner, {"skew": self.skew(draw["original"].astype(np.float64))})
        return self._based(inner).astype(value.matrix.dtype)

    def _violation(self, value: _OrthogonalValue) -> float:
        w = value.matrix
        return float(np.abs(w.T @ w - np.eye(len(w), dtype=w.dtype)).max(initial=0.0))


def orthogonal(module: Any, name: str = "weight") -> TorchOrthogonal:
    """The parametrization that ``torch.nn.utils.parametrizations.orthogonal(module, name)`` registered.

    Parameters
    ----------
    module : torch.nn.Module
    name : str
        The parametrized tensor; its free matrix is ``parametrizations.<name>.original``.

    Raises
    ------
    OptionError
        No such parametrization, one of several in a chain, a matrix that is not square, or Householder reflections,
        which are not the map of any model here.
    DependencyError
        torch is not installed.
    """
    parametrizations = dependency.load("torch.nn.utils.parametrizations", "torch")
    parametrize = dependency.load("torch.nn.utils.parametrize", "torch")
    if not parametrize.is_parametrized(module, name):
        raise OptionError(f"{name!r} is no parametrized tensor of the {type(module).__name__}.")
    chain = list(module.parametrizations[name])
    if len(chain) != 1 or not isinstance(chain[0], parametrizations._Orthogonal):
        found = ", ".join(type(part).__name__ for part in chain)
        raise OptionError(f"{name!r} is parametrized by {found}; expected torch.nn.utils.parametrizations.orthogonal.")
    rows, columns = chain[0].shape[-2:]
    if len(chain[0].shape) != 2 or rows != columns:
        raise OptionError(f"{name!r} is an orthogonal matrix of shape {tuple(chain[0].shape)}; expected a square one.")
    base = getattr(chain[0], "base", None)
    return TorchOrthogonal(rows, chain[0].orthogonal_map.name, None if base is None else base.detach().cpu().numpy())
