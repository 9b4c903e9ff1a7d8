"""Sweeps over the step size: the order of a Taylor remainder, and the curve of a difference quotient's error.

For the right slope s the remainder f(h) - f(0) - h s falls like h², for a wrong one like h. No tolerance is involved,
but a mistake of 1e-6 stays below the curvature's share: the sweep comes first and alone proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from enrnn_ref.arrays import Array

_TAYLOR = range(-3, -15, -1)  # exponents of two, relative to the scale
_CURVE = range(-2, -28, -1)

Line = Callable[[float], Array]
"""h → the function's output (K,) at the distance h from the point along a direction."""


def taylor_order(line: Line, base: Array, cotangent: Array, slope: float, noise: float, scale: float) -> float:
    """The power of h by which the remainder of ``cotangent @ line(h)`` falls; NaN where rounding hides the remainder.

    Parameters
    ----------
    line : callable
    base, cotangent : ndarray (K,)
    slope : float
        The claimed derivative at 0.
    noise : float
        Rounding error of ``cotangent @ line(h)``.
    scale : float
        The unit of h.
    """
    remainders = []
    for exponent in _TAYLOR:
        h = scale * 2.0**exponent
        remainders.append(abs(float(cotangent @ (line(h) - base)) - h * slope))
    clear = [math.isfinite(r) and r > 64.0 * (noise + np.finfo(float).eps * abs(slope) * scale) for r in remainders]
    orders = [
        math.log2(larger / smaller)
        for larger, smaller, seen, also in zip(remainders, remainders[1:], clear, clear[1:], strict=False)
        if seen and also
    ]
    return float(np.median(orders[-3:])) if orders else math.nan


def error_curve(line: Line, cotangent: Array, analytic: float, scale: float) -> tuple[tuple[float, float], ...]:
    """Step size, and the distance of the central difference at it from ``analytic``, relative to the larger one."""
    points = []
    for exponent in _CURVE:
        h = scale * 2.0**exponent
        quotient = float(cotangent @ (line(h) - line(-h))) / (2.0 * h)
        size = max(abs(quotient), abs(analytic))
        if math.isfinite(quotient) and size > 0.0:
            points.append((h, abs(quotient - analytic) / size))
    return tuple(points)
