"""The CUDA backend: what crosses to the device and back. What runs there is in loops.py.

Arrays come from the host and go back to it. Within a call everything lies on the device; the matrices of a
:class:`Step` stay there for all calls of a pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.backends.base import (
    Backend,
    SequenceGradients,
    SequenceTape,
    States,
    Step,
    flush_below,
    state_room,
)
from enrnn_ref.backends.cuda import loops
from enrnn_ref.backends.cuda.loops import Carried, DeviceTape
from enrnn_ref.backends.cuda.operands import Operands, on_device, zeros
from enrnn_ref.backends.cuda.rule import Limits, Plan, loop_of, plan
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, device_errors, require_device
from enrnn_ref.backends.cuda.units import units_of
from enrnn_ref.cells.base import Cell


class CudaBackend(Backend):
    """Numba on an NVIDIA GPU.

    Raises
    ------
    BackendUnavailable
        There is no device, no driver or no toolkit.
    DeviceError
        In any of its passes: the device's memory ran out, a block found no room on it, or it was lost.
    """

    name = "cuda"
    blocked = False  # no cache holds a block of time, and every launch costs

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

    @device_errors()
    def affine(self, x: Array, weight: Array, bias: Array | None, out: Array | None = None) -> Array:
        time, batch, m = x.shape
        y = np.empty((time, batch, len(weight)), x.dtype) if out is None else out
        result = cuda.device_array((1, time * batch, len(weight)), x.dtype)
        offset = zeros((0,), x.dtype) if bias is None else on_device(bias)
        loops.affine(result, on_device(x.reshape(1, -1, m)), on_device(weight[np.newaxis]), offset)
        y[...] = result.copy_to_host().reshape(y.shape)
        return y

    @device_errors()
    def correlate(self, dz: Array, x: Array) -> Array:
        found: Array = loops.correlate(on_device(dz), on_device(x)).copy_to_host()
        return found

    @device_errors()
    def total(self, dz: Array) -> Array:
        found: Array = loops.total(on_device(dz)).copy_to_host()[0]
        return found

    @device_errors()
    def forward(self, cell: Cell, step: Step, tape: SequenceTape) -> None:
        on, held = Operands.of(cell, step), _tape(cell, step, tape)
        batch, n = held.z.shape[1], held.z.shape[3]
        shape, _ = self.plan(cell, n, batch, tape.z.dtype, projected=on.projected)
        loops.forward(units_of(cell), on, shape, held, flush_below(tape.z))
        here = (tape.z, *tape.states, tape.emitted, tape.relayed)
        for array, there in zip(here, held, strict=True):
            if array is not None:
                array[...] = there.copy_to_host().reshape(array.shape)

    @device_errors()
    def backward(
        self, cell: Cell, step: Step, tape: SequenceTape, dh: Array | None, dfinal: States
    ) -> SequenceGradients:
        on, held, units = Operands.of(cell, step), _tape(cell, step, tape), units_of(cell)
        _, batch, _, n = held.z.shape
        dtype = tape.z.dtype
        dtheta = zeros((units.layout.parameters, batch, n), dtype)
        carried = Carried(on_device(dfinal.h), on_device(dfinal.memory), dtheta)
        direct = zeros((0, *dfinal.h.shape), dtype) if dh is None else on_device(dh)
        dz = cuda.device_array(held.z.shape, dtype)
        _, shape = self.plan(cell, n, batch, dtype, projected=on.projected)
        whole = loops.backward(units, on, shape, held, direct, carried, dz, flush_below(tape.z))
        return SequenceGradients(
            dz.copy_to_host().reshape(tape.z.shape),
            States(carried.dh.copy_to_host(), carried.dmemory.copy_to_host()),
            carried.dtheta.copy_to_host().sum(axis=1, dtype=np.float64),
            None if whole is None else whole.copy_to_host(),
        )

    @device_errors()
    def tangent(
        self, cell: Cell, step: Step, drive: Array, initial: States, dstep: Step, ddrive: Array, dinitial: States
    ) -> tuple[States, States]:
        on, don, units = Operands.of(cell, step), Operands.of(cell, dstep), units_of(cell)
        z, dz = (on_device(_by_gate(cell, step, part)) for part in (drive, ddrive))
        states, dstates = (States(*map(on_device, state_room(start, len(drive)))) for start in (initial, dinitial))
        loops.tangent(units, on, don, z, dz, states, dstates, flush_below(drive))
        return _on_host(states), _on_host(dstates)


def _on_host(states: Any) -> States:
    return States(*(part.copy_to_host() for part in states))


def _tape(cell: Cell, step: Step, tape: SequenceTape) -> DeviceTape:
    """A tape on the device: what it holds, and room for the rest."""
    time, batch, n = len(tape.z), tape.z.shape[1], step.theta.shape[1]
    emitted, relayed = (
        None if part is None else cuda.device_array(shape, tape.z.dtype)
        for part, shape in ((tape.emitted, (time, batch, 1, n)), (tape.relayed, (time, batch, n)))
    )
    z, h, memory = (on_device(part) for part in (_by_gate(cell, step, tape.z), *tape.states))
    return DeviceTape(z, h, memory, emitted, relayed)


def _by_gate(cell: Cell, step: Step, z: Array) -> Array:
    """z (T, B, G·n) as (T, B, G, n)."""
    return z.reshape(*z.shape[:2], cell.gates, step.theta.shape[1])


def _limits() -> Limits:
    """Of the device; of the simulator few threads, each of which is one of the operating system."""
    if SIMULATED:
        return Limits(blocks=2, threads=24, shared=4096, registers=65536)
    device = cuda.get_current_device()
    return Limits(
        device.MULTIPROCESSOR_COUNT,
        device.MAX_THREADS_PER_BLOCK,
        device.MAX_SHARED_MEMORY_PER_BLOCK,
        device.MAX_REGISTERS_PER_BLOCK,
    )
