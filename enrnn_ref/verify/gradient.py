"""check_gradient: a gradient against extrapolated differences, with a verdict for every argument."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays, integer, number
from enrnn_ref.errors import OptionError
from enrnn_ref.linalg.threads import single_threaded_blas
from enrnn_ref.verify import conditioning, differences, laws, twins
from enrnn_ref.verify.comparison import Comparison
from enrnn_ref.verify.contract import contract
from enrnn_ref.verify.effort import EVALUATIONS, Effort, Progress, on_stderr
from enrnn_ref.verify.problem import Arguments, ContractError, Problem, from_callables
from enrnn_ref.verify.projections import project
from enrnn_ref.verify.report import Report, Row
from enrnn_ref.verify.sample import cotangent
from enrnn_ref.verify.verdicts import Verdict


def check_gradient(
    function: Callable[..., Any],
    pullback: Callable[..., Any],
    arguments: Arguments,
    *,
    tangent: Callable[..., Any] | None = None,
    directions: int = 2,
    seed: int = 0,
    repeat_tolerance: float = 0.0,
    entries: int | None = None,
    time_axes: Mapping[str, int] | None = None,
    progress: Progress | None = on_stderr,
) -> Report:
    """Check a hand-written gradient of any NumPy function.

    Parameters
    ----------
    function : callable
        ``function(*arguments)`` → float64 or complex128 arrays: one, or a nest of tuples, lists and dicts of them. With
        a dict: ``function(arguments)``.
    pullback : callable
        ``pullback(arguments, cotangent)`` → gradients of Re ⟨cotangent, output⟩ in the structure of ``arguments``; the
        cotangent has the structure of the output. The gradient by a complex z is ∂/∂Re z + i ∂/∂Im z.
    arguments : tuple or dict of arrays, float64 or complex128
        The point; its parts may be nests themselves. At a kink of the function any value between the one-sided
        derivatives is accepted.
    tangent : callable, optional
        ``tangent(arguments, directions)`` → derivative of the output along ``directions``, in the structure of
        ``arguments``. Adds the adjoint identity, and decides entries that are too small for differences where no exact
        derivative of ``function`` can be had.
    directions : int
        How many random cotangents reduce the output to a scalar. They share all evaluations of ``function``.
    seed : int
    repeat_tolerance : float
        By how much, relative to the largest entry, two calls with the same arguments may differ.
    entries : int, optional
        Compare only so many entries of each argument, drawn at random, beside the random projections of all. Without it
        every entry is compared.
    time_axes : dict of int, optional
        Which axis of an argument is time; the report then names the time step of an entry.
    progress : callable or None
        Takes a line of text: what a check of more than a few seconds will cost, and how far it has come.

    Returns
    -------
    Report
        The contract, the laws, and a row for every argument. ``print(report)`` for the table, ``report.passed`` for the
        answer, ``report.require()`` in a test, ``report.to_html()`` for pictures.

    Raises
    ------
    ParameterError, DtypeError, NotFiniteError, OptionError
        A bad argument of this function. What is wrong with the checked code is a verdict, not an exception.

    Notes
    -----
    An entry passes when \\|analytic - numeric\\| ≤ c·e + floor, with e the error estimate of the numeric value and
    floor what rounding does to the analytic one (:mod:`~enrnn_ref.verify.conditioning`). The numeric value is the
    function's exact derivative where one can be had (:mod:`~enrnn_ref.verify.twins`: it is pure NumPy or analytic) and
    else extrapolated from differences (:mod:`~enrnn_ref.verify.differences`). Differences cost an evaluation of
    ``function`` per step, side and entry, typically 18 per entry; an exact derivative costs one run of it.
    """
    directions, seed = integer("directions", directions), integer("seed", seed, least=0)
    plan = Plan(
        directions,
        seed,
        None if entries is None else integer("entries", entries),
        dict(time_axes or {}),
        progress,
    )
    repeat_tolerance = number("repeat_tolerance", repeat_tolerance)
    settings: dict[str, Any] = {"seed": seed, "directions": directions}
    diagnosis: tuple[str, ...] = ()
    with single_threaded_blas():
        try:
            problem = from_callables(function, pullback, arguments, tangent)
        except ContractError as error:
            rows = [Row("contract", "contract", error.verdict, math.nan, math.nan, False, str(error))]
        else:
            _require_axes(plan.time_axes, problem)
            rows, rest = preliminaries(problem, seed, repeat_tolerance)
            if rest is not None:
                found = gradient_rows(rest, plan)
                rows, settings = rows + found.rows, settings | {"numeric values": found.way}
                diagnosis = found.diagnosis
    return Report("check_gradient", tuple(rows), settings, diagnosis)


@dataclass(frozen=True)
class Plan:
    """How a gradient is compared; as the arguments of :func:`check_gradient`."""

    directions: int
    seed: int
    entries: int | None = None
    time_axes: Mapping[str, int] = field(default_factory=dict)
    progress: Progress | None = None


@dataclass(frozen=True)
class Found:
    """Rows of gradients, how the numeric values were had, and how wrong gradients are related to the right ones."""

    rows: list[Row]
    way: str
    diagnosis: tuple[str, ...]


def preliminaries(problem: Problem, seed: int, repeat_tolerance: float = 0.0) -> tuple[list[Row], Problem | None]:
    """The contract and, as far as it holds, the laws of a differentiable function; and what is left to compare."""
    u = draw_cotangents(problem, 1, seed)[0]
    found = contract(problem, u, repeat_tolerance)
    rows, rest = list(found.rows), found.problem
    if rest is not None:
        if rest.tangent is not None:
            rows.append(laws.adjoint_identity(rest, u, seed))
        rows += [laws.linearity(rest, u, seed), laws.zero_cotangent(rest, u)]
    return rows, rest


def draw_cotangents(problem: Problem, count: int, seed: int) -> Array:
    """``count`` seeded cotangents (count, K)."""
    return cotangent(np.random.default_rng([seed, 0]), (count, problem.size), problem.dtype)


def gradient_rows(problem: Problem, plan: Plan) -> Found:
    """Every argument's gradient against its slopes."""
    rng = np.random.default_rng([plan.seed, 7])
    cotangents = draw_cotangents(problem, plan.directions, plan.seed)
    base = problem.function(problem.arrays)
    samples = conditioning.responses(lambda a: {"": problem.function(a)}, problem.arrays, {"": base}, rng)
    responses = np.array([sample[""] for sample in samples])

    analytic = [problem.pullback(problem.arrays, u) for u in cotangents]
    roundings = []
    for u, gradients in zip(cotangents, analytic, strict=True):
        roundings.append(
            conditioning.rounding(
                lambda a: problem.pullback({k: a[k] for k in problem.arrays}, a["cotangent"]),
                {**problem.arrays, "cotangent": u},
                gradients,
                rng,
            )
        )

    def by_entry(parts: Sequence[Arrays], name: str) -> Array:
        """(entries, directions)."""
        return np.array([part[name].ravel() for part in parts]).T

    values = {name: by_entry(analytic, name) for name in problem.arrays}
    spreads = {name: by_entry([r.spread for r in roundings], name) for name in problem.arrays}
    floors = {name: by_entry([r.floor for r in roundings], name) for name in problem.arrays}
    projections = {
        name: project(problem, name, values[name], floors[name], base, cotangents, responses, rng)
        for name in problem.arrays
    }
    slopes = {name: (problem.direction(name, p.direction), p.slope) for name, p in projections.items()}
    floor = conditioning.SAFETY * (
        np.abs(responses).max(axis=0) + conditioning.SAFETY * differences.UNIT * np.abs(base)
    )
    twin = twins.find(problem.twins, problem.arrays, base, slopes, cotangents, floor)
    chosen = {name: _chosen(array.size, plan.entries, rng) for name, array in problem.arrays.items()}
    if twin is not None and not twin.trace.tied:
        along = next(iter(slopes.values()))[0]
        once, repeats = (lambda: twin.slope(problem.arrays, along)), 1
    else:
        once, repeats = (lambda: problem.function(problem.arrays)), EVALUATIONS
    effort = Effort(once, repeats, sum(map(len, chosen.values())), plan.progress)
    exact = None if twin is None else twin.slope
    rows: list[Row] = []
    diagnosis: list[str] = []
    for name in problem.arrays:
        comparison = Comparison(
            problem,
            name,
            values[name],
            spreads[name],
            floors[name],
            base,
            cotangents,
            responses,
            exact=exact,
            tied=twin is not None and twin.trace.tied,
            chosen=chosen[name],
            effort=effort,
            time_axis=plan.time_axes.get(name),
        )
        row = comparison.row(projections[name].told)
        diagnosis += comparison.relations()
        if row.passed and projections[name].wrong and len(chosen[name]) < problem.arrays[name].size:
            told = "a random projection of all entries differs; none of those compared does"
            row = replace(row, verdict=Verdict.WRONG, passed=False, detail=told)
        rows.append(row)
    return Found(rows, twin.name if twin else "extrapolated differences", tuple(diagnosis))


def _chosen(size: int, entries: int | None, rng: np.random.Generator) -> Array:
    """Which entries are compared, in their order."""
    if entries is None or entries >= size:
        return np.arange(size)
    return np.sort(rng.choice(size, entries, replace=False))


def _require_axes(time_axes: Mapping[str, int], problem: Problem) -> None:
    for name, axis in time_axes.items():
        if name not in problem.arrays:
            raise OptionError(f"time_axes names {name!r}; expected one of {', '.join(problem.arrays)}.")
        if integer(f"time_axes[{name!r}]", axis, least=0) >= problem.arrays[name].ndim:
            raise OptionError(f"time_axes[{name!r}] is {axis}; {name} has {problem.arrays[name].ndim} axes.")
