"""A recurrence forwards and backwards, written out so that every place where people go wrong is a method.

Without a mistake a :class:`Program` computes what ``model.forward`` and ``model.backward`` do, in float64 and in plain
NumPy. A mistake is a small class that replaces one method and calls ``super()`` for the rest, so that two mistakes are
the class ``type("Both", (First, Second, Program), {})``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from enrnn_ref import backends
from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.backends.base import blocks
from enrnn_ref.cells.base import Cell, Tuple
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.models.states import StateLayout
from enrnn_ref.parametrizations.base import Parametrization, Value
from enrnn_ref.verify.diagnosis.maps import Maps
from enrnn_ref.verify.diagnosis.steps import Steps


class Tape(NamedTuple):
    """What a forward pass leaves: the outputs, and what the backward pass needs.

    ``x`` (T, B, I) as the program reads it; ``h`` (T+1, B, W); ``memory`` (T+1, M, B, n); ``z`` a tuple of G arrays
    (B, n) for every step; ``relayed`` and ``emitted`` (T, B, n) or None; ``filtered`` the filter's states, T+1 tuples,
    and ``driven`` (T, B, ·) what went into it; ``y`` and ``final`` the outputs; ``swept`` what the right program's
    sweep back through time was given and gave, once there was one.
    """

    x: Array
    value: Value
    matrix: Array
    h: Array
    memory: Array
    z: list[Tuple]
    relayed: Array | None
    emitted: Array | None
    filtered: list[Tuple]
    driven: Array
    learned_start: bool
    y: Array
    final: Arrays
    swept: dict[str, Any]

    def outputs(self) -> Arrays:
        """The outputs under the names of the reports."""
        return {"y": self.y, "h": self.h, **{f"final {name}": array for name, array in self.final.items()}}


Swept = tuple[list[Array], Array, Array, Arrays, Arrays, Array]


class Whole:
    """What the programs of all models share.

    Attributes
    ----------
    changes_outputs : bool
        Of a mistake: whether it is made in the forward pass already.
    """

    changes_outputs: ClassVar[bool] = False

    def forward(self, x: Array, state: Arrays) -> Any:
        """The forward pass; an empty ``state`` is the model's own start."""
        raise NotImplementedError

    def backward(self, tape: Any, dy: Array, dstate: Arrays) -> Arrays:
        """The gradients of all parameters, of the input and of the initial state."""
        raise NotImplementedError

    def total(self, name: str, contributions: Array) -> Array:
        """The sum over time of a parameter's contributions, (T, ...) [BP-5]."""
        total: Array = contributions.sum(axis=0)
        return total

    def scale_cotangents(self, x: Array) -> float:
        """By what the program multiplies the cotangents it is given."""
        return 1.0

    def gradients(self, tape: Any, x: Array, dy: Array, dstate: Arrays) -> Arrays:
        """The whole backward pass: what a caller sees, and no part of a composition."""
        c = self.scale_cotangents(x)
        return self.backward(tape, c * dy, {name: c * array for name, array in dstate.items()})


