"""Complex modReLU, h = max(|z| + b, 0) z/|z|, on pairs (Re, Im) of real numbers (derivations/08-complex-modrelu.md).

One family, h = z max(m + b, 0)/(m + ε) with m = √(|z|² + σ²) [CM-1], and two members of it: "exact" has σ = ε = 0,
"released" is the smoothing of the released code, σ² = ε = 1e-5.

Where the exact one is not smooth:

* b < 0: a **kink** on the circle \\|z\\| = −b. We take the slope of the inside, 0.
* b > 0: a **jump** at z = 0, from −b e^{iφ} to b e^{iφ} on every line through it, and beside it a gain of 1 + b/\\|z\\|
  along the circle around zero, which has no bound [CM-6].
* z = 0: h = 0, and all slopes are 0, whatever b is, as for the real modReLU.
* b = 0: the identity, bit for bit, but for the slope at z = 0.

The released one has the kink at m = −b and no jump; its gain is at most (σ + b)/(σ + ε) [CM-7].
"""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar, NamedTuple

import numpy as np

from enrnn_ref.arrays import Array, choice
from enrnn_ref.cells.base import Cell, Tuple
from enrnn_ref.cells.elementary import sqrt, unit_helper


class Smoothing(NamedTuple):
    """σ and ε of [CM-1]."""

    root: float
    shift: float


SMOOTHINGS = {"exact": Smoothing(0.0, 0.0), "released": Smoothing(math.sqrt(1e-5), 1e-5)}


@unit_helper
def polar(x: Any, y: Any, root: Any) -> Any:
    """m = √(x² + y² + σ²) and (x, y)/m; zeros at m = 0. Divided by the largest of the three, no square overflows.

    After the division one of the three is ±1, so that the length is at least 1, except at zero.
    """
    zero, one = type(x)(0), type(x)(1)
    largest = max(abs(x), abs(y), root)
    scale = largest if largest > zero else one
    x, y, root = x / scale, y / scale, root / scale
    length = sqrt(x * x + y * y + root * root)
    length = one if length < one else length  # noqa: FURB136 (NaN passes)
    return largest * length, x / length, y / length


@functools.cache
def _units(smoothing: Smoothing) -> tuple[Any, Any, Any]:
    """The scalar functions of one member of the family."""
    sigma, epsilon = smoothing

    def unit_step(z: Tuple, states: Tuple, theta: Tuple) -> Any:
        x, y, b = z[0], z[1], theta[0]
        zero, one, eps = type(x)(0), type(x)(1), type(x)(epsilon)
        m, u, v = polar(x, y, type(x)(sigma))
        if m <= zero or m + b <= zero:
            return zero, zero
        push = (b - eps) / (one + eps / m)  # [CM-2]
        return x + push * u, y + push * v

    def unit_pullback(z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Any:
        x, y, b, dx, dy = z[0], z[1], theta[0], dstates[0], dstates[1]
        zero, one, eps = type(x)(0), type(x)(1), type(x)(epsilon)
        m, u, v = polar(x, y, type(x)(sigma))
        if m <= zero or m + b <= zero:
            return (zero, zero), (zero, zero), (zero,)
        radial = (dx * u + dy * v) / (one + eps / m)
        dzx = dx + (b - eps) * ((dx - radial * u) / (m + eps))  # [CM-5]
        dzy = dy + (b - eps) * ((dy - radial * v) / (m + eps))
        return (dzx, dzy), (zero, zero), (radial,)

    def unit_tangent(z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Any:
        x, y, b, dx, dy, db = z[0], z[1], theta[0], dz[0], dz[1], dtheta[0]
        zero, one, eps = type(x)(0), type(x)(1), type(x)(epsilon)
        m, u, v = polar(x, y, type(x)(sigma))
        if m <= zero or m + b <= zero:
            return zero, zero
        slope = one / (one + eps / m)
        along = slope * (u * dx + v * dy)
        dhx = dx + (b - eps) * ((dx - along * u) / (m + eps)) + slope * u * db  # [CM-8]
        dhy = dy + (b - eps) * ((dy - along * v) / (m + eps)) + slope * v * db
        return dhx, dhy

    return unit_step, unit_pullback, unit_tangent


class ComplexModRelu(Cell):
    """h = max(\\|z\\| + b, 0) z/\\|z\\|, or its smoothing [CM-1]; gates and state are (Re, Im), ``bias`` (n,) is b.

    Parameters
    ----------
    modulus : {"exact", "released"}
        σ = ε = 0, or the released code's smoothing σ² = ε = 1e-5.
    """

    gates: ClassVar[int] = 2
    states: ClassVar[dict[str, int]] = {"h": 2}
    parameters: ClassVar[dict[str, int]] = {"bias": 1}
    drive_bias: ClassVar[bool] = False
    reads_output: ClassVar[bool] = False

    def __init__(self, modulus: str = "exact") -> None:
        self.modulus = choice("modulus", modulus, tuple(SMOOTHINGS))
        self.smoothing = SMOOTHINGS[self.modulus]
        self.unit_step, self.unit_pullback, self.unit_tangent = _units(self.smoothing)

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        """h = z + (b − ε) t u [CM-2]."""
        on, _, t, directions = self._geometry(z, theta[0])
        push = (theta[0] - self.smoothing.shift) * t
        return tuple(np.where(on, part + push * u, 0) for part, u in zip(z, directions, strict=True))

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> tuple[Tuple, Tuple, Tuple]:
        """dz = dh + g (dh − db u), db = t (u·dh) [CM-5]."""
        on, size, t, directions = self._geometry(z, theta[0])
        db = t * _dot(directions, dstates)
        dz = tuple(
            np.where(on, dh + (theta[0] - self.smoothing.shift) * ((dh - db * u) / size), 0)
            for dh, u in zip(dstates, directions, strict=True)
        )
        return dz, tuple(0 * dh for dh in dstates), (np.where(on, db, 0),)

    def tangent(self, z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Tuple:
        """dh = dz + g (dz − t (u·dz) u) + t u db [CM-8]."""
        on, size, t, directions = self._geometry(z, theta[0])
        radial = t * _dot(directions, dz)
        excess = theta[0] - self.smoothing.shift
        return tuple(
            np.where(on, d + excess * ((d - radial * u) / size) + t * u * dtheta[0], 0)
            for d, u in zip(dz, directions, strict=True)
        )

    def _geometry(self, z: Tuple, b: Array) -> tuple[Array, Array, Array, Tuple]:
        """Where the unit is on, m + ε (1 where it is off), t = m/(m + ε), and u = z/m as a pair."""
        root, shift = self.smoothing
        largest = np.maximum(np.maximum(np.abs(z[0]), np.abs(z[1])), root)
        scale = np.where(largest > 0, largest, 1)
        length = np.sqrt((z[0] / scale) ** 2 + (z[1] / scale) ** 2 + (root / scale) ** 2)
        m = largest * length
        on = ~((m <= 0) | (m + b <= 0))  # NaN is on, and passes
        size = np.where(on, m + shift, 1)
        inside = np.where(on, length, 1)
        return on, size, m / size, (z[0] / scale / inside, z[1] / scale / inside)


def _dot(a: Tuple, b: Tuple) -> Array:
    """Re(conj(a) b) of two pairs."""
    product: Array = a[0] * b[0] + a[1] * b[1]
    return product
