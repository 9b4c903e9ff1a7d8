"""The three time loops of the compiled backend, compiled once per kind of cell and dtype, whatever its settings.

Legend: T times, B sequences, n units, G gates, W = c·n the width of h, M components of the other states, C pointwise
parameters. z, dz (T, B, G·n) · h (T+1, B, W) · memory (T+1, M, B, n) · dh, a vector in which the (B, W) of time t begin
at t·dh_time · theta (C, n) · settings, a tuple of numbers. r, r_relayed (the rows of R that multiply the relay q) and
projection (P) are packed (products.py), and transposed for the backward loop; what a cell has not is empty. Where there
is a projection, a step does not see what the one before put out but ``unseen`` (1, B, c·n), zeros. Arrays of one step,
m, dm, q, dq, come from outside: the loops make none. A sequence is looked at ``alone`` (rows.py), or loops over its
units would not run in vector instructions.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from numba.extending import register_jitable

from enrnn_ref.backends import elementary  # noqa: F401 (gives the cells' elementary functions their compiled form)
from enrnn_ref.backends.cache import name_of
from enrnn_ref.backends.compiler import jit
from enrnn_ref.backends.products import add_product
from enrnn_ref.backends.rows import alone
from enrnn_ref.backends.tuples import gathering, scattering
from enrnn_ref.cells import elementary as of_cells
from enrnn_ref.cells.base import Cell

AFFINE_ROWS = 90
"""Rows of the drive at a time: a whole number of tiles, and with a thousand columns less than a second-level cache."""


_building = threading.Lock()


class Kernels(NamedTuple):
    """The compiled loops of one cell."""

    forward: Callable[..., None]
    backward: Callable[..., None]
    tangent: Callable[..., None]


def compile_kernels(cell: Cell) -> Kernels:
    """The kernels of a cell; Numba compiles them on the first call with each dtype."""
    relay = (cell.unit_relay, cell.unit_relay_pullback, cell.unit_relay_tangent) if cell.relayed else None
    layout = _Layout(
        cell.gates,
        cell.output_components,
        sum(cell.memory.values()),
        sum(cell.parameters.values()),
        len(cell.settings),
    )
    with _building:  # threads that ask for the same kernels get the same ones
        return _compile(layout, (cell.unit_step, cell.unit_pullback, cell.unit_tangent), relay)


@functools.cache
def _register(helper: Callable[..., Any]) -> None:
    """Let compiled code call a plain function of the cells."""
    register_jitable(forceinline=True)(helper)


class _Layout(NamedTuple):
    gates: int
    components: int
    memory: int
    rows: int
    settings: int


_Units = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]


@functools.cache
def _compile(layout: _Layout, units: _Units, relay: _Units | None) -> Kernels:
    for helper in of_cells.HELPERS:
        _register(helper)
    step, pullback, tangent_of = (jit(unit, inlined=True) for unit in units)
    relay_of, relay_pullback, relay_tangent = (jit(unit, inlined=True) for unit in relay or (_no_relay,) * 3)
    gates, components = layout.gates, layout.components
    has_relay = relay is not None
    name = name_of(layout, (*units, *(relay or ())))
    gates_of = _gather([f"x[b, {k}, j]" for k in range(layout.gates)])
    rows = [f"x[{k}, j]" for k in range(layout.rows)]
    theta_of = _gather(rows + [f"y[{k}]" for k in range(layout.settings)])
    dtheta_of = _gather(rows)
    states_of = _gather([f"x[b, {k}, j]" for k in range(components)] + [f"y[{k}, b, j]" for k in range(layout.memory)])
    set_gates = _scatter([f"x[b, {k}, j] = flush(values[{k}], below)" for k in range(layout.gates)])
    add_gates = _scatter([f"x[b, {k}, j] += values[{k}]" for k in range(layout.gates)])
    outputs = [f"x[b, {k}, j] {{}} flush(values[{k}], below)" for k in range(components)]
    others = [f"y[{k}, b, j] {{}} flush(values[{components + k}], below)" for k in range(layout.memory)]
    set_states = _scatter([line.format("=") for line in outputs + others])
    add_states = _scatter([line.format("+=") for line in outputs + others])
    add_theta = _scatter([f"x[{k}, j] += flush(values[{k}], below)" for k in range(layout.rows)])

    @functools.partial(jit, kept_as=name and f"forward {name}", bare=True)
    def forward(
        r: Any, r_relayed: Any, projection: Any, theta: Any, settings: Any, z: Any, h: Any, memory: Any,
        emitted: Any, q: Any, unseen: Any, below: Any,
    ) -> None:  # fmt: skip
        time, batch, n = z.shape[0], z.shape[1], memory.shape[3]
        projected = projection.terms.shape[0] > 0
        by_gate, seen = z.reshape(time, batch, gates, n), (unseen if projected else h).reshape(-1, batch, components, n)
        shown = (emitted if projected else h).reshape(-1, batch, components, n)
        for t in range(time):
            z_t, before, after = by_gate[t], seen[0 if projected else t], shown[t if projected else t + 1]
            add_product(z[t], h[t], r)  # [GS-2]
            if has_relay:
                for row in range(batch):
                    b = alone(row)
                    for j in range(n):
                        q[t, b, j] = relay_of(
                            gates_of(z_t, z_t, b, j),
                            states_of(before, memory[t], b, j),
                            theta_of(theta, settings, 0, j),
                        )
                add_product(z[t], q[t], r_relayed)  # [CO-2]
            old, new = memory[t], memory[t + 1]
            for row in range(batch):
                b = alone(row)
                for j in range(n):
                    values = step(
                        gates_of(z_t, z_t, b, j), states_of(before, old, b, j), theta_of(theta, settings, 0, j)
                    )  # [GS-3]
                    set_states(after, new, b, j, values, below)
            if projected:
                clear(h[t + 1])
                add_product(h[t + 1], emitted[t], projection)  # [CO-3]

    @functools.partial(jit, kept_as=name and f"backward {name}", bare=True)
    def backward(
        r: Any, r_relayed: Any, projection: Any, theta: Any, settings: Any, z: Any, h: Any, memory: Any,
        dh: Any, dh_time: int, dh_t: Any, dmemory: Any, dz: Any, dtheta: Any, whole: Any, unseen: Any, dm: Any,
        dq: Any, below: Any,
    ) -> None:  # fmt: skip
        time, batch, n = z.shape[0], z.shape[1], memory.shape[3]
        projected = projection.terms.shape[0] > 0
        by_gate, dby_gate, seen = (
            z.reshape(time, batch, gates, n),
            dz.reshape(time, batch, gates, n),
            (unseen if projected else h).reshape(-1, batch, components, n),
        )
        arriving = (dm if projected else dh_t).reshape(batch, components, n)
        for t in range(time - 1, -1, -1):
            z_t, dz_t, before, old = by_gate[t], dby_gate[t], seen[0 if projected else t], memory[t]
            if dh.shape[0] > 0:
                add_entries(dh_t, dh[t * dh_time :])  # [BP-1]
            if projected:
                copy_entries(whole[t], dh_t)
                add_product(dm, dh_t, projection)  # [CO-6]
                clear(dh_t)
            for row in range(batch):
                b = alone(row)
                for j in range(n):
                    dz_j, direct, dtheta_j = pullback(
                        gates_of(z_t, z_t, b, j),
                        states_of(before, old, b, j),
                        theta_of(theta, settings, 0, j),
                        states_of(arriving, dmemory, b, j),
                    )  # [BP-2]
                    set_gates(dz_t, dz_t, b, j, dz_j, below)
                    set_states(arriving, dmemory, b, j, direct, below)
                    add_theta(dtheta, dtheta, 0, j, dtheta_j, below)
            if has_relay:
                clear(dq)
                add_product(dq, dz[t], r_relayed)  # [CO-5]
                for row in range(batch):
                    b = alone(row)
                    for j in range(n):
                        dz_j, direct, dtheta_j = relay_pullback(
                            gates_of(z_t, z_t, b, j),
                            states_of(before, old, b, j),
                            theta_of(theta, settings, 0, j),
                            dq[b, j],
                        )
                        add_gates(dz_t, dz_t, b, j, dz_j, below)
                        add_states(arriving, dmemory, b, j, direct, below)
                        add_theta(dtheta, dtheta, 0, j, dtheta_j, below)
            add_product(dh_t, dz[t], r)  # [BP-3]

    @functools.partial(jit, kept_as=name and f"tangent {name}", bare=True)
    def tangent(
        r: Any, dr: Any, r_relayed: Any, dr_relayed: Any, projection: Any, dprojection: Any,
        theta: Any, settings: Any, dtheta: Any, z: Any, dz: Any, h: Any, dh: Any, memory: Any, dmemory: Any,
        unseen: Any, m: Any, dm: Any, q: Any, dq: Any, below: Any,
    ) -> None:  # fmt: skip
        time, batch, n = z.shape[0], z.shape[1], memory.shape[3]
        projected = projection.terms.shape[0] > 0
        by_gate, dby_gate = z.reshape(time, batch, gates, n), dz.reshape(time, batch, gates, n)
        seen, dseen = (
            (unseen if projected else h).reshape(-1, batch, components, n),
            (unseen if projected else dh).reshape(-1, batch, components, n),
        )
        shown, dshown = (
            (m if projected else h).reshape(-1, batch, components, n),
            (dm if projected else dh).reshape(-1, batch, components, n),
        )
        for t in range(time):
            z_t, dz_t, now, then = by_gate[t], dby_gate[t], 0 if projected else t, 0 if projected else t + 1
            before, dbefore, after, dafter = seen[now], dseen[now], shown[then], dshown[then]
            old, new, dold, dnew = memory[t], memory[t + 1], dmemory[t], dmemory[t + 1]
            add_product(z[t], h[t], r)
            add_product(dz[t], h[t], dr)
            add_product(dz[t], dh[t], r)  # [TA-1]
            if has_relay:
                for row in range(batch):
                    b = alone(row)
                    for j in range(n):
                        z_j, dz_j = gates_of(z_t, z_t, b, j), gates_of(dz_t, dz_t, b, j)
                        states_j, dstates_j = states_of(before, old, b, j), states_of(dbefore, dold, b, j)
                        theta_j, dtheta_j = theta_of(theta, settings, 0, j), dtheta_of(dtheta, dtheta, 0, j)
                        q[b, j] = relay_of(z_j, states_j, theta_j)
                        dq[b, j] = relay_tangent(z_j, states_j, theta_j, dz_j, dstates_j, dtheta_j)
                add_product(z[t], q, r_relayed)
                add_product(dz[t], q, dr_relayed)
                add_product(dz[t], dq, r_relayed)
            for row in range(batch):
                b = alone(row)
                for j in range(n):
                    z_j, dz_j = gates_of(z_t, z_t, b, j), gates_of(dz_t, dz_t, b, j)
                    states_j, dstates_j = states_of(before, old, b, j), states_of(dbefore, dold, b, j)
                    theta_j, dtheta_j = theta_of(theta, settings, 0, j), dtheta_of(dtheta, dtheta, 0, j)
                    set_states(after, new, b, j, step(z_j, states_j, theta_j), below)
                    values = tangent_of(z_j, states_j, theta_j, dz_j, dstates_j, dtheta_j)  # [TA-2]
                    set_states(dafter, dnew, b, j, values, below)
            if projected:
                clear(h[t + 1])
                add_product(h[t + 1], m[0], projection)
                clear(dh[t + 1])
                add_product(dh[t + 1], dm[0], projection)
                add_product(dh[t + 1], m[0], dprojection)

    return Kernels(forward, backward, tangent)


def _no_relay(*arguments: Any) -> Any:
    """Stands where a cell has no relay; never called."""


@functools.partial(jit, kept_as="affine")
def affine(y: Any, x: Any, weight: Any, bias: Any) -> None:
    """y (N, k) = x (N, m) Wᵀ + b, a few rows at a time, so that they stay in the cache [GS-1]."""
    for first in range(0, y.shape[0], AFFINE_ROWS):
        last = min(first + AFFINE_ROWS, y.shape[0])
        for row in range(first, last):
            for j in range(y.shape[1]):
                y[row, j] = bias[j]
        add_product(y[first:last], x[first:last], weight)


@functools.partial(jit, kept_as="add columns")
def add_columns(total: Any, rows: Any) -> None:
    """total (k,), in float64, += the rows (N, k), one after the other [BP-5]."""
    for row in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            total[j] += rows[row, j]


@functools.partial(jit, inlined=True)
def add_entries(target: Any, rows: Any) -> None:
    """target (B, W) += as many entries of a vector."""
    for b in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[b, j] += rows[b * target.shape[1] + j]


@functools.partial(jit, inlined=True)
def copy_entries(target: Any, rows: Any) -> None:
    """target = rows."""
    for b in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[b, j] = rows[b, j]


@functools.partial(jit, inlined=True)
def clear(target: Any) -> None:
    """target = 0."""
    for b in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[b, j] = 0


@functools.partial(jit, inlined=True)
def flush(value: Any, below: Any) -> Any:
    """Zero where the magnitude is under ``below`` (see cpu.py); NaN passes."""
    return type(value)(0) if abs(value) < below else value


def _gather(entries: list[str]) -> Callable[..., Any]:
    """Compiled: the values of unit j of sequence b, from the arrays x and y."""
    return jit(gathering("x, y, b, j", entries), inlined=True)


def _scatter(statements: list[str]) -> Callable[..., Any]:
    """Compiled: such a tuple put back."""
    return jit(scattering("x, y, b, j, values, below", statements, {"flush": flush}), inlined=True)
