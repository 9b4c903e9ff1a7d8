"""What must hold before any number is compared: repeatable, of the right form, finite, and without side effects."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.verify.problem import ContractError, Problem
from enrnn_ref.verify.report import Row
from enrnn_ref.verify.verdicts import Verdict


@dataclass(frozen=True)
class Contract:
    """What came of it.

    Attributes
    ----------
    rows : list of Row
        One named "contract", and one for every argument whose gradient cannot be compared.
    problem : Problem or None
        What is left to compare; None if nothing is.
    """

    rows: list[Row]
    problem: Problem | None


def contract(problem: Problem, cotangent: Array, repeat_tolerance: float = 0.0) -> Contract:
    """Call everything twice, and look at what came back and at what became of the inputs.

    A gradient that is missing, of the wrong form or not finite costs its own argument the check, no other. Side effects
    are reported, and the numbers are compared all the same. Results that differ from call to call end the check, unless
    by no more than ``repeat_tolerance`` times their largest entry.
    """
    rows: dict[str, Row] = {}
    finding: Row | None = None
    tangent = problem.tangent
    calls: list[tuple[str, Callable[[Arrays], Arrays]]] = [
        ("the function", lambda arrays: {"output": problem.function(arrays)}),
        ("the pullback", lambda arrays: _gradients(problem, arrays, cotangent, rows)),
    ]
    if tangent is not None:
        calls.append(("the tangent", lambda arrays: {"output": tangent(arrays, problem.arrays)}))
    for what, call in calls:
        given = {name: array.copy() for name, array in problem.arrays.items()}
        pristine = cotangent.copy()
        try:
            first = {name: array.copy() for name, array in call(given).items()}
            if not _same(given, problem.arrays) or not np.array_equal(pristine, cotangent):
                finding = finding or _row(Verdict.MUTATED_INPUT, f"{what} changed its input")
                cotangent[...] = pristine
            again = call({name: array.copy() for name, array in problem.arrays.items()})
            second = {name: array.copy() for name, array in again.items()}
            cotangent[...] = pristine
        except ContractError as error:
            return Contract([_row(error.verdict, str(error))], None)
        for name, array in first.items():
            bad = np.count_nonzero(~np.isfinite(array))
            if bad:
                row = _row(Verdict.NOT_FINITE, f"{what} returned {bad} NaN or infinite value(s) in {name}", name)
                if name == "output":
                    return Contract([_row(row.verdict, row.detail)], None)
                rows[name] = row
        moved = _distance(first, second)
        if moved > repeat_tolerance:
            told = f"two calls of {what} differ by {moved:.1e} of the largest value"
            return Contract([_row(Verdict.NONDETERMINISTIC, told)], None)
    if problem.aliased():
        among = ", ".join(problem.aliased())
        finding = finding or _row(
            Verdict.MUTATED_INPUT, f"the output lies in the memory of argument {among}: who changes one changes both"
        )
    if finding is not None:
        problem = problem.protected()
    else:
        finding = _row(Verdict.PASSED, "repeatable to the bit, right form, finite, inputs untouched")
    rest = problem.without(list(rows)) if rows else problem
    return Contract([finding, *rows.values()], rest if rest.arrays else None)


def _gradients(problem: Problem, arrays: Arrays, cotangent: Array, rows: dict[str, Row]) -> Arrays:
    """The gradients that can be compared; a row for each of the others."""
    try:
        return problem.pullback(arrays, cotangent)
    except ContractError as error:
        if not error.faults:
            raise
        rows |= {name: _row(error.verdict, told, name) for name, told in error.faults.items()}
        return error.rest


def _distance(first: Arrays, second: Arrays) -> float:
    """The largest difference, relative to the largest value of its array; 0 if all bits are the same."""
    worst = 0.0
    for name, array in first.items():
        other = second.get(name, np.full(array.shape, math.nan))
        if not np.array_equal(array, other, equal_nan=True):
            scale = float(np.abs(array).max(initial=0.0)) or 1.0
            distance = float(np.abs(array - other).max()) / scale
            worst = max(worst, math.inf if math.isnan(distance) else distance)
    return worst


def _same(first: Arrays, second: Arrays) -> bool:
    return all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)


def _row(verdict: Verdict, detail: str, name: str = "contract") -> Row:
    return Row(name, "contract", verdict, math.nan, math.nan, verdict is Verdict.PASSED, detail)
