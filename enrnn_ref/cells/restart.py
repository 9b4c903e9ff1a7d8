"""The schedule of Nesterov's momentum with restarts [MO-6]: what the scheduled filter and cell share.

The step count is a state of the run, ``phase``: a counter held in floating point, so that a sequence may be cut in
time. It is read as a whole number, k = max(⌊phase + ¼⌋, 0), which is constant around every count: its derivative is
zero. With restarts the counter starts again too, and never grows beyond F; without, it stops at 2²⁴ in float32, where
k / (k + 3) is 1 but for its last two bits.

For one unit the remainder of k and F is k − F ⌊k/F⌋, which is exact [MO-13]: an operation of its own would be a call,
and keep a loop from vector instructions. A phase beyond 2²⁴ in float32, 2⁵³ in float64, has lost its last digits, and
the count that is read from it is any.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.cells.elementary import floor, unit_helper

NEVER = 2.0**100
"""F of one unit's schedule without restarts: a number that no count reaches."""


def period(restart: int) -> float:
    """F as :func:`unit_schedule` takes it, for ``restart`` as a user gives it: 0 is none."""
    return float(min(restart, NEVER) or NEVER)


@unit_helper
def unit_schedule(phase: Any, restart: Any) -> Any:
    """m = k / (k + 3) and the phase of the next step, for one unit [MO-6] [MO-13].

    ``restart`` is :func:`period` in the type of ``phase``. NaN passes.
    """
    zero, one = type(phase)(0), type(phase)(1)
    k = floor(phase + one / type(phase)(4))
    k = zero if k < zero else k  # noqa: FURB136 (NaN passes)
    k = k - restart * floor(k / restart)
    k = zero if k < zero else k  # noqa: FURB136 (of a phase beyond 2²⁴ alone)
    ahead = k + one
    return k / (k + type(phase)(3)), zero if ahead >= restart else ahead


def schedule(phase: Array, restart: int) -> tuple[Array, Array]:
    """m and the next phase, entry by entry; ``restart`` 0: none."""
    k = np.floor(np.maximum(phase + 0.25, 0))
    if restart > 0:
        k = k % restart
    return k / (k + 3), np.where(k + 1 == restart, 0, k + 1)
