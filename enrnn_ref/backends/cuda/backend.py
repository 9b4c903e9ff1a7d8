"""The CUDA backend: its arrays, and what the passes are called with. What runs on the device is in loops.py.

Arrays lie on the device, where ``take`` brings them, and stay there until they are asked for: a tape from its forward
pass to its last backward pass, with the weights of both. A process has one device, and one context on it: what does not
change, such as where the gates stand, is brought once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import FLOATS, Array
from enrnn_ref.backends.base import (
    Backend,
    SequenceGradients,
    SequenceTape,
    States,
    Step,
    flush_below,
    state_room,
)
from enrnn_ref.backends.cuda import arrays, entrywise, loops
from enrnn_ref.backends.cuda.algebra import DEVICE
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.crossing import Later
from enrnn_ref.backends.cuda.loops import Carried, DeviceTape
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.norm import limited, norm
from enrnn_ref.backends.cuda.operands import Operands
from enrnn_ref.backends.cuda.rule import Limits, Plan, loop_of, plan
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, device_errors, require_device
from enrnn_ref.backends.cuda.units import units_of
from enrnn_ref.backends.entrywise import Entrywise, Found
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
    ahead = True

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

    def adopt(self, array: object) -> Any:
        return DEVICE.adopt(array)

    def owns(self, array: object) -> bool:
        return isinstance(array, DeviceArray) and array.contiguous and array.dtype in FLOATS

    @device_errors()
    def take(self, array: Array) -> Any:
        return DeviceArray(arrays.to_device(array))

    @device_errors()
    def give(self, array: Any) -> Array:
        found: Array = array.copy_to_host()
        return found

    @device_errors()
    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
        return DeviceArray(device_array(shape, dtype))

    @device_errors()
    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
        return DeviceArray(arrays.zeros(shape, dtype))

    @device_errors()
    def full(self, shape: tuple[int, ...], value: float, dtype: npt.DTypeLike) -> Any:
        found = self.empty(shape, dtype)
        arrays.fill(found.data, value)
        return found

    @device_errors()
    def clear(self, target: Any) -> None:
        arrays.clear(target.data)

    @device_errors()
    def copy(self, target: Any, source: Any) -> None:
        arrays.copy(target.data, source.data)

    @device_errors()
    def add(self, target: Any, term: Any) -> None:
        arrays.add(target.data, term.data)

    @device_errors()
    def copies(self, named: Mapping[str, Any], dtype: npt.DTypeLike) -> dict[str, Any]:
        return dict(zip(named, arrays.copies(list(named.values()), dtype), strict=True))

    def joined(self, parts: Sequence[Any], axis: int = 0) -> Any:
        lengths = [part.shape[axis] for part in parts]
        before, after = parts[0].shape[:axis], parts[0].shape[axis + 1 :]
        whole = self.empty((*before, sum(lengths), *after), parts[0].dtype)
        for part, end, length in zip(parts, itertools.accumulate(lengths), lengths, strict=True):
            self.copy(whole[(*[slice(None)] * axis, slice(end - length, end))], part)
        return whole

    @device_errors()
    def reversed(self, sequence: Any) -> Any:
        found = self.empty(sequence.shape, sequence.dtype)
        arrays.reverse(found.data, sequence.data)
        return found

    @device_errors()
    def entrywise(self, tasks: Sequence[Entrywise]) -> Found:
        return entrywise.over_all(tasks)

    @device_errors()
    def later(self, number: Any) -> Callable[[], float]:
        if not isinstance(number, DeviceArray):
            return super().later(number)
        later = Later(number)
        return lambda: float(later.read())

    @device_errors()
    def norm(self, there: Sequence[Any]) -> Any:
        return norm(there)

    @device_errors()
    def limited(self, there: Sequence[Any], norm: Any, limit: float) -> Sequence[Any]:
        return limited(there, norm, limit)

    @device_errors()
    def affine(self, x: Any, weight: Any, bias: Any | None, out: Any = None) -> Any:
        y = self.empty((*x.shape[:2], len(weight)), x.dtype) if out is None else out
        rows = weight if weight.contiguous else weight.copy()
        offset = self.empty((0,), x.dtype) if bias is None else bias
        loops.affine(y.data, x.data, rows.reshape(1, *rows.shape).data, offset.data)
        return y

    @device_errors()
    def correlate(self, dz: Any, x: Any) -> Any:
        return DeviceArray(loops.correlate(dz.data, x.data))

    @device_errors()
    def total(self, dz: Any) -> Any:
        return DeviceArray(loops.total(dz.data)).reshape(dz.shape[2])

    @device_errors()
    def forward(self, cell: Cell, step: Step, tape: SequenceTape) -> None:
        on, held = Operands.of(cell, step), _tape(cell, step, tape)
        batch, n = held.z.shape[1], held.z.shape[3]
        shape, _ = self.plan(cell, n, batch, tape.z.dtype, projected=on.projected)
        loops.forward(units_of(cell), on, shape, held, flush_below(tape.z))

    @device_errors()
    def backward(self, cell: Cell, step: Step, tape: SequenceTape, dh: Any | None, dfinal: States) -> SequenceGradients:
        on, held, units = Operands.of(cell, step), _tape(cell, step, tape), units_of(cell)
        _, batch, _, n = held.z.shape
        dtype = tape.z.dtype
        dtheta = arrays.zeros((units.layout.parameters, batch, n), dtype)
        dinitial = States(self.joined([dfinal.h]), self.joined([dfinal.memory]))
        carried = Carried(dinitial.h.data, dinitial.memory.data, dtheta)
        direct = self.empty((0, *dfinal.h.shape), dtype) if dh is None else dh
        dz: Any = self.empty(tape.z.shape, dtype)
        _, shape = self.plan(cell, n, batch, dtype, projected=on.projected)
        by_gate = _by_gate(cell, step, dz)
        found = loops.backward(units, on, shape, held, direct.data, carried, by_gate, flush_below(tape.z))
        whole: Any = None if found is None else DeviceArray(found)
        total: Any = DeviceArray(loops.total_of_each(dtheta))
        return SequenceGradients(dz, dinitial, total, whole)

    @device_errors()
    def tangent(
        self, cell: Cell, step: Step, drive: Any, initial: States, dstep: Step, ddrive: Any, dinitial: States
    ) -> tuple[States, States]:
        on, don, units = Operands.of(cell, step), Operands.of(cell, dstep), units_of(cell)
        z, dz = (_by_gate(cell, step, part) for part in (drive, ddrive))
        states, dstates = (state_room(self, start, len(drive)) for start in (initial, dinitial))
        loops.tangent(units, on, don, z, dz, _data(states), _data(dstates), flush_below(drive))
        return states, dstates


def _data(states: Any) -> States:
    return States(*(part.data for part in states))


def _tape(cell: Cell, step: Step, tape: Any) -> DeviceTape:
    """A tape as the kernels take it."""
    time, batch, n = len(tape.z), tape.z.shape[1], step.theta.shape[1]
    emitted = None if tape.emitted is None else tape.emitted.reshape(time, batch, 1, n).data
    relayed = None if tape.relayed is None else tape.relayed.data
    return DeviceTape(_by_gate(cell, step, tape.z), *_data(tape.states), emitted, relayed)


def _by_gate(cell: Cell, step: Step, z: Any) -> Any:
    """z (T, B, G·n) as (T, B, G, n)."""
    return z.reshape(*z.shape[:2], cell.gates, step.theta.shape[1]).data


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
