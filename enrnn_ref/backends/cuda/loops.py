"""The passes over arrays that lie on the device: which kernels are launched, in what order and shape.

Legend: see units.py. h is (T+1, B, W) here, W = C n or the projection's width.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.backends.cuda.arrays import zeros
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.operands import Operands
from enrnn_ref.backends.cuda.persistent import persistent_kernels
from enrnn_ref.backends.cuda.products import TILE, add_slices, products, sum_rows
from enrnn_ref.backends.cuda.rule import Plan
from enrnn_ref.backends.cuda.steps import add_product, add_rows, clear_rows, keep_rows, step_kernels
from enrnn_ref.backends.cuda.target import SIMULATED, view_of
from enrnn_ref.backends.cuda.units import Units
from enrnn_ref.errors import BackendUnavailable

SQUARE = (2, 2) if SIMULATED else (32, 8)
"""Threads of a block, along the units and the sequences, where a thread has one entry of its own."""

SLICE_ROWS = 1024
"""Rows of a slice of time: enough to be worth a block, few enough to sum in the arrays' own dtype."""


class DeviceTape(NamedTuple):
    """A :class:`SequenceTape` on the device: z (T, B, G, n), ``emitted`` (T, B, 1, n), ``relayed`` (T, B, n)."""

    z: Any
    h: Any
    memory: Any
    emitted: Any | None
    relayed: Any | None


class Carried(NamedTuple):
    """What the reverse loop carries and changes: dh_t (B, W), dmemory (M, B, n), dtheta (P, B, n), to which it adds."""

    dh: Any
    dmemory: Any
    dtheta: Any


def forward(units: Units, on: Operands, shape: Plan, tape: DeviceTape, below: Any) -> None:
    """The recurrence over a tape that holds the drive and the initial states [GS-2] [GS-3]."""
    if shape.rung == "steps":
        _forward_by_steps(units, on, tape, below)
        return
    kernels = persistent_kernels(units, below.dtype, shape.threads, shape.held, shape.rung == "grid")
    _launch(kernels.forward, shape)(
        on.theta, on.settings, tape.z, _by_unit(tape), tape.memory, on.matrix, on.where,
        shape.group, shape.staged, shape.count, shape.shares, below,
    )  # fmt: skip


def backward(
    units: Units, on: Operands, shape: Plan, tape: DeviceTape, dh: Any, carried: Carried, dz: Any, below: Any
) -> Any | None:
    """The reverse loop [BP-1] [BP-2] [BP-3]; returns the whole gradient of every h_t where there is a projection.

    ``dh`` (T, B, W), or (0, B, W) for none; dz (T, B, G, n) is written.
    """
    if shape.rung == "steps":
        return _backward_by_steps(units, on, tape, dh, carried, dz, below)
    batch, n = tape.z.shape[1], tape.z.shape[3]
    kernels = persistent_kernels(units, below.dtype, shape.threads, shape.held, shape.rung == "grid")
    _launch(kernels.backward, shape)(
        on.theta, on.settings, tape.z, _by_unit(tape), tape.memory,
        dh.reshape(len(dh), batch, units.layout.components, n),
        carried.dh.reshape(batch, -1, n), carried.dmemory, dz, carried.dtheta, on.transposed, on.where,
        shape.group, shape.staged, shape.count, shape.shares, below,
    )  # fmt: skip
    return None


def _forward_by_steps(units: Units, on: Operands, tape: DeviceTape, below: Any) -> None:
    time, batch, gates, n = tape.z.shape
    z, h, memory, emitted, q = tape
    kernels, flat, grid = step_kernels(units), z.reshape(time, batch, gates * n), _grid(n, batch)
    seen_h = zeros((1, batch, 1, n), below.dtype) if on.projected else _by_unit(tape)
    after = seen_h if emitted is None else emitted
    for t in range(time):
        seen, put = (0, t) if on.projected else (t, t + 1)
        _add(flat, t, on.direct, on.matrix, h, t, on.columns)  # [GS-2]
        if units.layout.relayed:
            kernels.relay[grid, SQUARE](on.theta, on.settings, z, seen_h, seen, memory, q, t)
            _add(flat, t, on.relayed, on.relay_matrix, q, t, on.units)  # [CO-2]
        kernels.step[grid, SQUARE](on.theta, on.settings, z, seen_h, seen, memory, after, put, t, below)  # [GS-3]
        if on.projected:
            clear_rows[_grid(h.shape[2], batch), SQUARE](h, t + 1)
            _add(h, t + 1, on.columns, on.projection, after.reshape(time, batch, n), t, on.units)  # [CO-3]


