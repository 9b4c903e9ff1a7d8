"""Everything a model gives at a point, and how sensitive each number is to the rounding of the whole computation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from enrnn_ref.verify.vectors.oracle import layout, models
from enrnn_ref.verify.vectors.oracle.arithmetic import DISTURBANCE_BITS, Arithmetic, Disturbed, Raw, nearest_float
from enrnn_ref.verify.vectors.oracle.draw import Tensor
from enrnn_ref.verify.vectors.oracle.tape import Number, Tape

SAMPLES = 6
"""Disturbed computations. The largest of six sums of random signs is rarely far below the typical one."""

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Point:
    """Where a model is evaluated, and in which directions.

    Attributes
    ----------
    params, state : dict of Tensor
        ``state`` may be empty: the model starts as it does by default.
    x : Tensor (T, B, I)
    dy, dstate : Tensor, dict of Tensor
        Cotangents of y and of the final state.
    dparams, dx, dinitial : dict of Tensor, Tensor, dict of Tensor
        The direction of the tangent.
    """

    params: Tensors
    x: Tensor
    state: Tensors
    dy: Tensor
    dstate: Tensors
    dparams: Tensors
    dx: Tensor
    dinitial: Tensors


@dataclass(frozen=True)
class Values:
    """An array of the result: shape, entries rounded to float64, and the sensitivity of each."""

    shape: tuple[int, ...]
    entries: tuple[float, ...]
    sensitivity: tuple[float, ...]


@dataclass
class Computation:
    """One run of a model on a tape, with its gradient and tangent, as arrays of raw numbers.

    Attributes
    ----------
    arrays : dict of (str, …) to (shape, list of raw numbers)
        By path: ("y",), ("state", "h"), ("gradients", "params", "skew"), ("tangent", "y"), …
    tape : Tape
    """

    tape: Tape
    arrays: dict[tuple[str, ...], tuple[tuple[int, ...], list[Raw]]] = field(default_factory=dict)


def evaluate(label: str, model: str, options: Mapping[str, Any], point: Point) -> dict[tuple[str, ...], Values]:
    """Every array of the result, by path; ``label`` names the sequence of disturbances."""
    exact = compute(Arithmetic(), model, options, point)
    disturbed = [
        compute(Disturbed(f"{label} {k}"), model, options, point, exact.tape.decisions).arrays for k in range(SAMPLES)
    ]
    arithmetic = exact.tape.arithmetic
    values = {}
    for path, (shape, entries) in exact.arrays.items():
        samples = [run[path][1] for run in disturbed]
        sensitivity = (_spread(arithmetic, entry, moved) for entry, *moved in zip(entries, *samples, strict=True))
        values[path] = Values(shape, tuple(map(nearest_float, entries)), tuple(sensitivity))
    return values


def compute(
    arithmetic: Arithmetic,
    model: str,
    options: Mapping[str, Any],
    point: Point,
    decisions: Sequence[int] | None = None,
) -> Computation:
    """The model, its gradient and its tangent in the given arithmetic."""
    tape = Tape(arithmetic, decisions)
    params = {name: _numbers(tape, tensor) for name, tensor in point.params.items()}
    x, state = _numbers(tape, point.x), {name: _numbers(tape, tensor) for name, tensor in point.state.items()}
    outcome = models.run(
        tape,
        model,
        options,
        {name: _nested(numbers, point.params[name].shape) for name, numbers in params.items()},
        _nested(x, point.x.shape),
        {name: _nested(numbers, point.state[name].shape) for name, numbers in state.items()},
    )
    final = {name: _flat(vectors) for name, vectors in outcome.state.items()}
    y = list(chain.from_iterable(_flat(vectors) for vectors in outcome.y))

    cotangents: dict[int, Raw] = {}
    for numbers, tensor in [(y, point.dy), *((final[name], tensor) for name, tensor in point.dstate.items())]:
        for number, entry in zip(numbers, tensor.entries, strict=True):
            bar = arithmetic.given(entry)
            earlier = cotangents.get(number.index)
            cotangents[number.index] = bar if earlier is None else arithmetic.add(earlier, bar)
    gradient = tape.gradient(cotangents)
    directions: dict[int, Raw] = {}
    for numbers, tensor in [
        (x, point.dx),
        *((params[name], tensor) for name, tensor in point.dparams.items()),
        *((state[name], tensor) for name, tensor in point.dinitial.items()),
    ]:
        directions |= {n.index: arithmetic.given(entry) for n, entry in zip(numbers, tensor.entries, strict=True)}
    tangent = tape.tangent(directions)

    found = Computation(tape)
    batch = point.x.shape[1]
    shapes = {name: (batch, width) for name, width in layout.state_widths(model, options).items()}

    def keep(path: tuple[str, ...], shape: tuple[int, ...], numbers: Sequence[Number], of: list[Raw] | None) -> None:
        raws = [number.raw if of is None else of[number.index] for number in numbers]
        found.arrays[path] = shape, raws

    keep(("y",), point.dy.shape, y, None)
    if outcome.h is not None:
        steps = list(chain.from_iterable(_flat(vectors) for vectors in outcome.h))
        keep(("h",), (len(outcome.h), *shapes["h"]), steps, None)
    for name, numbers in final.items():
        keep(("state", name), shapes[name], numbers, None)
    for name, numbers in params.items():
        keep(("gradients", "params", name), point.params[name].shape, numbers, gradient)
    keep(("gradients", "x"), point.x.shape, x, gradient)
    for name, numbers in state.items():
        keep(("gradients", "state", name), shapes[name], numbers, gradient)
    keep(("tangent", "y"), point.dy.shape, y, tangent)
    for name, numbers in final.items():
        keep(("tangent", "state", name), shapes[name], numbers, tangent)
    return found


def _spread(arithmetic: Arithmetic, entry: Raw, moved: Sequence[Raw]) -> float:
    """The largest distance of the disturbed values, divided by δ, to two significant digits."""
    distances = [abs(arithmetic.wrap(other) - arithmetic.wrap(entry)) for other in moved]
    largest = arithmetic.context.ldexp(max(distances), DISTURBANCE_BITS)
    return float(f"{nearest_float(largest._mpf_):.1e}")


def _numbers(tape: Tape, tensor: Tensor) -> list[Number]:
    return [tape.given(entry) for entry in tensor.entries]


def _nested(numbers: list[Number], shape: tuple[int, ...]) -> Any:
    """Lists of lists, as deep as the shape has axes."""
    if len(shape) == 1:
        return numbers
    size = len(numbers) // shape[0] if shape[0] else 0
    return [_nested(numbers[k * size : (k + 1) * size], shape[1:]) for k in range(shape[0])]


def _flat(vectors: Sequence[Sequence[Number]]) -> list[Number]:
    return list(chain.from_iterable(vectors))
