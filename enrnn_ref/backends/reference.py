"""The readable backend: the equations of derivations/ in NumPy, one line each. Runs in longdouble too."""

from __future__ import annotations

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.backends.base import Backend, SequenceGradients, SequenceTape, States, Step, blocks, state_room
from enrnn_ref.cells.base import Cell, Tuple


class ReferenceBackend(Backend):
    """Plain NumPy; it never imports the compiled backend."""

    name = "reference"
    longdouble = True

    def affine(self, x: Array, weight: Array, bias: Array | None, out: Array | None = None) -> Array:
        y: Array = np.matmul(x, weight.T, out=out)
        if bias is not None:
            y += bias
        return y

    def correlate(self, dz: Array, x: Array) -> Array:
        wide = np.result_type(dz.dtype, np.float64)
        return sum_outer(dz.astype(wide), x.astype(wide))

    def total(self, dz: Array) -> Array:
        wide = np.result_type(dz.dtype, np.float64)
        total: Array = np.sum(dz, axis=(0, 1), dtype=wide)
        return total

    def forward(self, cell: Cell, step: Step, tape: SequenceTape) -> None:
        states, z, emitted, relayed = tape.states, tape.z, tape.emitted, tape.relayed
        R, R_relayed = blocks(cell, step.matrix)
        for t in range(len(z)):
            z_t, before = _gates(cell, z[t]), _units(cell, step, states, t)
            _add(cell.recurrent, z_t, states.h[t] @ R.T)  # [GS-2]
            if relayed is not None:
                relayed[t] = cell.relay(z_t, before, tuple(step.theta))
                _add(cell.recurrent[-cell.relayed :], z_t, relayed[t] @ R_relayed.T)  # [CO-2]
            new = cell.step(z_t, before, tuple(step.theta))  # [GS-3]
            m = np.concatenate(new[: cell.output_components], axis=1)
            if emitted is not None:
                emitted[t] = m
            states.h[t + 1] = m if step.projection is None else m @ step.projection.T  # [CO-3]
            states.memory[t + 1] = _stacked(new[cell.output_components :], states.memory[t])

    def backward(
        self, cell: Cell, step: Step, tape: SequenceTape, dh: Array | None, dfinal: States
    ) -> SequenceGradients:
        z, theta, out = tape.z, tuple(step.theta), cell.output_components
        wide = np.result_type(z.dtype, np.float64)
        dz = np.empty_like(z)
        dtheta = np.zeros(step.theta.shape, wide)
        whole = None if step.projection is None else np.empty((len(z), *dfinal.h.shape), z.dtype)
        dh_t, dmemory = dfinal.h.copy(), dfinal.memory.copy()
        R, R_relayed = blocks(cell, step.matrix)
        for t in reversed(range(len(z))):
            z_t, before = _gates(cell, z[t]), _units(cell, step, tape.states, t)
            if dh is not None:
                dh_t += dh[t]  # [BP-1]
            if whole is not None:
                whole[t] = dh_t
            dm = dh_t if step.projection is None else dh_t @ step.projection  # [CO-6]
            dnew = (*_parts(dm, out), *dmemory)
            dz_t, direct, dtheta_t = cell.pullback(z_t, before, theta, dnew)  # [BP-2]
            contributions = [dtheta_t]
            if cell.relayed:
                dq = _take(cell.recurrent[-cell.relayed :], dz_t) @ R_relayed  # [CO-5]
                dz_relay, direct_relay, dtheta_relay = cell.relay_pullback(z_t, before, theta, dq)
                dz_t = tuple(a + b for a, b in zip(dz_t, dz_relay, strict=True))
                direct = tuple(a + b for a, b in zip(direct, direct_relay, strict=True))
                contributions.append(dtheta_relay)
            dz[t] = np.concatenate(dz_t, axis=1)
            dh_t = _take(cell.recurrent[: len(cell.recurrent) - cell.relayed], dz_t) @ R  # [BP-3]
            if step.projection is None:
                dh_t += np.concatenate(direct[:out], axis=1)
            dmemory = _stacked(direct[out:], dmemory)
            for contribution in contributions:
                for c, of_units in enumerate(contribution):
                    dtheta[c] += of_units.sum(axis=0, dtype=wide)
        return SequenceGradients(dz, States(dh_t, dmemory), dtheta, whole)

    def tangent(
        self, cell: Cell, step: Step, drive: Array, initial: States, dstep: Step, ddrive: Array, dinitial: States
    ) -> tuple[States, States]:
        time, out = len(drive), cell.output_components
        theta, dtheta = tuple(step.theta), tuple(dstep.theta)
        states, dstates = state_room(self, initial, time), state_room(self, dinitial, time)
        (R, R_relayed), (dR, dR_relayed) = blocks(cell, step.matrix), blocks(cell, dstep.matrix)
        for t in range(time):
            z, dz = _gates(cell, drive[t].copy()), _gates(cell, ddrive[t].copy())
            before, dbefore = _units(cell, step, states, t), _units(cell, step, dstates, t)
            h, dh = states.h[t], dstates.h[t]
            _add(cell.recurrent, z, h @ R.T)
            _add(cell.recurrent, dz, h @ dR.T + dh @ R.T)  # [TA-1]
            if cell.relayed:
                gates = cell.recurrent[-cell.relayed :]
                q = cell.relay(z, before, theta)
                dq = cell.relay_tangent(z, before, theta, dz, dbefore, dtheta)
                _add(gates, z, q @ R_relayed.T)
                _add(gates, dz, q @ dR_relayed.T + dq @ R_relayed.T)
            new = cell.step(z, before, theta)
            dnew = cell.tangent(z, before, theta, dz, dbefore, dtheta)  # [TA-2]
            m, dm = (np.concatenate(values[:out], axis=1) for values in (new, dnew))
            if step.projection is None or dstep.projection is None:
                states.h[t + 1], dstates.h[t + 1] = m, dm
            else:
                states.h[t + 1] = m @ step.projection.T
                dstates.h[t + 1] = dm @ step.projection.T + m @ dstep.projection.T
            states.memory[t + 1] = _stacked(new[out:], states.memory[t])
            dstates.memory[t + 1] = _stacked(dnew[out:], dstates.memory[t])
        return states, dstates


