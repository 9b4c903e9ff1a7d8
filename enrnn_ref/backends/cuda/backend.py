"""The CUDA backend: what runs on the device for each of a backend's tasks, and what crosses to it and back.

Arrays come from the host and go back to it. Within a call everything lies on the device; the matrices of a
:class:`Step` stay there for all calls of a pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.backends.base import (
    Backend,
    SequenceGradients,
    SequenceTape,
    States,
    Step,
    blocks,
    flush_below,
    state_room,
)
from enrnn_ref.backends.cuda.persistent import persistent_kernels
from enrnn_ref.backends.cuda.products import TILE, add_slices, products, sum_rows
from enrnn_ref.backends.cuda.rule import Limits, Plan, loop_of, plan
from enrnn_ref.backends.cuda.steps import add_product, add_rows, clear, step_kernels
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, require_device
from enrnn_ref.backends.cuda.units import units_of
from enrnn_ref.cells.base import Cell
from enrnn_ref.errors import BackendUnavailable

SQUARE = (2, 2) if SIMULATED else (32, 8)
"""Threads of a block, along the units and the sequences, where a thread has one entry of its own."""

SLICE_ROWS = 1024
"""Rows of a slice of time: enough to be worth a block, few enough to sum in the arrays' own dtype."""


class CudaBackend(Backend):
    """Numba on an NVIDIA GPU.

    Raises
    ------
    BackendUnavailable
        There is no device, no driver or no toolkit.
    """

    name = "cuda"

    def __init__(self) -> None:
        require_device()
        self.limits = _limits()

    def plan(self, cell: Cell, n: int, batch: int, dtype: Any, *, projected: bool = False) -> tuple[Plan, Plan]:
        """The forward and the backward loop's rung and shape for n units; ``str`` says it in words."""
        forward, backward = (
            plan(cell, loop_of(cell, n, batch, np.dtype(dtype), backwards=backwards), projected, self.limits)
            for backwards in (False, True)
        )
        return forward, backward

    def affine(self, x: Array, weight: Array, bias: Array | None, out: Array | None = None) -> Array:
        time, batch, m = x.shape
        y = np.empty((time, batch, len(weight)), x.dtype) if out is None else out
        result = cuda.device_array((1, time * batch, len(weight)), x.dtype)
        offset = np.zeros(0, x.dtype) if bias is None else bias
        grid = (_over(len(weight), TILE.side), _over(time * batch, TILE.side), 1)
        products(x.dtype).over_columns[grid, (TILE.threads, TILE.threads)](
            result, _device(x.reshape(1, -1, m)), _device(weight[np.newaxis]), _device(offset), 0
        )
        y[...] = result.copy_to_host().reshape(y.shape)
        return y

    def correlate(self, dz: Array, x: Array) -> Array:
        steps = max(1, SLICE_ROWS // dz.shape[1])
        parts = cuda.device_array((_over(len(dz), steps), dz.shape[2], x.shape[2]), dz.dtype)
        grid = (_over(x.shape[2], TILE.side), _over(dz.shape[2], TILE.side), len(parts))
        products(dz.dtype).over_time[grid, (TILE.threads, TILE.threads)](
            parts, _device(dz), _device(x), _device(np.zeros(0, dz.dtype)), steps
        )
        return _total(parts)

    def total(self, dz: Array) -> Array:
        steps = max(1, SLICE_ROWS // dz.shape[1])
        parts = cuda.device_array((_over(len(dz), steps), 1, dz.shape[2]), dz.dtype)
        sum_rows[_grid(dz.shape[2], len(parts)), SQUARE](parts, _device(dz), steps)
        total: Array = _total(parts)[0]
        return total

    def forward(self, cell: Cell, step: Step, tape: SequenceTape) -> None:
        on, units = _Operands.of(cell, step), units_of(cell)
        time, batch, n = len(tape.z), tape.z.shape[1], step.theta.shape[1]
        layout = units.layout
        z = _device(tape.z.reshape(time, batch, layout.gates, n))
        h, memory = (_device(part) for part in tape.states)
        shape, _ = self.plan(cell, n, batch, tape.z.dtype, projected=step.projection is not None)
        below = flush_below(tape.z)
        if shape.rung != "steps":
            kernels = persistent_kernels(units, tape.z.dtype, shape.threads, shape.held, shape.rung == "grid")
            _launch(kernels.forward, shape)(
                on.theta, z, h.reshape(time + 1, batch, layout.components, n), memory, on.matrix, on.where,
                shape.group, shape.staged, shape.count, shape.shares, below,
            )  # fmt: skip
        else:
            self._forward_steps(units_of(cell), step, on, z, h, memory, tape, below)
        tape.z[...] = z.copy_to_host().reshape(tape.z.shape)
        tape.states.h[...], tape.states.memory[...] = h.copy_to_host(), memory.copy_to_host()

    def _forward_steps(
        self, units: Any, step: Step, on: _Operands, z: Any, h: Any, memory: Any, tape: SequenceTape, below: Any
    ) -> None:
        time, batch, gates, n = z.shape
        kernels, flat = step_kernels(units), z.reshape(time, batch, gates * n)
        projected = step.projection is not None
        by_unit = _device(np.zeros((1, batch, 1, n), below.dtype)) if projected else h.reshape(time + 1, batch, -1, n)
        emitted = cuda.device_array((time, batch, 1, n), below.dtype) if projected else by_unit
        q = cuda.device_array((time, batch, n), below.dtype) if tape.relayed is not None else None
        every, grid = on.columns, _grid(n, batch)
        for t in range(time):
            seen, put = (0, t) if projected else (t, t + 1)
            if len(on.direct):
                add_product[_grid(len(on.direct), batch), SQUARE](flat, t, on.direct, on.matrix, h, t, every)  # [GS-2]
            if q is not None:
                kernels.relay[grid, SQUARE](on.theta, z, by_unit, seen, memory, q, t)
                add_product[_grid(len(on.relayed), batch), SQUARE](
                    flat, t, on.relayed, on.relay_matrix, q, t, on.units
                )  # [CO-2]
            kernels.step[grid, SQUARE](on.theta, z, by_unit, seen, memory, emitted, put, t, below)  # [GS-3]
            if projected:
                clear[_grid(h.shape[2], batch), SQUARE](h, t + 1)
                add_product[_grid(len(on.columns), batch), SQUARE](
                    h, t + 1, on.columns, on.projection, emitted.reshape(time, batch, n), t, on.units
                )  # [CO-3]
        if tape.emitted is not None:
            tape.emitted[...] = emitted.copy_to_host().reshape(tape.emitted.shape)
        if tape.relayed is not None:
            tape.relayed[...] = q.copy_to_host()

    def backward(
        self, cell: Cell, step: Step, tape: SequenceTape, dh: Array | None, dfinal: States
    ) -> SequenceGradients:
        on, units = _Operands.of(cell, step), units_of(cell)
        layout, dtype = units.layout, tape.z.dtype
        time, batch, n = len(tape.z), tape.z.shape[1], step.theta.shape[1]
        z = _device(tape.z.reshape(time, batch, layout.gates, n))
        h, memory = (_device(part) for part in tape.states)
        dh_t, dmemory = (_device(part) for part in dfinal)
        dz = cuda.device_array(z.shape, dtype)
        dtheta = _device(np.zeros((layout.parameters, batch, n), dtype))
        arriving = _device(np.zeros((0, *dfinal.h.shape), dtype) if dh is None else dh)
        _, shape = self.plan(cell, n, batch, dtype, projected=step.projection is not None)
        below, whole = flush_below(tape.z), None
        if shape.rung != "steps":
            kernels = persistent_kernels(units, dtype, shape.threads, shape.held, shape.rung == "grid")
            by_unit = (batch, layout.components, n)
            _launch(kernels.backward, shape)(
                on.theta, z, h.reshape(time + 1, *by_unit), memory, arriving.reshape(len(arriving), *by_unit),
                dh_t.reshape(by_unit), dmemory, dz, dtheta, on.transposed, on.where, shape.group, shape.staged,
                shape.count, shape.shares, below,
            )  # fmt: skip
        else:
            whole = self._backward_steps(units, step, on, z, h, memory, arriving, dh_t, dmemory, dz, dtheta, below)
        return SequenceGradients(
            dz.copy_to_host().reshape(tape.z.shape),
            States(dh_t.copy_to_host(), dmemory.copy_to_host()),
            dtheta.copy_to_host().sum(axis=1, dtype=np.float64),
            whole,
        )

    def _backward_steps(
        self, units: Any, step: Step, on: _Operands, z: Any, h: Any, memory: Any, dh: Any, dh_t: Any, dmemory: Any,
        dz: Any, dtheta: Any, below: Any,
    ) -> Array | None:  # fmt: skip
        """The reverse loop; the whole gradient of every h_t where there is a projection."""
        time, batch, gates, n = z.shape
        dtype, width = below.dtype, dh_t.shape[1]
        kernels, flat, grid = step_kernels(units), dz.reshape(time, batch, gates * n), _grid(n, batch)
        projected = step.projection is not None
        carried = dh_t.reshape(1, batch, width)
        if projected:
            whole = np.empty((time, batch, width), dtype)
            by_unit, dm = (_device(np.zeros((1, batch, 1, n), dtype)) for _ in range(2))
            arriving = dm.reshape(batch, 1, n)
        else:
            by_unit, arriving = h.reshape(time + 1, batch, -1, n), dh_t.reshape(batch, -1, n)
        dq = _device(np.zeros((1, batch, n), dtype))
        for t in reversed(range(time)):
            seen = 0 if projected else t
            if len(dh):
                add_rows[_grid(width, batch), SQUARE](dh_t, dh, t)  # [BP-1]
            if projected:
                whole[t] = dh_t.copy_to_host()
                add_product[grid, SQUARE](
                    dm.reshape(1, batch, n), 0, on.units, on.projection_transposed, carried, 0, on.columns
                )  # [CO-6]
                clear[_grid(width, batch), SQUARE](carried, 0)
            kernels.pullback[grid, SQUARE](
                on.theta, z, by_unit, seen, memory, arriving, dmemory, dz, dtheta, t, below
            )  # [BP-2]
            if units.layout.relayed:
                add_product[grid, SQUARE](dq, 0, on.units, on.relay_transposed, flat, t, on.relayed)  # [CO-5]
                kernels.relay_pullback[grid, SQUARE](
                    on.theta, z, by_unit, seen, memory, dq, arriving, dmemory, dz, dtheta, t, below
                )
            if len(on.direct):
                add_product[_grid(width, batch), SQUARE](
                    carried, 0, on.columns, on.transposed, flat, t, on.direct
                )  # [BP-3]
        return whole if projected else None

    def tangent(
        self, cell: Cell, step: Step, drive: Array, initial: States, dstep: Step, ddrive: Array, dinitial: States
    ) -> tuple[States, States]:
        on, don = _Operands.of(cell, step), _Operands.of(cell, dstep)
        units, dtype = units_of(cell), drive.dtype
        kernels, layout, below = step_kernels(units), units.layout, flush_below(drive)
        time, batch, n = len(drive), drive.shape[1], step.theta.shape[1]
        z, dz = (_device(part.reshape(time, batch, layout.gates, n)) for part in (drive, ddrive))
        flat, dflat = (part.reshape(time, batch, layout.gates * n) for part in (z, dz))
        (h, memory), (dh, dmemory) = (
            (_device(part) for part in state_room(start, time)) for start in (initial, dinitial)
        )
        projected = step.projection is not None
        if projected:
            by_unit, dby_unit, after, dafter = (_device(np.zeros((1, batch, 1, n), dtype)) for _ in range(4))
            m, dm = (part.reshape(1, batch, n) for part in (after, dafter))
        else:
            by_unit, dby_unit = (part.reshape(time + 1, batch, -1, n) for part in (h, dh))
            after, dafter = by_unit, dby_unit
        q, dq = (_device(np.zeros((1, batch, n), dtype)) for _ in range(2))
        grid = _grid(n, batch)

        def add(target: Any, at: int, rows: Any, terms: tuple[tuple[Any, Any], ...], since: int, columns: Any) -> None:
            for matrix, source in terms:
                add_product[_grid(len(rows), batch), SQUARE](target, at, rows, matrix, source, since, columns)

        for t in range(time):
            seen, put = (0, 0) if projected else (t, t + 1)
            if len(on.direct):
                add(flat, t, on.direct, ((on.matrix, h),), t, on.columns)
                add(dflat, t, on.direct, ((don.matrix, h), (on.matrix, dh)), t, on.columns)  # [TA-1]
            if layout.relayed:
                kernels.relay_tangent[grid, SQUARE](
                    on.theta, don.theta, z, dz, by_unit, dby_unit, seen, memory, dmemory, q, dq, t
                )
                add(flat, t, on.relayed, ((on.relay_matrix, q),), 0, on.units)
                add(dflat, t, on.relayed, ((don.relay_matrix, q), (on.relay_matrix, dq)), 0, on.units)
            kernels.tangent[grid, SQUARE](
                on.theta, don.theta, z, dz, by_unit, dby_unit, seen, memory, dmemory, after, dafter, put, t, below
            )  # [TA-2]
            if projected:
                for target, terms in (
                    (h, ((on.projection, m),)),
                    (dh, ((on.projection, dm), (don.projection, m))),
                ):
                    clear[_grid(h.shape[2], batch), SQUARE](target, t + 1)
                    for matrix, source in terms:
                        add_product[_grid(len(on.columns), batch), SQUARE](
                            target, t + 1, on.columns, matrix, source, 0, on.units
                        )
        found = [States(*(part.copy_to_host() for part in parts)) for parts in ((h, memory), (dh, dmemory))]
        return found[0], found[1]


class _Operands(NamedTuple):
    """A step's matrices on the device, and index arrays that say where their rows and columns belong.

    ``direct`` and ``relayed``: the columns of z for the rows of R that multiply h and q; ``where``: the gates of the
    former. ``columns``: 0, 1, … for h, ``units`` for n.
    """

    theta: Any
    matrix: Any
    transposed: Any
    relay_matrix: Any
    relay_transposed: Any
    projection: Any
    projection_transposed: Any
    direct: Any
    relayed: Any
    where: Any
    columns: Any
    units: Any

    @classmethod
    def of(cls, cell: Cell, step: Step) -> _Operands:
        """Those of a step, kept with it."""
        if "device" not in step.prepared:
            step.prepared["device"] = cls._made(cell, step)
        operands: _Operands = step.prepared["device"]
        return operands

    @classmethod
    def _made(cls, cell: Cell, step: Step) -> _Operands:
        n = step.theta.shape[1]
        direct, relay = blocks(cell, step.matrix)
        projection = np.empty((0, n), step.matrix.dtype) if step.projection is None else step.projection
        cut = len(cell.recurrent) - cell.relayed
        places = [gate * n + np.arange(n, dtype=np.int32) for gate in cell.recurrent]
        none = [np.empty(0, np.int32)]
        width = step.matrix.shape[1]
        arrays = (
            step.theta, direct, direct.T, relay, relay.T, projection, projection.T,
            np.concatenate(places[:cut] or none), np.concatenate(places[cut:] or none),
            np.array(cell.recurrent[:cut], np.int32), np.arange(width, dtype=np.int32), np.arange(n, dtype=np.int32),
        )  # fmt: skip
        return cls(*(_device(array) for array in arrays))


def _device(array: Array) -> Any:
    """A copy on the device."""
    return cuda.to_device(np.ascontiguousarray(array))


def _total(parts: Any) -> Array:
    """The sum of the slices, in float64 and in order."""
    total = _device(np.zeros(parts.shape[1:]))
    add_slices[_grid(parts.shape[2], parts.shape[1]), SQUARE](total, parts)
    found: Array = total.copy_to_host()
    return found


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


def _limits() -> Limits:
    if SIMULATED:
        return Limits(blocks=2, threads=24, shared=4096, registers=65536)
    device = cuda.get_current_device()
    return Limits(
        device.MULTIPROCESSOR_COUNT,
        device.MAX_THREADS_PER_BLOCK,
        device.MAX_SHARED_MEMORY_PER_BLOCK,
        device.MAX_REGISTERS_PER_BLOCK,
    )
