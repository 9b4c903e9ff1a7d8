"""One answer beside one case: the tolerance of every entry, and a row for every array."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array, float_dtype
from enrnn_ref.verify.report import Entry, Report, Row
from enrnn_ref.verify.vectors.answer import Node, Unusable
from enrnn_ref.verify.vectors.case import Case, Value
from enrnn_ref.verify.vectors.explain import explain
from enrnn_ref.verify.verdicts import Verdict

MARGIN = 32.0
"""How many times the measured sensitivity a correct answer may lie away: sums of another order, other formulas."""

KINK_CONVENTION = "kink-convention"
"""The flag of cases that lie exactly at a kink, where the derivative is a convention."""

_WORST = 5
_SEQUENCES = ("y", "h", "x", "tangent y")
_OPTIONAL = (("h",), ("tangent",))


class _Pair(NamedTuple):
    """An expected array and what came in its place."""

    path: tuple[str, ...]
    expected: Value
    found: Node

    @property
    def name(self) -> str:
        """What reports call the array."""
        return _name(self.path)

    @property
    def derivative(self) -> bool:
        """Whether it is a gradient or a tangent."""
        return self.path[0] in ("gradients", "tangent")


def judge(case: Case, answer: Node, dtype: npt.DTypeLike = np.float64, *, diagnose: bool = True) -> Report:
    """Compare an answer with the expected values, array by array.

    A correct answer lies within MARGIN · u · max(sensitivity, |value|) + the smallest normal number, entry by entry,
    with u half the spacing of ``dtype`` at 1. Nothing else enters: a gradient of 1e-200 has its own tolerance, and
    zeros in its place are wrong. At an exact kink (cases flagged as such) derivatives may follow another convention.

    Parameters
    ----------
    case : Case
    answer : dict or Unusable
        ``{"y": array, "state": {name: array}, "gradients": {"params": {...}, "x": array, "state": {...}}}``, and
        optionally ``"h"`` and ``"tangent": {"y": array, "state": {...}}``.
    dtype : float64 or float32
        The precision in which the answer was computed.
    diagnose : bool
        Whether to look for the mistakes that explain a wrong answer, which takes longer than all the rest.

    Returns
    -------
    Report
        Titled with the case's id; rows of group ``"vector"`` named ``y``, ``h``, ``final h``, as the parameters, ``x``,
        ``state h``, ``tangent y``, ``tangent final h``. Where a row is wrong, the report names likely mistakes.

    Raises
    ------
    DtypeError
        ``dtype`` is neither float64 nor float32.
    """
    kind = float_dtype(dtype)
    rows, found = [], {}
    for item in _paired(case.expected, answer, ()):
        row = item if isinstance(item, Row) else _row(case, item, kind)
        rows.append(row)
        if isinstance(item, _Pair) and row.verdict in (Verdict.PASSED, Verdict.WRONG, Verdict.ILL_CONDITIONED):
            found[item.name] = np.asarray(item.found, np.float64)
    wrong = any(row.verdict is Verdict.WRONG for row in rows)
    diagnosis = explain(case, found, kind) if wrong and diagnose else ()
    settings = {"model": case.model, "dtype": kind.name, "margin": MARGIN}
    return Report(case.id, tuple(rows), settings, diagnosis)


def tolerance(expected: Value, dtype: npt.DTypeLike) -> Array:
    """How far each entry of a correct answer computed in ``dtype`` may lie from the expected value."""
    limits = np.finfo(np.dtype(dtype))
    half_spacing = float(limits.eps) / 2
    scale = np.maximum(expected.sensitivity, np.abs(expected.value))
    bound: Array = MARGIN * half_spacing * scale + float(limits.tiny)
    return bound


def unanswered(name: str, verdict: Verdict, detail: str) -> Row:
    """A row about something of which no number is known."""
    return Row(name, "vector", verdict, math.nan, math.nan, False, detail)


def _paired(expected: Mapping[str, Any], found: Node, path: tuple[str, ...]) -> Iterator[_Pair | Row]:
    """Every expected array with what came, and rows about parts that are missing, unknown or no parts."""
    here = " ".join(path) or "answer"
    if isinstance(found, Unusable):
        yield unanswered(here, found.verdict, found.detail)
        return
    if not isinstance(found, Mapping):
        yield unanswered(here, Verdict.SHAPE, f"is a {type(found).__name__}; expected a dict with {list(expected)}")
        return
    for key, child in expected.items():
        where = (*path, key)
        if key not in found:
            if where not in _OPTIONAL:
                name = _name(where) if isinstance(child, Value) else " ".join(where)
                yield unanswered(name, Verdict.SHAPE, "is missing")
        elif isinstance(child, Value):
            yield _Pair(where, child, found[key])
        else:
            yield from _paired(child, found[key], where)
    for key in found:
        if key not in expected and (*path, key) != ("h",):  # where there is no single h, nothing is said about it
            known = ", ".join(map(repr, expected)) or "nothing"
            yield unanswered(" ".join((*path, str(key))), Verdict.SHAPE, f"is unknown; expected {known}")


def _name(path: tuple[str, ...]) -> str:
    """What reports call the array at a place of an answer."""
    match path:
        case ("gradients", "params" | "x", *rest):
            return rest[0] if rest else "x"
        case ("gradients", "state", key):
            return f"state {key}"
        case ("state", key):
            return f"final {key}"
        case ("tangent", "state", key):
            return f"tangent final {key}"
    return " ".join(path)


def _row(case: Case, pair: _Pair, dtype: np.dtype[Any]) -> Row:
    name, expected = pair.name, pair.expected
    array = _readable(pair.found, expected.value, dtype)
    if isinstance(array, Unusable):
        return unanswered(name, array.verdict, array.detail)
    time_axis = 0 if name in _SEQUENCES and array.ndim == case.x.ndim else None
    finite = np.isfinite(array)
    if not finite.all():
        index = _first(~finite)
        detail = f"{np.count_nonzero(~finite)} of {array.size} entries are NaN or infinite, the first at {list(index)}"
        detail += _at_step(index, time_axis)
        reference = float(expected.value[index])
        return Row(
            name, "vector", Verdict.NOT_FINITE, math.nan, math.nan, False, detail, index, float(array[index]), reference
        )
    if not array.size:
        return Row(name, "vector", Verdict.PASSED, 0.0, 0.0, True, "empty")
    bound = tolerance(expected, dtype)
    with np.errstate(over="ignore"):
        ratios = np.abs(array - expected.value) / bound
    entries = _worst(array, expected.value, bound, ratios, time_axis)
    first = entries[0]
    wrong = int(np.count_nonzero(ratios > 1.0))
    if wrong:
        verdict = Verdict.WRONG
        detail = f"{wrong} of {array.size} entries differ; {first.analytic!r} instead of {first.numeric!r}"
        detail += _at_step(first.index, time_axis)
        if pair.derivative and KINK_CONVENTION in case.flags:
            verdict, detail = Verdict.KINK, f"another convention at a kink: {detail}"
    elif (np.abs(expected.value) <= bound).all() and expected.value.any():
        verdict, detail = Verdict.ILL_CONDITIONED, f"no digit is determined in {dtype}: agreement means nothing"
    else:
        verdict, detail = Verdict.PASSED, ""
    scale = abs(first.numeric) or 1.0
    with np.errstate(over="ignore"):
        error = float(np.float64(abs(first.analytic - first.numeric)) / scale)
    return Row(
        name,
        "vector",
        verdict,
        error,
        first.tolerance / scale,
        verdict is not Verdict.WRONG,
        detail,
        first.index,
        first.analytic,
        first.numeric,
        () if verdict is Verdict.PASSED else entries,
        ratios,
        time_axis,
    )


def _readable(found: Node, like: Array, dtype: np.dtype[Any]) -> Array | Unusable:
    """``found`` as a float64 array of the expected shape."""
    if isinstance(found, Unusable):
        return found
    if found is None or isinstance(found, (Mapping, str)):
        return Unusable(Verdict.SHAPE, f"is a {type(found).__name__}; expected an array of shape {list(like.shape)}")
    try:
        array = np.asarray(found)
    except Exception as error:  # whatever a foreign array raises when it is read
        return Unusable(Verdict.SHAPE, f"cannot be read as an array: {type(error).__name__}: {error}")
    if array.dtype.kind != "f":
        return Unusable(Verdict.SHAPE, f"has dtype {array.dtype}; expected {dtype}")
    if array.dtype.itemsize < dtype.itemsize:
        return Unusable(Verdict.SHAPE, f"has dtype {array.dtype}; expected {dtype}, the announced precision")
    if array.shape != like.shape:
        return Unusable(Verdict.SHAPE, f"has shape {list(array.shape)}; expected {list(like.shape)}")
    return array.astype(np.float64)


def _worst(array: Array, expected: Array, bound: Array, ratios: Array, time_axis: int | None) -> tuple[Entry, ...]:
    """The entries of the largest error / tolerance, the worst first."""
    order = np.argsort(-ratios, axis=None, kind="stable")[:_WORST]
    entries = []
    for flat in order:
        index = tuple(int(i) for i in np.unravel_index(int(flat), array.shape))
        step = None if time_axis is None else index[time_axis]
        values = float(array[index]), float(expected[index]), float(bound[index])
        entries.append(Entry(index, *values, 0.0, step))
    return tuple(entries)


def _first(mask: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])


def _at_step(index: tuple[int, ...], time_axis: int | None) -> str:
    return "" if time_axis is None else f" at time step {index[time_axis]}"
