"""Nesterov's momentum with scheduled restarts as a filter, form B: v_t = m_t v_{t-1} + ε u_t [MO-6]."""

from __future__ import annotations

from typing import Any, ClassVar

from enrnn_ref.arrays import integer
from enrnn_ref.cells.base import Cell, Tuple
from enrnn_ref.cells.restart import period, schedule, unit_schedule
from enrnn_ref.filters.momentum import checked_step


def unit_step(z: Tuple, states: Tuple, theta: Tuple) -> Any:
    eps, restart = theta
    m, ahead = unit_schedule(states[1], restart)
    return m * states[0] + eps * z[0], ahead


def unit_pullback(z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Any:
    eps, restart = theta
    m, _ = unit_schedule(states[1], restart)
    return (eps * dstates[0],), (m * dstates[0], type(m)(0)), ()  # [MO-7]


def unit_tangent(z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Any:
    eps, restart = theta
    m, _ = unit_schedule(states[1], restart)
    return m * dstates[0] + eps * dz[0], type(m)(0)


class ScheduledMomentum(Cell):
    """The filter v_t = m_t v_{t-1} + ε u_t with m = k / (k + 3), k = 0, 1, … counted modulo F [MO-6].

    The states are ``v``, which goes out, and ``phase``, the count k (see ``cells/restart.py``).

    Parameters
    ----------
    step : float
        ε, any finite number.
    restart : int
        F at least 0; 0: no restart.

    Raises
    ------
    OptionError
        A number out of its range.
    """

    recurrent: ClassVar[tuple[int, ...]] = ()
    states: ClassVar[dict[str, int]] = {"v": 1, "phase": 1}

    unit_step = staticmethod(unit_step)
    unit_pullback = staticmethod(unit_pullback)
    unit_tangent = staticmethod(unit_tangent)

    def __init__(self, step: float, restart: int) -> None:
        self.step_size, self.restart = checked_step(step), integer("restart", restart, least=0)

    @property
    def settings(self) -> tuple[float, ...]:
        """ε and F."""
        return self.step_size, period(self.restart)

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        """[MO-6]."""
        m, ahead = schedule(states[1], self.restart)
        return m * states[0] + self.step_size * z[0], ahead

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> tuple[Tuple, Tuple, Tuple]:
        """[MO-7]."""
        m, _ = schedule(states[1], self.restart)
        return (self.step_size * dstates[0],), (m * dstates[0], 0 * dstates[1]), ()

    def tangent(self, z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Tuple:
        """Linear in v and u; the phase has no derivative."""
        m, _ = schedule(states[1], self.restart)
        return m * dstates[0] + self.step_size * dz[0], 0 * dstates[1]