def _backward_by_steps(
    units: Units, on: Operands, tape: DeviceTape, dh: Any, carried: Carried, dz: Any, below: Any
) -> Any | None:
    time, batch, gates, n = tape.z.shape
    z, _, memory, _, _ = tape
    width, dtype = carried.dh.shape[1], below.dtype
    kernels, flat, grid = step_kernels(units), dz.reshape(time, batch, gates * n), _grid(n, batch)
    dh_t, dq, whole = carried.dh.reshape(1, batch, width), zeros((1, batch, n), dtype), None
    if on.projected:
        whole = device_array((time, batch, width), dtype)
        seen_h, dm = zeros((1, batch, 1, n), dtype), zeros((1, batch, n), dtype)
        arriving = dm.reshape(batch, 1, n)
    else:
        seen_h, arriving = _by_unit(tape), carried.dh.reshape(batch, -1, n)
    for t in reversed(range(time)):
        seen = 0 if on.projected else t
        if len(dh):
            add_rows[_grid(width, batch), SQUARE](carried.dh, dh, t)  # [BP-1]
        if on.projected:
            keep_rows[_grid(width, batch), SQUARE](whole, carried.dh, t)
            _add(dm, 0, on.units, on.projection_transposed, dh_t, 0, on.columns)  # [CO-6]
            clear_rows[_grid(width, batch), SQUARE](dh_t, 0)
        kernels.pullback[grid, SQUARE](
            on.theta, on.settings, z, seen_h, seen, memory, arriving, carried.dmemory, dz, carried.dtheta, t, below
        )  # [BP-2]
        if units.layout.relayed:
            _add(dq, 0, on.units, on.relay_transposed, flat, t, on.relayed)  # [CO-5]
            kernels.relay_pullback[grid, SQUARE](
                on.theta,
                on.settings,
                z,
                seen_h,
                seen,
                memory,
                dq,
                arriving,
                carried.dmemory,
                dz,
                carried.dtheta,
                t,
                below,
            )
        _add(dh_t, 0, on.columns, on.transposed, flat, t, on.direct)  # [BP-3]
    return whole


def tangent(
    units: Units, on: Operands, don: Operands, z: Any, dz: Any, states: tuple[Any, Any], dstates: tuple[Any, Any],
    below: Any,
) -> None:  # fmt: skip
    """Forward mode [TA-1] [TA-2], on the first rung: the states (h, memory) and their derivatives, in place."""
    time, batch, gates, n = z.shape
    (h, memory), (dh, dmemory) = states, dstates
    kernels, grid, dtype = step_kernels(units), _grid(n, batch), below.dtype
    flat, dflat = (part.reshape(time, batch, gates * n) for part in (z, dz))
    q, dq = (zeros((1, batch, n), dtype) for _ in range(2))
    if on.projected:
        seen_h, seen_dh, after, dafter = (zeros((1, batch, 1, n), dtype) for _ in range(4))
        m, dm = (part.reshape(1, batch, n) for part in (after, dafter))
    else:
        seen_h, seen_dh = after, dafter = tuple(part.reshape(time + 1, batch, -1, n) for part in (h, dh))
    for t in range(time):
        seen, put = (0, 0) if on.projected else (t, t + 1)
        _add(flat, t, on.direct, on.matrix, h, t, on.columns)
        _add(dflat, t, on.direct, don.matrix, h, t, on.columns)  # [TA-1]
        _add(dflat, t, on.direct, on.matrix, dh, t, on.columns)
        if units.layout.relayed:
            kernels.relay_tangent[grid, SQUARE](
                on.theta, on.settings, don.theta, z, dz, seen_h, seen_dh, seen, memory, dmemory, q, dq, t
            )
            _add(flat, t, on.relayed, on.relay_matrix, q, 0, on.units)
            _add(dflat, t, on.relayed, don.relay_matrix, q, 0, on.units)
            _add(dflat, t, on.relayed, on.relay_matrix, dq, 0, on.units)
        kernels.tangent[grid, SQUARE](
            on.theta,
            on.settings,
            don.theta,
            z,
            dz,
            seen_h,
            seen_dh,
            seen,
            memory,
            dmemory,
            after,
            dafter,
            put,
            t,
            below,
        )  # [TA-2]
        if on.projected:
            clear_rows[_grid(h.shape[2], batch), SQUARE](h, t + 1)
            clear_rows[_grid(h.shape[2], batch), SQUARE](dh, t + 1)
            _add(h, t + 1, on.columns, on.projection, m, 0, on.units)
            _add(dh, t + 1, on.columns, on.projection, dm, 0, on.units)
            _add(dh, t + 1, on.columns, don.projection, m, 0, on.units)


