"""First rung: one thread for every unit of every sequence, one launch for every piece of a time step.

The plainest form of the three loops, for cells and sizes of every kind. A launch ends when all its threads have ended,
so each reads what the one before has written, and the loop over time is the host's. What it costs is on the host's side
too: two launches a step forward, and between them nothing stays in a register.

Legend: see units.py. Matrices are as the product takes them, R for the forward loop and Rᵀ for the backward one.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from enrnn_ref.backends.cuda.target import cuda, kernel
from enrnn_ref.backends.cuda.units import Units


class StepKernels(NamedTuple):
    """Pieces of a time step; each takes the whole arrays and the time."""

    relay: Any
    step: Any
    pullback: Any
    relay_pullback: Any
    relay_tangent: Any
    tangent: Any


@kernel
def add_product(target: Any, at: int, rows: Any, matrix: Any, source: Any, since: int, columns: Any) -> None:
    """target[at, b, rows[i]] += Σ_k matrix[i, k] source[since, b, columns[k]], a thread for each b and i."""
    i, b = cuda.grid(2)
    if i < matrix.shape[0] and b < target.shape[1]:
        total = target[at, b, rows[i]]
        for k in range(matrix.shape[1]):
            total += matrix[i, k] * source[since, b, columns[k]]
        target[at, b, rows[i]] = total


@kernel
def add_rows(target: Any, rows: Any, t: int) -> None:
    """target (B, W) += rows[t] [BP-1]."""
    j, b = cuda.grid(2)
    if j < target.shape[1] and b < target.shape[0]:
        target[b, j] += rows[t, b, j]


@kernel
def keep_rows(whole: Any, rows: Any, t: int) -> None:
    """whole[t] = rows (B, W)."""
    j, b = cuda.grid(2)
    if j < rows.shape[1] and b < rows.shape[0]:
        whole[t, b, j] = rows[b, j]


@kernel
def clear_rows(target: Any, t: int) -> None:
    """target[t] = 0."""
    j, b = cuda.grid(2)
    if j < target.shape[2] and b < target.shape[1]:
        target[t, b, j] = type(target[t, b, j])(0)


@functools.cache
def step_kernels(units: Units) -> StepKernels:
    """The pieces of a time step of one cell."""
    gates, states, theta_of, dtheta_of = units.gates, units.states, units.theta, units.dtheta
    arriving = units.arriving
    set_gates, add_gates, set_states = units.set_gates, units.add_gates, units.set_states
    set_arriving, add_arriving, add_theta = units.set_arriving, units.add_arriving, units.add_theta
    unit_relay, unit_relay_pullback, unit_relay_tangent = units.relay, units.relay_pullback, units.relay_tangent
    unit_step, unit_pullback, unit_tangent = units.step, units.pullback, units.tangent

    @kernel
    def relay(theta: Any, settings: Any, z: Any, h: Any, seen: int, memory: Any, q: Any, t: int) -> None:
        """q_t, what the second product of a step multiplies [CO-2]; the old output is that of h at ``seen``."""
        j, b = cuda.grid(2)
        if j < z.shape[3] and b < z.shape[1]:
            q[t, b, j] = unit_relay(gates(z, t, b, j), states(h, seen, memory, t, b, j), theta_of(theta, settings, j))

    @kernel
    def step(
        theta: Any, settings: Any, z: Any, h: Any, seen: int, memory: Any, after: Any, put: int, t: int, below: Any
    ) -> None:
        """The new output, to ``after`` at ``put``, and the other states at t + 1 [GS-3]."""
        j, b = cuda.grid(2)
        if j < z.shape[3] and b < z.shape[1]:
            values = unit_step(gates(z, t, b, j), states(h, seen, memory, t, b, j), theta_of(theta, settings, j))
            set_states(after, put, memory, t + 1, b, j, values, below)

    @kernel
    def pullback(
        theta: Any, settings: Any, z: Any, h: Any, seen: int, memory: Any, dh: Any, dmemory: Any, dz: Any, dtheta: Any,
        t: int, below: Any,
    ) -> None:  # fmt: skip
        """dz_t; the gradients of the states become those on the direct path [BP-2]."""
        j, b = cuda.grid(2)
        if j < z.shape[3] and b < z.shape[1]:
            dz_j, direct, dtheta_j = unit_pullback(
                gates(z, t, b, j),
                states(h, seen, memory, t, b, j),
                theta_of(theta, settings, j),
                arriving(dh, dmemory, b, j),
            )
            set_gates(dz, t, b, j, dz_j, below)
            set_arriving(dh, dmemory, b, j, direct, below)
            add_theta(dtheta, b, j, dtheta_j, below)

    @kernel
    def relay_pullback(
        theta: Any, settings: Any, z: Any, h: Any, seen: int, memory: Any, dq: Any, dh: Any, dmemory: Any, dz: Any,
        dtheta: Any, t: int, below: Any,
    ) -> None:  # fmt: skip
        """What arrives by way of q, which is then zero again for the next product [CO-5]."""
        j, b = cuda.grid(2)
        if j < z.shape[3] and b < z.shape[1]:
            dz_j, direct, dtheta_j = unit_relay_pullback(
                gates(z, t, b, j), states(h, seen, memory, t, b, j), theta_of(theta, settings, j), dq[0, b, j]
            )
            add_gates(dz, t, b, j, dz_j, below)
            add_arriving(dh, dmemory, b, j, direct, below)
            add_theta(dtheta, b, j, dtheta_j, below)
            dq[0, b, j] = type(dq[0, b, j])(0)

    @kernel
    def relay_tangent(
        theta: Any, settings: Any, dtheta: Any, z: Any, dz: Any, h: Any, dh: Any, seen: int, memory: Any, dmemory: Any,
        q: Any, dq: Any, t: int,
    ) -> None:  # fmt: skip
        """q_t and its derivative, which have no axis of time."""
        j, b = cuda.grid(2)
        if j < z.shape[3] and b < z.shape[1]:
            z_j, states_j, theta_j = gates(z, t, b, j), states(h, seen, memory, t, b, j), theta_of(theta, settings, j)
            q[0, b, j] = unit_relay(z_j, states_j, theta_j)
            dq[0, b, j] = unit_relay_tangent(
                z_j, states_j, theta_j, gates(dz, t, b, j), states(dh, seen, dmemory, t, b, j), dtheta_of(dtheta, j)
            )

    @kernel
    def tangent(
        theta: Any, settings: Any, dtheta: Any, z: Any, dz: Any, h: Any, dh: Any, seen: int, memory: Any, dmemory: Any,
        after: Any, dafter: Any, put: int, t: int, below: Any,
    ) -> None:  # fmt: skip
        """The new states and their derivatives [TA-2]."""
        j, b = cuda.grid(2)
        if j < z.shape[3] and b < z.shape[1]:
            z_j, states_j, theta_j = gates(z, t, b, j), states(h, seen, memory, t, b, j), theta_of(theta, settings, j)
            along = unit_tangent(
                z_j, states_j, theta_j, gates(dz, t, b, j), states(dh, seen, dmemory, t, b, j), dtheta_of(dtheta, j)
            )
            set_states(after, put, memory, t + 1, b, j, unit_step(z_j, states_j, theta_j), below)
            set_states(dafter, put, dmemory, t + 1, b, j, along, below)

    return StepKernels(relay, step, pullback, relay_pullback, relay_tangent, tangent)
