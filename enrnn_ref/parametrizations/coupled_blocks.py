"""The block triangular recurrence of the ENRNN, R = [[W_L, W_C], [0, W_S]] (derivations/04-enrnn.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.initializers import glorot_uniform
from enrnn_ref.linalg.algebra import algebra_of
from enrnn_ref.parametrizations.base import Parametrization, Value
from enrnn_ref.parametrizations.eigenvalue_normalized import EigenvalueNormalized
from enrnn_ref.parametrizations.scaled_cayley import ScaledCayley


@dataclass(frozen=True, eq=False)
class BlockValue(Value):
    """Keeps the values of the two diagonal blocks."""

    long: Any = None
    short: Any = None


class CoupledBlocks(Parametrization):
    """R = [[W_L, W_C], [0, W_S]] [CB-1]: long block orthogonal, short block normalised, coupling short → long free.

    Raw keys ``skew`` (L(L-1)/2,), ``short`` (S, S) and, when ``coupled``, ``coupling`` (L, S).
    """

    portable: ClassVar[bool] = True

    def __init__(self, long: ScaledCayley, short: EigenvalueNormalized, *, coupled: bool = True) -> None:
        self.long, self.short = long, short
        self.long_size, short_size = long.shape[0], short.shape[0]
        n = self.long_size + short_size
        self.shape = (n, n)
        self.shapes = {"skew": long.shapes["skew"], "short": short.shapes["free"]}
        self.coupled = coupled
        if coupled:
            self.shapes["coupling"] = (self.long_size, short_size)

    @property
    def support(self) -> tuple[tuple[slice, slice], ...]:
        """All but the zero block, and the block of the coupling where there is none."""
        long, short = slice(0, self.long_size), slice(self.long_size, self.shape[0])
        return ((long, slice(0, short.stop) if self.coupled else long), (short, short))

    def _init(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
        """The blocks' own draws; the coupling Glorot uniform."""
        raw = {"skew": self.long.init(rng, dtype)["skew"], "short": self.short.init(rng, dtype)["free"]}
        if self.coupled:
            raw["coupling"] = glorot_uniform(rng, (self.long_size, self.short.shape[0]), dtype)
        return raw

    def initial_buffers(self) -> Arrays:
        return self.short.initial_buffers()

    # The blocks' own methods without their doors: what comes here has been checked, and the value of the whole is kept.

    def _evaluate(self, raw: Arrays, buffers: Arrays) -> BlockValue:
        long = self.long._evaluate({"skew": raw["skew"]}, {})
        short = self.short._evaluate({"free": raw["short"]}, buffers)
        return self._joined(long, short, raw.get("coupling"))

    def _joined(self, long: Value, short: Value, coupling: Array | None) -> BlockValue:
        matrix = algebra_of(short.matrix).block_triangular(long.matrix, coupling, short.matrix)  # [CB-1]
        return self._of_blocks(matrix, long, short)

    def _of_blocks(self, matrix: Array, long: Value, short: Value) -> BlockValue:
        return BlockValue(self, matrix, short.buffers, short.degeneracy, short.eigenpair, long=long, short=short)

    def _settled(self, value: BlockValue) -> BlockValue:
        n, long, short = self.long_size, self.long._settled(value.long), self.short._settled(value.short)
        if long is value.long and short is value.short:
            return value
        if long.matrix is value.long.matrix and short.matrix is value.short.matrix:
            return self._of_blocks(value.matrix, long, short)
        return self._joined(long, short, value.matrix[:n, n:] if self.coupled else None)

    def _pullback(self, value: BlockValue, dmatrix: Array) -> Arrays:
        """Each block of dL/dR goes to its own map; that of the constant zero block is dropped [CB-2]."""
        n = self.long_size
        grads = {
            "skew": self.long._pullback(value.long, dmatrix[:n, :n])["skew"],
            "short": self.short._pullback(value.short, dmatrix[n:, n:])["free"],
        }
        if self.coupled:
            grads["coupling"] = dmatrix[:n, n:].copy()
        return grads

    def _tangent(self, value: BlockValue, draw: Arrays) -> Array:
        """dR = [[dW_L, dW_C], [0, dW_S]] [CB-3]."""
        long = self.long._tangent(value.long, {"skew": draw["skew"]} if "skew" in draw else {})
        short = self.short._tangent(value.short, {"free": draw["short"]} if "short" in draw else {})
        return algebra_of(short).block_triangular(long, draw.get("coupling"), short)

    def _violation(self, value: BlockValue) -> float:
        """The larger violation of the two blocks of R, and any non-zero entry of the zero block."""
        n, matrix = self.long_size, value.matrix
        long, short = replace(value.long, matrix=matrix[:n, :n]), replace(value.short, matrix=matrix[n:, n:])
        zero_block = float(np.abs(matrix[n:, :n]).max(initial=0.0))
        return max(self.long.violation(long), self.short.violation(short), zero_block)
