"""modReLU, h = sign(z) max(|z| + b, 0) [BP-8], with its own bias b.

Where it is not smooth:

* b < 0: a **kink** at \\|z\\| = −b. The slope there is 0 from inside the dead zone and 1 from outside; we take 0.
* b > 0: a **jump** of 2b at z = 0, from −b to +b. The slope formula sees the two branches, not the jump: the derivative
  is right on either side, and a finite difference across 0 grows like b/step.
* z = 0: sign(0) = 0, so h = 0 and both slopes are 0, also for b > 0, as automatic differentiation of the released
  expression has it.
* b = 0: the identity.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.cells.base import Cell, Tuple


def unit_step(z: Tuple, states: Tuple, theta: Tuple) -> Any:
    x, b = z[0], theta[0]
    zero = type(x)(0)
    length = abs(x) + b
    return (zero if length <= zero or x == zero else math.copysign(length, x),)  # [BP-8]; NaN passes


def unit_pullback(z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Any:
    x, b, dh = z[0], theta[0], dstates[0]
    zero = type(x)(0)
    dz = dh if abs(x) + b > zero and x != zero else zero  # [BP-9]
    db = dz if x > zero else -dz  # [BP-10]
    return (dz,), (zero,), (db,)


def unit_tangent(z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Any:
    x, b = z[0], theta[0]
    zero = type(x)(0)
    db = dtheta[0] if x > zero else -dtheta[0]
    return (dz[0] + db if abs(x) + b > zero and x != zero else zero,)  # [TA-3]


class ModRelu(Cell):
    """h = sign(z) max(\\|z\\| + b, 0); the parameter is ``bias`` (n,), b."""

    parameters: ClassVar[dict[str, int]] = {"bias": 1}
    drive_bias: ClassVar[bool] = False

    unit_step = staticmethod(unit_step)
    unit_pullback = staticmethod(unit_pullback)
    unit_tangent = staticmethod(unit_tangent)

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        """[BP-8]."""
        return (np.sign(z[0]) * np.maximum(np.abs(z[0]) + theta[0], 0),)

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> tuple[Tuple, Tuple, Tuple]:
        """[BP-9] and [BP-10]."""
        dh = dstates[0]
        dz = np.where(_active(z[0], theta[0]), dh, 0)
        return (dz,), (0 * dh,), (np.sign(z[0]) * dz,)

    def tangent(self, z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Tuple:
        """[TA-3]."""
        along = dz[0] + np.sign(z[0]) * dtheta[0]
        return (np.where(_active(z[0], theta[0]), along, 0),)


def _active(z: Array, b: Array) -> Array:
    """Where modReLU is on, and not at its jump."""
    active: Array = (np.abs(z) + b > 0) & (z != 0)
    return active
