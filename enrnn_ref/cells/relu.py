"""h = max(z, 0) [BP-11]."""

from __future__ import annotations

from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.cells.activation import Activation
from enrnn_ref.cells.base import Tuple


def unit_step(z: Tuple, states: Tuple, theta: Tuple) -> Any:
    x = z[0]
    zero = type(x)(0)
    return (zero if x <= zero else x,)  # noqa: FURB136 (NaN passes)


def unit_pullback(z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Any:
    x = z[0]
    zero = type(x)(0)
    return (dstates[0] if x > zero else zero,), (zero,), ()


def unit_tangent(z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Any:
    x = z[0]
    zero = type(x)(0)
    return (dz[0] if x > zero else zero,)


class Relu(Activation):
    """h = max(z, 0). The kink at z = 0 takes the slope 0, as PyTorch, JAX and TensorFlow do."""

    unit_step = staticmethod(unit_step)
    unit_pullback = staticmethod(unit_pullback)
    unit_tangent = staticmethod(unit_tangent)

    def function(self, z: Array) -> Array:
        return np.maximum(z, 0)

    def slope(self, z: Array) -> Array:
        return (z > 0).astype(z.dtype)
