"""The cells' steps and their pullbacks, written out so that each factor of the chain rule is a method of its own.

The equations are those of derivations/01, 11, 12 and 13; what is here and not in ``cells/`` is that a mistake can
replace one factor and leave the rest.
"""

from __future__ import annotations

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.cells.activation import Activation
from enrnn_ref.cells.base import Cell, Tuple
from enrnn_ref.cells.elementary import sigmoid_array, sigmoid_slope_array
from enrnn_ref.cells.gru import GruAfter, GruBefore
from enrnn_ref.cells.lstm import Lstm, PeepholeLstm
from enrnn_ref.cells.modrelu import ModRelu
from enrnn_ref.cells.nesterov_lstm import NesterovLstm
from enrnn_ref.cells.restart import schedule
from enrnn_ref.cells.tanh import Tanh

Pulled = tuple[Tuple, Tuple, Tuple]


class Steps:
    """One step of any cell, and its pullback; tuples as in :class:`enrnn_ref.cells.base.Cell`."""

    cell: Cell

    # Elementary functions and their slopes.

    def sigmoid(self, z: Array) -> Array:
        """σ(z), of the gates."""
        return sigmoid_array(z)

    def sigmoid_slope(self, z: Array) -> Array:
        """σ'(z)."""
        return sigmoid_slope_array(z)

    def tanh_slope(self, z: Array) -> Array:
        """tanh'(z), of an activation or a candidate."""
        slope: Array = 1 - np.tanh(z) ** 2
        return slope

    def output_tanh(self, c: Array) -> Array:
        """tanh(c), through which an LSTM shows its cell state."""
        shown: Array = np.tanh(c)
        return shown

    def output_slope(self, c: Array) -> Array:
        """tanh'(c)."""
        slope: Array = 1 - np.tanh(c) ** 2
        return slope

    def activation_slope(self, cell: Activation, z: Array) -> Array:
        """f'(z) of a plain activation."""
        return self.tanh_slope(z) if isinstance(cell, Tanh) else cell.slope(z)

    def modrelu_slope(self, z: Array, b: Array) -> Array:
        """1 where modReLU is on, 0 elsewhere."""
        on: Array = ((np.abs(z) + b > 0) & (z != 0)).astype(z.dtype)
        return on

    def modrelu_bias_slope(self, z: Array) -> Array:
        """sign(z), by which an active unit's bias moves it."""
        sign: Array = np.sign(z)
        return sign

    # The step and its pullback, by the kind of cell.

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        """New states, components of the first state first."""
        cell = self.cell
        if isinstance(cell, Lstm | PeepholeLstm):
            return self.lstm_step(z, states[1], theta)
        if isinstance(cell, NesterovLstm):
            m, following = schedule(states[6], cell.restart)
            y = self.iterate(z)
            ahead = tuple(new + m * (new - old) for new, old in zip(y, states[2:6], strict=True))
            return *self.lstm_step(ahead, states[1], ()), *y, following
        if isinstance(cell, GruAfter):
            n = np.tanh(z[2] + self.sigmoid(z[0]) * z[3])
            return (self.sigmoid(-z[1]) * n + self.sigmoid(z[1]) * states[0],)
        if isinstance(cell, GruBefore):
            return (self.sigmoid(-z[1]) * np.tanh(z[2]) + self.sigmoid(z[1]) * states[0],)
        return cell.step(z, states, theta)

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Pulled:
        """Gradients of z, of the old states by their direct path, and of theta."""
        cell = self.cell
        if isinstance(cell, Activation):
            dh = dstates[0]
            return (self.activation_slope(cell, z[0]) * dh,), (0 * dh,), ()
        if isinstance(cell, ModRelu):
            dz = self.modrelu_slope(z[0], theta[0]) * dstates[0]
            return (dz,), (0 * dz,), (self.modrelu_bias_slope(z[0]) * self.modrelu_slope(z[0], theta[0]) * dstates[0],)
        if isinstance(cell, Lstm | PeepholeLstm):
            dz, dc, dtheta = self.lstm_pullback(z, states[1], theta, dstates)
            return dz, (0 * dc, dc), dtheta
        if isinstance(cell, NesterovLstm):
            return self.nesterov_pullback(z, states, dstates)
        if isinstance(cell, GruAfter):
            return self.gru_after_pullback(z, states[0], dstates[0])
        if isinstance(cell, GruBefore):
            return self.gru_before_pullback(z, states[0], dstates[0])
        return cell.pullback(z, states, theta, dstates)

    # LSTM, with peepholes p or without.

    def lstm_gates(self, z: Tuple, c: Array, theta: Tuple) -> Tuple:
        """The arguments of the four activations and the new cell state."""
        a_i, a_f, a_g = (z[0] + theta[0] * c, z[1] + theta[1] * c, z[2]) if theta else z[:3]
        new = self.sigmoid(a_f) * c + self.sigmoid(a_i) * np.tanh(a_g)
        a_o = z[3] + theta[2] * self.peeped(c, new) if theta else z[3]
        return a_i, a_f, a_g, a_o, new

    def peeped(self, c: Array, new: Array) -> Array:
        """What the output gate's peephole sees: the new cell state."""
        return new

    def lstm_step(self, z: Tuple, c: Array, theta: Tuple) -> Tuple:
        """m and the new cell state [LS-2] [LS-3]."""
        _, _, _, a_o, new = self.lstm_gates(z, c, theta)
        return self.sigmoid(a_o) * self.output_tanh(new), new

    def lstm_pullback(self, z: Tuple, c: Array, theta: Tuple, dstates: Tuple) -> tuple[Tuple, Array, Tuple]:
        """Gradients of z, of the old cell state (one array) and of the peepholes [LS-5] [LS-7]."""
        a_i, a_f, a_g, a_o, new = self.lstm_gates(z, c, theta)
        dm, dc = dstates
        do = dm * self.output_tanh(new) * self.sigmoid_slope(a_o)
        dnew = self.cell_state_gradient(dc, dm * self.sigmoid(a_o) * self.output_slope(new))
        dold = 0 * c
        if theta:
            seen_old, seen_new = self.peeped_pullback(theta[2] * do)
            dold, dnew = dold + seen_old, dnew + seen_new
        di = dnew * np.tanh(a_g) * self.sigmoid_slope(a_i)
        df = dnew * c * self.sigmoid_slope(a_f)
        dg = dnew * self.sigmoid(a_i) * self.tanh_slope(a_g)
        dold = dold + self.carried_cell_state(dnew, self.sigmoid(a_f))
        if not theta:
            return (di, df, dg, do), dold, ()
        dold = dold + self.peephole_path(theta[0] * di + theta[1] * df)
        return (di, df, dg, do), dold, (di * c, df * c, do * self.peeped(c, new))

    def cell_state_gradient(self, carried: Array, shown: Array) -> Array:
        """The gradient of a cell state: what comes from the next step, and what comes by way of the output."""
        return carried + shown

    def carried_cell_state(self, dnew: Array, f: Array) -> Array:
        """What goes on to the cell state before, through the forget gate."""
        return dnew * f

    def peephole_path(self, through: Array) -> Array:
        """What goes on to the cell state before, through the peepholes of input and forget gate."""
        return through

    def peeped_pullback(self, through: Array) -> tuple[Array, Array]:
        """What goes through the output gate's peephole to the old and to the new cell state."""
        return 0 * through, through

    # LSTM with Nesterov's momentum.

    def iterate(self, z: Tuple) -> Tuple:
        """y = r − ε u of the four gates [MO-8]."""
        assert isinstance(self.cell, NesterovLstm)
        return tuple(r - self.cell.step_size * u for u, r in zip(z[:4], z[4:], strict=True))

    def nesterov_pullback(self, z: Tuple, states: Tuple, dstates: Tuple) -> Pulled:
        """[MO-9]."""
        cell = self.cell
        assert isinstance(cell, NesterovLstm)
        m, _ = schedule(states[6], cell.restart)
        ahead = tuple(new + m * (new - old) for new, old in zip(self.iterate(z), states[2:6], strict=True))
        da, dc, _ = self.lstm_pullback(ahead, states[1], (), dstates[:2])
        dr = tuple(arrived + (1 + m) * d for arrived, d in zip(dstates[2:6], da, strict=True))
        du = tuple(-cell.step_size * d for d in dr)
        return (*du, *dr), (0 * dc, dc, *(self.momentum_path(-m * d) for d in da), 0 * dstates[6]), ()

    def momentum_path(self, through: Array) -> Array:
        """What goes on to the momentum's state before."""
        return through

    # GRU.

    def gru_after_pullback(self, z: Tuple, h: Array, dh: Array) -> Pulled:
        """[GR-4]."""
        r = self.sigmoid(z[0])
        a = z[2] + r * z[3]
        dn = dh * self.sigmoid(-z[1]) * self.tanh_slope(a)
        dr = self.reset_path(dn * z[3]) * self.sigmoid_slope(z[0])
        dkeep = dh * (h - np.tanh(a)) * self.sigmoid_slope(z[1])
        return (dr, dkeep, dn, dn * r), (self.kept_path(dh * self.sigmoid(z[1])),), ()

    def gru_before_pullback(self, z: Tuple, h: Array, dh: Array) -> Pulled:
        """[GR-5], up to the product."""
        dkeep = dh * (h - np.tanh(z[2])) * self.sigmoid_slope(z[1])
        dn = dh * self.sigmoid(-z[1]) * self.tanh_slope(z[2])
        return (0 * dh, dkeep, dn), (self.kept_path(dh * self.sigmoid(z[1])),), ()

    def kept_path(self, through: Array) -> Array:
        """What goes on to the old h directly, through the update gate."""
        return through

    def reset_path(self, through: Array) -> Array:
        """What goes to the reset gate."""
        return through

    def relay(self, z: Tuple, states: Tuple, theta: Tuple) -> Array:
        """q, what the second product of a step multiplies [CO-2]."""
        if isinstance(self.cell, GruBefore):
            q: Array = self.sigmoid(z[0]) * states[0]
            return q
        return self.cell.relay(z, states, theta)

    def relay_pullback(self, z: Tuple, states: Tuple, theta: Tuple, dq: Array) -> Pulled:
        """Gradients of z, of the old states and of theta by way of q [CO-5]."""
        if isinstance(self.cell, GruBefore):
            dr = self.reset_path(dq * states[0]) * self.sigmoid_slope(z[0])
            return (dr, 0 * dq, 0 * dq), (self.relayed_path(dq * self.sigmoid(z[0])),), ()
        return self.cell.relay_pullback(z, states, theta, dq)

    def relayed_path(self, through: Array) -> Array:
        """What goes on to the old h by way of q = r h."""
        return through