class Program(Whole, Steps, Maps):
    """One recurrence. The methods that a mistake may replace come first, the loops that call them after."""

    def __init__(self, model: Recurrence, params: Arrays) -> None:
        self.model = model
        self.units = model.hidden_size
        self.cell = self.used_cell(model.cell)
        self.filter = model.filter
        self.parametrization = self.used_parametrization(model.parametrization)
        self.arrays = backends.get("reference")
        self.layout = StateLayout(self.cell, self.units, model.width)
        self.params = self.read(params)
        if self.filter is not None:
            channels = len(self.cell.driven) * self.units
            hidden = not self.filter.reads_output
            self.filter_layout = StateLayout(self.filter, channels, channels, hide_output=hidden)

    # What the program takes for granted.

    def used_cell(self, cell: Cell) -> Cell:
        """The cell."""
        return cell

    def used_parametrization(self, parametrization: Parametrization) -> Parametrization:
        """The parametrization."""
        return parametrization

    def read(self, params: Arrays) -> Arrays:
        """The parameters as the program understands them."""
        return params

    def write(self, grads: Arrays) -> Arrays:
        """The gradients of what :meth:`read` was given, from those of what it returned."""
        return grads

    def read_input(self, x: Array) -> Array:
        """The input as the program understands it."""
        return x

    def write_input(self, dx: Array) -> Array:
        """The transpose of :meth:`read_input`."""
        return dx

    # Places in the forward pass.

    def matrix(self, value: Value) -> Array:
        """R."""
        return value.matrix

    def matrix_cotangent(self, dmatrix: Array) -> Array:
        """dL/dR as the parametrization wants it: the transpose of :meth:`matrix`."""
        return dmatrix

    def start(self, state: Arrays) -> Arrays:
        """The initial state by name."""
        return state

    def drive_bias(self, bias: Array) -> Array:
        """The bias of the drive."""
        return bias

    def filter_step(self, u: Array, states: Tuple) -> Tuple:
        """One step of the filter."""
        assert self.filter is not None
        return self.filter.step((u,), states, ())

    def shown(self, h: Array) -> Array:
        """The states (T, B, W) that the readout sees, of h (T+1, B, W)."""
        return h[1:]

    def readout_bias(self, bias: Array) -> Array:
        """The bias of the readout."""
        return bias

    # Places in the backward pass.

    def output_cotangent(self, dy: Array) -> Array:
        """dL/dy (T, B, O) as the program uses it."""
        return dy

    def shown_pullback(self, dshown: Array) -> Array:
        """dL/dh_t of the readout's states (T, B, W), at the place of h_1 to h_T."""
        return dshown

    def final_cotangent(self, dstate: Arrays) -> Arrays:
        """The gradients that arrive at the final state, by name."""
        return dstate

    def arrived(self, t: int, direct: Array, carried: Array) -> Array:
        """The gradient of h_t+1: what its output says, and what the later steps say [BP-1]."""
        return direct + carried

    def carried(self, dz: Array, matrix: Array) -> Array:
        """What goes back through a product with the matrix: dz R [BP-3]."""
        through: Array = dz @ matrix
        return through

    def remembers(self, t: int) -> bool:
        """Whether the gradient goes on from step t to the one before."""
        return True

    def filter_pullback(self, u: Array, states: Tuple, dstates: Tuple) -> tuple[Array, Tuple]:
        """Gradients of the drive and of the filter's old states [CO-8]."""
        assert self.filter is not None
        (du,), dold, _ = self.filter.pullback((u,), states, (), dstates)
        return du, dold

    def recurrent_factor(self, h: Array) -> Array:
        """What dz_t is multiplied with in dR: h_0 to h_T-1 of all states (T+1, B, W) [BP-4]."""
        return h[:-1]

    def input_factor(self, x: Array) -> Array:
        """What it is multiplied with in dU: x_t [BP-5]."""
        return x

    def readout_factor(self, features: Array) -> Array:
        """What dy_t is multiplied with in dV [BP-7]."""
        return features

    def input_gradient(self, du: Array, weight: Array) -> Array:
        """dx = du U [BP-6]."""
        dx: Array = du @ weight
        return dx

    def initial_gradient(self, tape: Tape, name: str, dinitial: Array) -> Array:
        """The gradient of an initial state."""
        return dinitial

    # The loops.

    def forward(self, x: Array, state: Arrays) -> Tape:
        """The forward pass; an empty ``state`` is the model's own start."""
        model, cell, params, n = self.model, self.cell, self.params, self.units
        x = self.read_input(x)
        times, batch = x.shape[:2]
        value = self.parametrization.evaluate({raw: params[name] for raw, name in self.names.items()})
        learned = not state and model.initial_state
        if learned:
            state = {self.layout.output: np.tile(params["initial_state"], (batch, 1))}
        named = self.start(state)
        u = x @ params["input"].T
        if cell.drive_bias:
            u = u + self.drive_bias(params["bias"])
        a, filtered = u, []
        if self.filter is not None:
            first, memory = self.filter_layout.stack(self.arrays, named, batch, x.dtype)
            filtered.append((first, *memory))
            for t in range(times):
                filtered.append(self.filter_step(u[t], filtered[-1]))
            a = np.stack([states[0] for states in filtered[1:]])
        matrix, projection, theta = self.matrix(value), params.get("projection"), self.theta()
        direct, relayed_rows = blocks(cell, matrix)
        first_relayed = len(cell.recurrent) - cell.relayed
        initial = self.layout.stack(self.arrays, named, batch, x.dtype)
        h, memories = [initial.h], [initial.memory]
        z, q, m = [], [], []
        for t in range(times):
            z_t = self.gates_of(a[t])
            before = self.seen(h[t], memories[t])
            _add(z_t, cell.recurrent, h[t] @ direct.T, n)
            if cell.relayed:
                q.append(self.relay(tuple(z_t), before, theta))
                _add(z_t, cell.recurrent[first_relayed:], q[t] @ relayed_rows.T, n)
            new = self.step(tuple(z_t), before, theta)
            out = np.concatenate(new[: cell.output_components], axis=1)
            z.append(tuple(z_t))
            m.append(out)
            h.append(out if projection is None else out @ projection.T)
            memories.append(np.stack(new[cell.output_components :]) if len(memories[t]) else memories[t])
        states, kept = np.stack(h), np.stack(memories)
        final = self.layout.name(self.arrays, type(initial)(states[-1], kept[-1]))
        if self.filter is not None:
            final |= self.filter_layout.name(self.arrays, type(initial)(filtered[-1][0], np.array(filtered[-1][1:])))
        tape = Tape(
            x, value, matrix, states, kept, z, np.stack(q) if q else None,
            None if projection is None else np.stack(m), filtered, u, learned, states, final, {},
        )  # fmt: skip
        return tape._replace(y=self.readout(tape))

    def backward(self, tape: Tape, dy: Array, dstate: Arrays) -> Arrays:
        """All gradients under the names of the reports."""
        params, cell, n = self.params, self.cell, self.units
        found: Arrays = {}
        dy = self.output_cotangent(dy if self.model.readout == "all" else dy[np.newaxis])
        features = self.features(tape)
        dfeatures = dy
        if "readout" in params:
            dfeatures = dy @ params["readout"]
            found["readout"] = self.total("readout", _outer(dy, self.readout_factor(features)))
            found["readout_bias"] = self.total("readout_bias", dy.sum(axis=1))
        direct = self.shown_pullback(self.spread(tape, dfeatures))
        dz, dh, dtheta, dinitial, dfiltered, du = self._swept(tape, direct, self.final_cotangent(dstate))
        recurrent = np.concatenate([dz[g] for g in cell.recurrent], axis=2)
        split = (len(cell.recurrent) - cell.relayed) * n
        terms = [_outer(recurrent[..., :split], self.recurrent_factor(tape.h))]
        if tape.relayed is not None:
            terms.append(_outer(recurrent[..., split:], tape.relayed))
        dmatrix = self.matrix_cotangent(self.total("matrix", np.concatenate(terms, axis=1)))
        raw = self.matrix_pullback(self.parametrization, tape.value, dmatrix)
        found |= {self.names[key]: gradient for key, gradient in raw.items()}
        found["input"] = self.total("input", _outer(du, self.input_factor(tape.x)))
        if cell.drive_bias:
            found["bias"] = self.total("bias", du.sum(axis=1))
        if self.model.recurrent_bias:
            found["recurrent_bias"] = self.total("recurrent_bias", recurrent.sum(axis=1))
        rows = 0
        for name, count in cell.parameters.items():
            part = dtheta[:, rows : rows + count]
            found[name] = self.total(name, part.reshape(len(part), *self.model.shapes[name]))
            rows += count
        if tape.emitted is not None:
            found["projection"] = self.total("projection", _outer(dh, tape.emitted))
        initial = {**dinitial, **dfiltered}
        if self.model.initial_state:
            learned = initial[self.layout.output].sum(axis=0)
            found["initial_state"] = learned if tape.learned_start else np.zeros_like(learned)
        found["x"] = self.write_input(self.input_gradient(du, params["input"]))
        written = self.write(found)
        states = {f"state {name}": self.initial_gradient(tape, name, array) for name, array in initial.items()}
        return {**{name: written[name] for name in (*self.model.shapes, "x")}, **states}

    def _swept(self, tape: Tape, direct: Array, dstate: Arrays) -> Swept:
        """:meth:`sweep`; where it would repeat that of the right program, what that one gave."""
        if any(getattr(type(self), name) is not getattr(Program, name) for name in SWEEP):
            return self.sweep(tape, direct, dstate)
        known, given = tape.swept, {"direct": direct, **dstate}
        same = known and given.keys() == known["given"].keys()
        if same and all(np.array_equal(array, known["given"][name]) for name, array in given.items()):
            repeated: Swept = known["result"]
            return repeated
        result = self.sweep(tape, direct, dstate)
        if not known:
            tape.swept.update(given=given, result=result)
        return result

    def sweep(self, tape: Tape, direct: Array, dstate: Arrays) -> Swept:
        """Backpropagation through time, linear in (direct, dstate).

        Returns dz, G arrays (T, B, n); the whole gradient of every h (T, B, W); the contributions to theta (T, C, n);
        those of the initial state and of the filter's, by name; and those of the drive (T, B, ·).
        """
        cell, theta, projection = self.cell, self.theta(), self.params.get("projection")
        times, batch, width = direct.shape
        out, split = cell.output_components, len(cell.recurrent) - cell.relayed
        arriving = self.layout.stack(self.arrays, dstate, batch, direct.dtype)
        dh, dmemory = arriving.h, arriving.memory
        rows, relayed_rows = blocks(cell, tape.matrix)
        dz = np.empty((cell.gates, times, batch, self.units))
        whole, dtheta = np.empty((times, batch, width)), np.empty((times, len(theta), self.units))
        for t in reversed(range(times)):
            before = self.seen(tape.h[t], tape.memory[t])
            dh = self.arrived(t, direct[t], dh)
            whole[t] = dh
            dm = dh if projection is None else dh @ projection
            dz_t, dold, dtheta_t = self.pullback(tape.z[t], before, theta, (*self.components(dm), *dmemory))
            if cell.relayed:
                dq = self.carried(np.concatenate([dz_t[g] for g in cell.recurrent[split:]], axis=1), relayed_rows)
                parts = self.relay_pullback(tape.z[t], before, theta, dq)
                dz_t, dold, dtheta_t = (
                    tuple(a + b for a, b in zip(*pair, strict=True))
                    for pair in zip((dz_t, dold, dtheta_t), parts, strict=True)
                )
            for g, gradient in enumerate(dz_t):
                dz[g, t] = gradient
            for c, gradient in enumerate(dtheta_t):
                dtheta[t, c] = gradient.sum(axis=0)
            dh = self.carried(np.concatenate([dz_t[g] for g in cell.recurrent[:split]], axis=1), rows)
            if projection is None:
                dh = dh + np.concatenate(dold[:out], axis=1)
            dmemory = np.array(dold[out:]).reshape(arriving.memory.shape)
            if t and not self.remembers(t):
                dh, dmemory = 0 * dh, 0 * dmemory
        dinitial = self.layout.name(self.arrays, type(arriving)(dh, dmemory))
        da = np.concatenate([dz[g] for g in cell.driven], axis=2)
        if self.filter is None:
            return list(dz), whole, dtheta, dinitial, {}, da
        du, first = np.empty_like(da), self.filter_layout.stack(self.arrays, dstate, batch, direct.dtype)
        dstates: Tuple = (first.h, *first.memory)
        for t in reversed(range(times)):
            du[t], dstates = self.filter_pullback(tape.driven[t], tape.filtered[t], (dstates[0] + da[t], *dstates[1:]))
            if t and not self.remembers(t):
                dstates = tuple(0 * part for part in dstates)
        dfirst = self.filter_layout.name(self.arrays, type(first)(dstates[0], np.array(dstates[1:])))
        return list(dz), whole, dtheta, dinitial, dfirst, du

    # Pieces that no mistake replaces.

    @property
    def names(self) -> Mapping[str, str]:
        """What the parametrization's arrays are called among the parameters."""
        return self.model._names

    def theta(self) -> Tuple:
        """The cell's pointwise parameters, C arrays (n,)."""
        return tuple(row for name in self.cell.parameters for row in self.params[name].reshape(-1, self.units))

    def seen(self, h: Array, memory: Array) -> Tuple:
        """All states as the cell takes them; behind a projection it does not see the old output."""
        if "projection" in self.params:
            return (np.zeros((len(h), self.units)), *memory)
        return (*self.components(h), *memory)

    def components(self, h: Array) -> Tuple:
        """The components of the first state, (B, n) each."""
        n = self.units
        return tuple(h[:, k * n : (k + 1) * n] for k in range(self.cell.output_components))

    def gates_of(self, a: Array) -> list[Array]:
        """The drive (B, ·) and the recurrent gates' bias, gate by gate; new arrays."""
        n, cell = self.units, self.cell
        z = [np.zeros((len(a), n)) for _ in range(cell.gates)]
        _add(z, cell.driven, a, n)
        if self.model.recurrent_bias:
            _add(z, cell.recurrent, self.params["recurrent_bias"][np.newaxis], n)
        return z

    def features(self, tape: Tape) -> Array:
        """What the readout multiplies: all the states that it sees, or the last one (1, B, W)."""
        shown = self.shown(tape.h)
        return shown if self.model.readout == "all" else shown[-1:]

    def spread(self, tape: Tape, dfeatures: Array) -> Array:
        """The transpose of :meth:`features`, up to :meth:`shown`."""
        if self.model.readout == "all":
            return dfeatures
        spread = np.zeros_like(tape.h[1:])
        spread[-1:] = dfeatures
        return spread

    def readout(self, tape: Tape) -> Array:
        """y = V h + c, or the states themselves [GS-4]."""
        y = self.features(tape)
        if "readout" in self.params:
            y = y @ self.params["readout"].T + self.readout_bias(self.params["readout_bias"])
        return y if self.model.readout == "all" else y[0]


SWEEP = (
    "sweep", "arrived", "carried", "remembers", "filter_pullback", "seen",
    *(name for name, value in vars(Steps).items() if callable(value)),
)  # fmt: skip
"""The methods that the sweep back through time calls."""


def _outer(left: Array, right: Array) -> Array:
    """Σ over the batch of left_tb right_tbᵀ, (T, rows, columns)."""
    product: Array = left.swapaxes(1, 2) @ right
    return product


def _add(z: list[Array], gates: tuple[int, ...], product: Array, n: int) -> None:
    """Block k of a product to the k-th of the gates, as far as the blocks go."""
    for k, g in zip(range(product.shape[1] // n), gates, strict=False):
        z[g] = z[g] + product[:, k * n : (k + 1) * n]
