"""LSTM with Nesterov's momentum, form A [MO-8]: y_t = r_t − ε u_t, a_t = y_t + m_t (y_t − y_{t-1}).

u_t = U x_t + b_x is the drive and r_t = R h_{t-1} + b_h the recurrent part, four gates each; a_t are what an ordinary
LSTM calls pre-activations. Because y_t − y_{t-1} holds h_{t-1} and h_{t-2}, this is a cell and not a filter.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from enrnn_ref.arrays import Array, integer, number
from enrnn_ref.cells import lstm
from enrnn_ref.cells.base import Cell, Tuple
from enrnn_ref.cells.elementary import unit_helper
from enrnn_ref.cells.lstm import Lstm
from enrnn_ref.cells.restart import period, schedule, unit_schedule

lstm_step = unit_helper(lstm.unit_step)
lstm_pullback = unit_helper(lstm.unit_pullback)
lstm_tangent = unit_helper(lstm.unit_tangent)


@unit_helper
def unit_difference(z: Tuple, eps: Any) -> Any:
    """y = r − ε u for the four gates of one unit; also their tangents, because it is linear."""
    return (z[4] - eps * z[0], z[5] - eps * z[1], z[6] - eps * z[2], z[7] - eps * z[3])


@unit_helper
def unit_ahead(y: Tuple, old: Tuple, m: Any) -> Any:
    """a = y + m (y − y_old) for the four gates of one unit; ``old`` are all states."""
    return (
        y[0] + m * (y[0] - old[2]),
        y[1] + m * (y[1] - old[3]),
        y[2] + m * (y[2] - old[4]),
        y[3] + m * (y[3] - old[5]),
    )


def unit_step(z: Tuple, states: Tuple, theta: Tuple) -> Any:
    eps, restart = theta
    m, following = unit_schedule(states[6], restart)
    y = unit_difference(z, eps)
    h, c = lstm_step(unit_ahead(y, states, m), (states[0], states[1]), ())
    return h, c, y[0], y[1], y[2], y[3], following


def unit_pullback(z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Any:
    eps, restart = theta
    zero, one = type(z[0])(0), type(z[0])(1)
    m, _ = unit_schedule(states[6], restart)
    a = unit_ahead(unit_difference(z, eps), states, m)
    da, direct, _ = lstm_pullback(a, (states[0], states[1]), (), (dstates[0], dstates[1]))
    gain = one + m
    i, f, g, o = (
        dstates[2] + gain * da[0],
        dstates[3] + gain * da[1],
        dstates[4] + gain * da[2],
        dstates[5] + gain * da[3],
    )  # [MO-9]
    dz = (-eps * i, -eps * f, -eps * g, -eps * o, i, f, g, o)
    return dz, (zero, direct[1], -m * da[0], -m * da[1], -m * da[2], -m * da[3], zero), ()


def unit_tangent(z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Any:
    eps, restart = theta
    m, _ = unit_schedule(states[6], restart)
    a, dy = unit_ahead(unit_difference(z, eps), states, m), unit_difference(dz, eps)
    da = unit_ahead(dy, dstates, m)
    dh, dc = lstm_tangent(a, (states[0], states[1]), (), da, (dstates[0], dstates[1]), ())
    return dh, dc, dy[0], dy[1], dy[2], dy[3], type(z[0])(0)


class NesterovLstm(Cell):
    """y_t = r_t − ε u_t, a_t = y_t + m_t (y_t − y_{t-1}), then the LSTM [MO-8].

    Gates 0 to 3 are u for i, f, g, o, gates 4 to 7 r. The states are ``h``, ``c``, ``iterate``, which is y (four
    components), and ``phase``, the count of the schedule (see ``cells/restart.py``).

    Parameters
    ----------
    step : float
        ε, any finite number. The input enters with the weight −ε.
    restart : int
        F at least 0; 0: no restart.

    Raises
    ------
    OptionError
        A number out of its range.
    """

    gates: ClassVar[int] = 8
    driven: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)
    recurrent: ClassVar[tuple[int, ...]] = (4, 5, 6, 7)
    gate_names = ("i input", "f input", "g input", "o input", "i", "f", "g", "o")
    states: ClassVar[dict[str, int]] = {"h": 1, "c": 1, "iterate": 4, "phase": 1}
    reads_output: ClassVar[bool] = False

    unit_step = staticmethod(unit_step)
    unit_pullback = staticmethod(unit_pullback)
    unit_tangent = staticmethod(unit_tangent)

    def __init__(self, step: float, restart: int) -> None:
        self.step_size = number("step", step, least=-math.inf)
        self.restart = integer("restart", restart, least=0)
        self._lstm = Lstm()

    @property
    def settings(self) -> tuple[float, ...]:
        """ε and F."""
        return self.step_size, period(self.restart)

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        """[MO-8]."""
        m, following = schedule(states[6], self.restart)
        y = self._difference(z)
        return *self._lstm.step(_ahead(y, states, m), states[:2], ()), *y, following

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> tuple[Tuple, Tuple, Tuple]:
        """[MO-9]."""
        m, _ = schedule(states[6], self.restart)
        da, direct, _ = self._lstm.pullback(_ahead(self._difference(z), states, m), states[:2], (), dstates[:2])
        dr = tuple(arrived + (1 + m) * d for arrived, d in zip(dstates[2:6], da, strict=True))
        du = tuple(-self.step_size * d for d in dr)
        return (*du, *dr), (*direct, *(-m * d for d in da), 0 * dstates[6]), ()

    def tangent(self, z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Tuple:
        """[MO-10]."""
        m, _ = schedule(states[6], self.restart)
        a, dy = _ahead(self._difference(z), states, m), self._difference(dz)
        return *self._lstm.tangent(a, states[:2], (), _ahead(dy, dstates, m), dstates[:2], ()), *dy, 0 * dstates[6]

    def _difference(self, z: Tuple) -> Tuple:
        """y = r − ε u of the four gates."""
        return tuple(r - self.step_size * u for u, r in zip(z[:4], z[4:], strict=True))


def _ahead(y: Tuple, states: Tuple, m: Array) -> Tuple:
    """a = y + m (y − y_old) of the four gates."""
    return tuple(new + m * (new - old) for new, old in zip(y, states[2:6], strict=True))
