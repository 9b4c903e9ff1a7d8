"""The same ENRNN in JAX: ``lax.scan`` over time, its gradient by JAX, all of it under one ``jit``."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from enrnn_ref.arrays import Arrays
from enrnn_ref.bench.contenders.base import Differentiating
from enrnn_ref.bench.workload import Workload

Traced = Any


class JaxScan(Differentiating):
    """Gradients of R, U, b and x; or, ``free``, of the free arrays behind R in its place."""

    def __init__(self, work: Workload, *, free: bool = False) -> None:
        super().__init__(work)
        self.jax = importlib.import_module("jax")
        names = {"input", "bias"} | ({"skew", "short", "coupling"} if free else set())
        arrays = {name: array for name, array in work.params.items() if name in names} | {"x": work.x}
        if not free:
            arrays["matrix"] = work.matrix
        self.free = free
        with self.setting():
            numpy = self.jax.numpy
            self.given = {name: numpy.asarray(array) for name, array in arrays.items()}
            self.start, self.dy = numpy.asarray(work.start), numpy.asarray(work.dy)
            self.compiled = self.jax.jit(self._pullback)

    def setting(self) -> AbstractContextManager[object]:
        """Flushing is XLA's own habit, and its threads were fixed before it was loaded; float64 has to be allowed."""
        holder = self.jax if hasattr(self.jax, "enable_x64") else importlib.import_module("jax.experimental")
        context: AbstractContextManager[object] = holder.enable_x64(True)
        return context

    def run(self) -> Any:
        return self.jax.block_until_ready(self.compiled(self.given, self.start, self.dy))

    def gradients(self) -> Arrays:
        with self.setting():
            return {name: np.asarray(array) for name, array in self.run().items()}

    def _pullback(self, given: dict[str, Traced], start: Traced, dy: Traced) -> Traced:
        return self.jax.vjp(lambda arrays: self._states(arrays, start), given)[1](dy)[0]

    def _states(self, given: dict[str, Traced], start: Traced) -> Traced:
        numpy = self.jax.numpy
        transposed = (self._matrix(given) if self.free else given["matrix"]).T

        def step(h: Traced, drive: Traced) -> tuple[Traced, Traced]:
            z = drive + h @ transposed
            h = numpy.sign(z) * self.jax.nn.relu(numpy.abs(z) + given["bias"])
            return h, h

        return self.jax.lax.scan(step, start, given["x"] @ given["input"].T)[1]

    def _matrix(self, given: dict[str, Traced]) -> Traced:
        """R by a linear system and by eigenvalues, both differentiated by JAX."""
        numpy, size, model = self.jax.numpy, self.work.size, self.work.model
        coupling, short = given["coupling"], given["short"]
        rows = []
        if size.long:
            upper = numpy.zeros((size.long, size.long), short.dtype)
            upper = upper.at[numpy.triu_indices(size.long, 1)].set(given["skew"])
            skew, one = upper - upper.T, numpy.eye(size.long, dtype=short.dtype)
            signs = numpy.where(numpy.arange(size.long) < size.long - model.negative_ones, 1, -1).astype(short.dtype)
            rows.append(numpy.concatenate([numpy.linalg.solve(one + skew, one - skew) * signs, coupling], 1))
        if size.short:
            radius = numpy.abs(numpy.linalg.eigvals(short)).max()
            rows.append(numpy.concatenate([numpy.zeros_like(coupling.T), short / (radius + model.eps)], 1))
        return numpy.concatenate(rows)