def sum_outer(left: Array, right: Array) -> Array:
    """Σ left_tb right_tbᵀ over the two leading axes."""
    product: Array = left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])
    return product


def _gates(cell: Cell, z: Array) -> Tuple:
    """(B, G·n) → G views (B, n)."""
    return _parts(z, cell.gates)


def _parts(array: Array, count: int) -> Tuple:
    """(B, count·n) → views (B, n). At these sizes ``np.split`` takes longer than what is done with its result."""
    n = array.shape[1] // count
    return tuple(array[:, k * n : (k + 1) * n] for k in range(count))


def _add(gates: tuple[int, ...], z: Tuple, product: Array) -> None:
    """Block k of a product to the gate that takes it, in place; blocks may be fewer than gates."""
    n = z[0].shape[1]
    for k in range(product.shape[1] // n):
        z[gates[k]][...] += product[:, k * n : (k + 1) * n]


def _take(gates: tuple[int, ...], dz: Tuple) -> Array:
    """The inverse of :func:`_add`: the gradients of the products, side by side."""
    return np.concatenate([dz[g] for g in gates], axis=1) if gates else np.empty((len(dz[0]), 0), dz[0].dtype)


def _units(cell: Cell, step: Step, states: States, t: int) -> Tuple:
    """All components of the states at t, (B, n) each. Behind a projection the cell has no old output to look at."""
    if step.projection is None:
        return (*_parts(states.h[t], cell.output_components), *states.memory[t])
    unseen = np.zeros((states.h.shape[1], step.projection.shape[1]), states.h.dtype)
    return (unseen, *states.memory[t])


def _stacked(arrays: Tuple, like: Array) -> Array:
    return np.stack(arrays) if arrays else like
