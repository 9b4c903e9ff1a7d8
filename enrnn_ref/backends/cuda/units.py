"""The cells' scalar functions on the device: the same source as on the CPU, compiled for another machine.

Legend of the arrays, all of one dtype: T times, B sequences, n units, G gates, C components of the output, M of the
other states, P pointwise parameters. z, dz (T, B, G, n) · h (T+1, B, C, n) · memory (T+1, M, B, n) · theta (P, n) ·
settings, a tuple of numbers. The states that are carried backwards have no axis of time: dh_t (B, C, n), dmemory
(M, B, n).
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from enrnn_ref.backends.cuda.target import SIMULATED, device_function
from enrnn_ref.backends.tuples import gathering, scattering
from enrnn_ref.cells import elementary
from enrnn_ref.cells.base import Cell


def _tanh(x: Any) -> Any:
    return math.tanh(x)


def _sigmoid(x: Any) -> Any:
    zero, one = type(x)(0), type(x)(1)
    e = math.exp(-abs(x))
    return (e if x < zero else one) / (one + e)


def _sqrt(x: Any) -> Any:
    return math.sqrt(x)


def _floor(x: Any) -> Any:
    return math.floor(x)


_ELEMENTARY = {
    elementary.tanh: _tanh,
    elementary.sigmoid: _sigmoid,
    elementary.sqrt: _sqrt,
    elementary.floor: _floor,
}
"""What the device has for the elementary functions that cells call. The simulator calls NumPy's."""


class Layout(NamedTuple):
    """What a kernel must know of a cell when it is compiled."""

    gates: int
    components: int
    memory: int
    parameters: int
    settings: int
    recurrent: tuple[int, ...]
    relayed: int

    @classmethod
    def of(cls, cell: Cell) -> Layout:
        return cls(
            cell.gates,
            cell.output_components,
            sum(cell.memory.values()),
            sum(cell.parameters.values()),
            len(cell.settings),
            cell.recurrent,
            cell.relayed,
        )


class Units(NamedTuple):
    """A cell on the device: its functions of scalars, and what fetches their arguments and stores their results.

    ``gates(z, t, b, j)`` · ``states(h, s, memory, t, b, j)`` with h at s and memory at t · ``theta(theta, settings,
    j)`` · ``dtheta(dtheta, j)`` · ``arriving(dh_t, dmemory, b, j)`` return tuples; ``set_gates(z, t, b, j, values,
    below)`` · ``add_gates`` · ``set_states(h, s, memory, t, b, j, values, below)`` · ``set_arriving(dh_t, dmemory, b,
    j, values, below)`` · ``add_arriving`` · ``add_theta(dtheta, b, j, values, below)`` store them, with zero for what
    is smaller than ``below``.
    """

    layout: Layout
    step: Any
    pullback: Any
    tangent: Any
    relay: Any
    relay_pullback: Any
    relay_tangent: Any
    gates: Any
    states: Any
    theta: Any
    dtheta: Any
    arriving: Any
    set_gates: Any
    add_gates: Any
    set_states: Any
    set_arriving: Any
    add_arriving: Any
    add_theta: Any


def units_of(cell: Cell) -> Units:
    """The device functions of a cell."""
    relay = (cell.unit_relay, cell.unit_relay_pullback, cell.unit_relay_tangent) if cell.relayed else (_no_relay,) * 3
    return _units(Layout.of(cell), (cell.unit_step, cell.unit_pullback, cell.unit_tangent, *relay))


@functools.cache
def _units(layout: Layout, functions: tuple[Callable[..., Any], ...]) -> Units:
    c, outputs, others = layout.components, range(layout.components), range(layout.memory)
    parameters = [f"theta[{k}, j]" for k in range(layout.parameters)]

    def gather(arguments: str, *entries: str) -> Any:
        return device_function(gathering(arguments, list(entries)))

    def scatter(arguments: str, *statements: str) -> Any:
        return device_function(scattering(f"{arguments}, values, below", list(statements), {"flush": flush}))

    every = (
        *(on_device(function) for function in functions),
        gather("z, t, b, j", *(f"z[t, b, {g}, j]" for g in range(layout.gates))),
        gather("h, s, m, t, b, j", *(f"h[s, b, {k}, j]" for k in outputs), *(f"m[t, {k}, b, j]" for k in others)),
        gather("theta, settings, j", *parameters, *(f"settings[{k}]" for k in range(layout.settings))),
        gather("theta, j", *parameters),
        gather("h, m, b, j", *(f"h[b, {k}, j]" for k in outputs), *(f"m[{k}, b, j]" for k in others)),
        scatter("z, t, b, j", *(f"z[t, b, {g}, j] = flush(values[{g}], below)" for g in range(layout.gates))),
        scatter("z, t, b, j", *(f"z[t, b, {g}, j] += flush(values[{g}], below)" for g in range(layout.gates))),
        scatter(
            "h, s, m, t, b, j",
            *(f"h[s, b, {k}, j] = flush(values[{k}], below)" for k in outputs),
            *(f"m[t, {k}, b, j] = flush(values[{c + k}], below)" for k in others),
        ),
        *(
            scatter(
                "h, m, b, j",
                *(f"h[b, {k}, j] {sign} flush(values[{k}], below)" for k in outputs),
                *(f"m[{k}, b, j] {sign} flush(values[{c + k}], below)" for k in others),
            )
            for sign in ("=", "+=")
        ),
        scatter("d, b, j", *(f"d[{k}, b, j] += flush(values[{k}], below)" for k in range(layout.parameters))),
    )
    return Units(layout, *every)


def _no_relay(*arguments: Any) -> Any:
    """Stands where a cell has no relay; never called."""


@functools.cache
def on_device(function: Callable[..., Any]) -> Any:
    """A scalar function of a cell, with the device's own forms of the functions that it calls."""
    if SIMULATED:
        return device_function(function)
    called = {}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if value in elementary.HELPERS:
            called[name] = on_device(value)
        elif isinstance(value, types.FunctionType) and value in _ELEMENTARY:
            called[name] = device_function(_ELEMENTARY[value])
    bound = types.FunctionType(
        function.__code__,
        {**function.__globals__, **called},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    return device_function(bound)


@device_function
def flush(value: Any, below: Any) -> Any:
    """Zero where the magnitude is under ``below`` (see cpu.py); NaN passes."""
    return type(value)(0) if abs(value) < below else value
