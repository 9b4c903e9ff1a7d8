"""Whether a library's own derivative of a forward pass may serve as truth: it must agree with a difference first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from enrnn_ref.arrays import Array, Arrays

Tangent = Callable[[Mapping[str, Array], Mapping[str, Array]], Array]

STEP = 2.0**-17
"""Of the difference, relative to the argument. Its error is some STEP² of the derivative."""

TRUST = 2.0**-12
"""How well the two must agree, relative to the largest entry: far more than the difference errs, far less than what is
to be excluded, a part of the forward pass that the library cannot see."""

NOISE = 64.0
"""Units in the last place that the values may be off."""


class NotDifferentiableError(Exception):
    """The library cannot differentiate the forward pass by itself."""


def doubt(function: Callable[[Mapping[str, Array]], Array], tangent: Tangent, arrays: Arrays, seed: int) -> str:
    """Why ``tangent`` should not be believed; empty if nothing speaks against it.

    Along a random direction in each argument it is compared with a central difference of ``function``. An argument
    without visible influence cannot be checked so, but its way through the forward pass is the others'.
    """
    rng = np.random.default_rng([seed, 11])
    base = function(arrays)
    for name, array in arrays.items():
        direction = {key: np.zeros_like(other) for key, other in arrays.items()}
        direction[name] = rng.choice((-1.0, 1.0), array.shape)
        h = STEP * (float(np.abs(array).max(initial=0.0)) or 1.0)
        ahead, back = (function({**arrays, name: array + side * h * direction[name]}) for side in (1, -1))
        difference = (ahead - back) / (2 * h)
        noise = NOISE * np.finfo(np.float64).eps * np.abs(base).max(initial=0.0) / h
        try:
            found = tangent(arrays, direction)
        except NotDifferentiableError as reason:
            return str(reason)
        distance = np.abs(found - difference).max(initial=0.0)
        if not distance <= TRUST * np.abs(difference).max(initial=0.0) + noise:
            return f"along {name} it is not the derivative of the values"
    return ""