def affine(result: Any, x: Any, weight: Any, bias: Any) -> None:
    """result (T, B, k) = x (T, B, m) weight (1, k, m)ᵀ + bias (k,), or none of length 0 [GS-1]."""
    rows = result.shape[0] * result.shape[1]
    grid = (_over(rows, TILE.side), _over(result.shape[2], TILE.side), 1)  # x: only it may be millions
    products(x.dtype).over_columns[grid, (TILE.threads, TILE.threads)](result, x, weight, bias, 0)


def correlate(dz: Any, x: Any) -> Any:
    """Σ dz_t x_tᵀ over times and sequences, (T, B, k), (T, B, m) → (k, m) in float64 [BP-4] [BP-5]."""
    steps = max(1, SLICE_ROWS // dz.shape[1])
    parts = device_array((_over(len(dz), steps), dz.shape[2], x.shape[2]), dz.dtype)
    grid = (_over(dz.shape[2], TILE.side), _over(x.shape[2], TILE.side), len(parts))
    products(dz.dtype).over_time[grid, (TILE.threads, TILE.threads)](parts, dz, x, zeros((0,), dz.dtype), steps)
    return _total(parts)


def total(dz: Any) -> Any:
    """Σ dz_t over times and sequences, (T, B, k) → (1, k) in float64 [BP-5]."""
    steps = max(1, SLICE_ROWS // dz.shape[1])
    parts = device_array((_over(len(dz), steps), 1, dz.shape[2]), dz.dtype)
    sum_rows[_grid(dz.shape[2], len(parts)), SQUARE](parts, dz, steps)
    return _total(parts)


def total_of_each(dtheta: Any) -> Any:
    """Σ over sequences, (P, B, n) → (P, n) in float64."""
    parameters, batch, n = dtheta.shape
    if not parameters:
        return device_array((0, n), np.float64)
    of_parameter, of_sequence, of_unit = dtheta.strides
    return _total(view_of(dtheta, 0, (batch, parameters, n), (of_sequence, of_parameter, of_unit)))


def _total(parts: Any) -> Any:
    """The sum of the slices, in float64 and in order."""
    found = device_array(parts.shape[1:], np.float64)
    add_slices[_grid(parts.shape[2], parts.shape[1]), SQUARE](found, parts)
    return found


def _add(target: Any, at: int, rows: Any, matrix: Any, source: Any, since: int, columns: Any) -> None:
    """One product of a step; nothing, where the matrix has no rows."""
    if len(rows) and len(columns):
        add_product[_grid(len(rows), target.shape[1]), SQUARE](target, at, rows, matrix, source, since, columns)


def _by_unit(tape: DeviceTape) -> Any:
    """h as (T+1, B, C, n)."""
    time, batch, _, n = tape.z.shape
    return tape.h.reshape(time + 1, batch, -1, n)


def _over(length: int, side: int) -> int:
    """Blocks of ``side`` that cover ``length``."""
    return -(-length // side)


def _grid(units: int, sequences: int) -> tuple[int, int]:
    return _over(units, SQUARE[0]), _over(sequences, SQUARE[1])


def _launch(kernel: Any, shape: Plan) -> Any:
    """The kernel in its shape, ready to be called.

    Raises
    ------
    BackendUnavailable
        Blocks would have to meet on the simulator, which runs one after the other: the result would be wrong.
    """
    if SIMULATED and shape.rung == "grid" and shape.grid != (1, 1):
        raise BackendUnavailable(
            f"backend 'cuda' runs on the simulator, whose blocks cannot meet, and rung 'grid' needs {shape.grid} of "
            "them; expected a GPU, or sizes for one block."
        )
    return kernel[shape.grid, shape.threads, 0, shape.shared]
