"""The gradient along random directions: first evidence for a whole argument, whatever its size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.verify import conditioning, differences, sweep
from enrnn_ref.verify.lines import direction_line, typical
from enrnn_ref.verify.problem import Problem

_SMOOTH = 1.75
"""From this order on the remainder of a right gradient is believed to be that of a smooth function."""


@dataclass(frozen=True)
class Projection:
    """One argument's gradient along a random direction of it; M cotangents.

    Attributes
    ----------
    direction : ndarray
        Random signs times the typical size of the argument's entries.
    slope : Slope
        From differences.
    analytic, tolerance : ndarray (M,)
        The gradient's inner product with the direction, and how far it may lie from the slope.
    order : float
        Of the Taylor remainder: 2 for a right gradient, 1 for a wrong one, NaN where rounding hides it.
    """

    direction: Array
    slope: differences.Slope
    analytic: Array
    tolerance: Array
    order: float

    @property
    def wrong(self) -> bool:
        """Whether the direction alone proves the gradient wrong."""
        smooth = ~self.slope.kink & np.isfinite(self.slope.error)
        return bool(np.any(smooth & (np.abs(self.analytic - self.slope.value) > self.tolerance)))

    @property
    def told(self) -> str:
        """For the report: the order, unless kinks along the direction or rounding have taken its meaning."""
        meaningful = self.wrong or self.order >= _SMOOTH
        return f"Taylor order {self.order:.2f}" if meaningful and not math.isnan(self.order) else ""


def project(
    problem: Problem,
    name: str,
    gradients: Array,
    floors: Array,
    base: Array,
    cotangents: Array,
    responses: Array,
    rng: np.random.Generator,
) -> Projection:
    """Draw a direction, and measure along it.

    Parameters
    ----------
    problem, name : Problem, str
    gradients, floors : ndarray (entries, M)
        The analytic gradient for every cotangent, and what rounding may do to it.
    base, cotangents, responses : ndarray (K,), (M, K), (P, K)
        As :func:`~enrnn_ref.verify.differences.slope` takes them.
    rng : Generator
    """
    array = problem.arrays[name]
    direction = rng.choice([-1.0, 1.0], array.shape) * (typical(array) or 1.0)
    line = direction_line(problem, name, direction, base)
    slope = differences.slope(line, base, cotangents, responses, 1.0, 0.0)
    along = direction.ravel()
    analytic = along @ gradients
    floor = np.abs(along) @ floors + conditioning.SAFETY * differences.UNIT * (np.abs(along) @ np.abs(gradients))
    # The direction is not exact either: x + h v is rounded, entry by entry.
    noise = float(np.abs(responses @ cotangents[0]).max(initial=0.0)) + differences.UNIT * float(
        abs(cotangents[0]) @ abs(base)
    )
    order = sweep.taylor_order(line, base, cotangents[0], float(analytic[0]), noise, 1.0)
    return Projection(direction, slope, analytic, differences.SAFETY**2 * slope.error + floor, order)
