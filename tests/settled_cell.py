"""A cell with parameters and settings, both in all its scalar functions: a leaky one whose second gate sees a relay.

With settings a, b, c = 1 - a and the parameter p:    q = b p h,    z_1 = (R q)_1,    h' = c h + a tanh(p z_0 + b z_1)
"""

import numpy as np

from enrnn_ref.cells import Cell
from enrnn_ref.cells.elementary import tanh


def unit_relay(z, states, theta):
    p, _, b, _ = theta
    return b * p * states[0]


def unit_relay_pullback(z, states, theta, dq):
    p, _, b, _ = theta
    zero = type(dq)(0)
    return (zero, zero), (b * p * dq,), (b * states[0] * dq,)


def unit_relay_tangent(z, states, theta, dz, dstates, dtheta):
    p, _, b, _ = theta
    (dp,) = dtheta
    return b * p * dstates[0] + b * dp * states[0]


def unit_step(z, states, theta):
    p, a, b, c = theta
    return (c * states[0] + a * tanh(p * z[0] + b * z[1]),)


def unit_pullback(z, states, theta, dstates):
    p, a, b, c = theta
    t = tanh(p * z[0] + b * z[1])
    d = a * (type(t)(1) - t * t) * dstates[0]
    return (p * d, b * d), (c * dstates[0],), (z[0] * d,)


def unit_tangent(z, states, theta, dz, dstates, dtheta):
    p, a, b, c = theta
    (dp,) = dtheta
    t = tanh(p * z[0] + b * z[1])
    return (c * dstates[0] + a * (type(t)(1) - t * t) * (dp * z[0] + p * dz[0] + b * dz[1]),)


class SettledCell(Cell):
    """The cell above; ``slope`` (n,) is p."""

    gates = 2
    driven = (0,)
    recurrent = (0, 1)
    relayed = 1
    parameters = {"slope": 1}  # noqa: RUF012

    unit_step = staticmethod(unit_step)
    unit_pullback = staticmethod(unit_pullback)
    unit_tangent = staticmethod(unit_tangent)
    unit_relay = staticmethod(unit_relay)
    unit_relay_pullback = staticmethod(unit_relay_pullback)
    unit_relay_tangent = staticmethod(unit_relay_tangent)

    def __init__(self, a, b):
        self.a, self.b = a, b

    @property
    def settings(self):
        return self.a, self.b, 1 - self.a

    def relay(self, z, states, theta):
        return self.b * theta[0] * states[0]

    def relay_pullback(self, z, states, theta, dq):
        return (0 * dq, 0 * dq), (self.b * theta[0] * dq,), (self.b * states[0] * dq,)

    def relay_tangent(self, z, states, theta, dz, dstates, dtheta):
        return self.b * (theta[0] * dstates[0] + dtheta[0] * states[0])

    def _bounded(self, z, theta):
        return np.tanh(theta[0] * z[0] + self.b * z[1])

    def step(self, z, states, theta):
        return ((1 - self.a) * states[0] + self.a * self._bounded(z, theta),)

    def pullback(self, z, states, theta, dstates):
        d = self.a * (1 - self._bounded(z, theta) ** 2) * dstates[0]
        return (theta[0] * d, self.b * d), ((1 - self.a) * dstates[0],), (z[0] * d,)

    def tangent(self, z, states, theta, dz, dstates, dtheta):
        along = dtheta[0] * z[0] + theta[0] * dz[0] + self.b * dz[1]
        return ((1 - self.a) * dstates[0] + self.a * (1 - self._bounded(z, theta) ** 2) * along,)
