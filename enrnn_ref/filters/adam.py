"""Momentum divided by a running root mean square [MO-4]: the filter of AdamLSTM and, with μ = 0, of RMSPropLSTM.

As released there is no bias correction and no factor 1 − μ, and the floor δ = 1e-16 stands inside the root. What that
does to a drive near zero is told in derivations/13-momentum.md under "Where it fails".
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from enrnn_ref.arrays import number
from enrnn_ref.cells.base import Cell, Tuple
from enrnn_ref.cells.elementary import sqrt
from enrnn_ref.errors import OptionError
from enrnn_ref.filters.momentum import checked_momentum, checked_step

FLOOR = 1e-16
"""δ of [MO-4], as released; a normal number in float32 too."""


def unit_step(z: Tuple, states: Tuple, theta: Tuple) -> Any:
    u, v, s = z[0], states[1], states[2]
    mu, eps, beta, rest = theta
    v, s = mu * v + eps * u, beta * abs(s) + rest * (u * u)
    return v / sqrt(s + type(u)(FLOOR)), v, s


def unit_pullback(z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Any:
    u, v, s, da, dv, ds = z[0], states[1], states[2], dstates[0], dstates[1], dstates[2]
    mu, eps, beta, rest = theta
    zero, two = type(u)(0), type(u)(2)
    q = beta * abs(s) + rest * (u * u) + type(u)(FLOOR)
    along = da / sqrt(q)
    dv = dv + along
    ds = ds - along * (mu * v + eps * u) / (two * q)
    down = beta * ds
    return (eps * dv + two * rest * u * ds,), (zero, mu * dv, -down if s < zero else down), ()  # [MO-5]


def unit_tangent(z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Any:
    u, v, s, du, dv, ds = z[0], states[1], states[2], dz[0], dstates[1], dstates[2]
    mu, eps, beta, rest = theta
    zero, two = type(u)(0), type(u)(2)
    q = beta * abs(s) + rest * (u * u) + type(u)(FLOOR)
    root = sqrt(q)
    a = (mu * v + eps * u) / root
    dv = mu * dv + eps * du
    ds = beta * (-ds if s < zero else ds) + two * rest * u * du
    return dv / root - a * ds / (two * q), dv, ds  # [MO-10]


class AdaptiveMomentum(Cell):
    """v_t = μ v_{t-1} + ε u_t, s_t = β \\|s_{t-1}\\| + (1−β) u_t², and a_t = v_t / √(s_t + δ) goes out [MO-4].

    The states are ``a``, which the step never reads, ``v`` and ``s``. A mean square is never negative; one that is
    given as an initial state is read as its magnitude, with the slope from above at zero.

    Parameters
    ----------
    momentum : float
        μ in [0, 1).
    step : float
        ε, any finite number.
    decay : float
        β in [0, 1].

    Raises
    ------
    OptionError
        A number out of its range.
    """

    recurrent: ClassVar[tuple[int, ...]] = ()
    states: ClassVar[dict[str, int]] = {"a": 1, "v": 1, "s": 1}
    reads_output: ClassVar[bool] = False

    unit_step = staticmethod(unit_step)
    unit_pullback = staticmethod(unit_pullback)
    unit_tangent = staticmethod(unit_tangent)

    def __init__(self, momentum: float, step: float, decay: float) -> None:
        self.momentum, self.step_size, self.decay = checked_momentum(momentum), checked_step(step), _decay(decay)

    @property
    def settings(self) -> tuple[float, ...]:
        """μ, ε, β and 1 − β, which would not be the same as a difference of rounded numbers."""
        return self.momentum, self.step_size, self.decay, 1 - self.decay

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        """[MO-4]."""
        v, s = self._moments(z, states)
        return v / np.sqrt(s + FLOOR), v, s

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> tuple[Tuple, Tuple, Tuple]:
        """[MO-5]."""
        v, s = self._moments(z, states)
        da, dv, ds = dstates
        along = da / np.sqrt(s + FLOOR)
        dv = dv + along
        ds = ds - along * v / (2 * (s + FLOOR))
        du = self.step_size * dv + 2 * (1 - self.decay) * z[0] * ds
        return (du,), (0 * da, self.momentum * dv, self.decay * np.where(states[2] < 0, -ds, ds)), ()

    def tangent(self, z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Tuple:
        """[MO-10]."""
        v, s = self._moments(z, states)
        root = np.sqrt(s + FLOOR)
        dv = self.momentum * dstates[1] + self.step_size * dz[0]
        ds = self.decay * np.where(states[2] < 0, -dstates[2], dstates[2]) + 2 * (1 - self.decay) * z[0] * dz[0]
        return dv / root - v / root * ds / (2 * (s + FLOOR)), dv, ds

    def _moments(self, z: Tuple, states: Tuple) -> Tuple:
        """The new v and s."""
        v = self.momentum * states[1] + self.step_size * z[0]
        return v, self.decay * np.abs(states[2]) + (1 - self.decay) * (z[0] * z[0])


def _decay(value: object) -> float:
    """β as a float in [0, 1]; OptionError otherwise."""
    beta = number("decay", value)
    if beta > 1:
        raise OptionError(f"decay is {value}; expected a number of at least 0 and at most 1.")
    return beta
