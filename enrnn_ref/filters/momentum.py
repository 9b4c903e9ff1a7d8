"""Heavy-ball momentum: v_t = μ v_{t-1} + ε u_t [MO-1]."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from enrnn_ref.arrays import number
from enrnn_ref.cells.base import Cell, Tuple
from enrnn_ref.errors import OptionError


def unit_step(z: Tuple, states: Tuple, theta: Tuple) -> Any:
    mu, eps = theta
    return (mu * states[0] + eps * z[0],)


def unit_pullback(z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Any:
    mu, eps = theta
    return (eps * dstates[0],), (mu * dstates[0],), ()  # [MO-3]


def unit_tangent(z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Any:
    mu, eps = theta
    return (mu * dstates[0] + eps * dz[0],)


class Momentum(Cell):
    """The filter v_t = μ v_{t-1} + ε u_t [MO-1]; the state ``v`` goes out.

    Parameters
    ----------
    momentum : float
        μ in [0, 1).
    step : float
        ε, any finite number.

    Raises
    ------
    OptionError
        A number out of its range.
    """

    recurrent: ClassVar[tuple[int, ...]] = ()
    states: ClassVar[dict[str, int]] = {"v": 1}

    unit_step = staticmethod(unit_step)
    unit_pullback = staticmethod(unit_pullback)
    unit_tangent = staticmethod(unit_tangent)

    def __init__(self, momentum: float, step: float) -> None:
        self.momentum, self.step_size = checked_momentum(momentum), checked_step(step)

    @property
    def settings(self) -> tuple[float, ...]:
        """μ and ε."""
        return self.momentum, self.step_size

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        return (self.momentum * states[0] + self.step_size * z[0],)

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> tuple[Tuple, Tuple, Tuple]:
        """[MO-3]."""
        return (self.step_size * dstates[0],), (self.momentum * dstates[0],), ()

    def tangent(self, z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Tuple:
        """The filter is linear: it is its own tangent."""
        return (self.momentum * dstates[0] + self.step_size * dz[0],)


def checked_momentum(value: object) -> float:
    """μ as a float in [0, 1); OptionError otherwise."""
    mu = number("momentum", value)
    if mu >= 1:
        raise OptionError(f"momentum is {value}; expected a number of at least 0 and below 1.")
    return mu


def checked_step(value: object) -> float:
    """ε as a finite float; OptionError otherwise."""
    return number("step", value, least=-math.inf)
