"""What every contender of a size is given: the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.bench.sizes import Size
from enrnn_ref.models import ENRNN

SUBNORMAL = 0.25  # in units of the smallest normal number


@dataclass(frozen=True, eq=False)
class Workload:
    """Free parameters and the matrix that follows from them, x (T, B, I), the state before (B, n), dL/dh (T, B, n).

    ``threads`` is how many each contender may use.
    """

    size: Size
    dtype: np.dtype[Any]
    threads: int
    model: ENRNN
    params: Arrays
    matrix: Array
    x: Array
    start: Array
    dy: Array

    @cached_property
    def scratch(self) -> tuple[Array, Array]:
        """Room for the states of all times and their gradients, flat; shared by contenders that need no others."""
        rng, length = np.random.default_rng(2), (self.size.steps + 1) * self.size.batch * self.size.units
        first, second = (rng.standard_normal(length, np.float32).astype(self.dtype, copy=False) for _ in range(2))
        return first, second


def workload(size: Size, dtype: np.dtype[Any], threads: int, *, bias: float = 0.0) -> Workload:
    """Draw it; the same for all contenders and every run.

    A bias of zero is the initial one, and the only one under which a state decays; ``bias`` draws another, as large.
    """
    rng = np.random.default_rng(0)
    # ε = 0 keeps the leading eigenvalue of a decayed size on the unit circle: its numbers stay subnormal to the end.
    model = ENRNN(size.inputs, size.long, size.short, eps=0.0 if size.decayed else 1e-3)
    params = model.init(rng, dtype)
    params["bias"] = (bias * rng.uniform(-1, 1, size.units)).astype(dtype)

    def draw(*shape: int) -> Array:
        return rng.standard_normal(shape, np.float32).astype(dtype, copy=False)

    x, start = draw(size.steps, size.batch, size.inputs), draw(size.batch, size.units)
    dy = draw(size.steps, size.batch, size.units)
    if size.decayed:
        scale = dtype.type(SUBNORMAL * np.finfo(dtype).tiny)
        x, start, dy = np.zeros_like(x), start * scale, dy * scale
    return Workload(size, dtype, threads, model, params, model.recurrent_matrix(params), x, start, dy)
