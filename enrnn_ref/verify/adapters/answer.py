"""What another program answered at a point, judged beside a reference."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.errors import EnrnnError
from enrnn_ref.models import Model
from enrnn_ref.verify.adapters.correspondence import Correspondence
from enrnn_ref.verify.adapters.point import Point
from enrnn_ref.verify.agreement import agreement
from enrnn_ref.verify.report import Report, Row
from enrnn_ref.verify.verdicts import Verdict

T = TypeVar("T")


class BrokenAnswerError(Exception):
    """The other program gave nothing that could be compared. Becomes a row, never escapes."""

    def __init__(self, verdict: Verdict, detail: str) -> None:
        super().__init__(detail)
        self.verdict = verdict


@dataclass(frozen=True)
class Answer:
    """Arrays of another program.

    Attributes
    ----------
    y : ndarray
    final : dict of ndarray (B, width)
        The final state; empty if it gives none.
    params : dict of ndarray
        Gradients under *their* names; empty for a program that has none.
    x : ndarray or None
    state : dict of ndarray
        Gradient of the initial state.
    """

    y: Array
    final: Arrays
    params: Arrays
    x: Array | None
    state: Arrays


def asked(what: str, call: Callable[[], T]) -> T:
    """The value of ``call()``; what it raises becomes a BrokenAnswerError, but for errors of this package."""
    try:
        return call()
    except (BrokenAnswerError, EnrnnError):
        raise
    except Exception as error:
        said = str(error).strip().splitlines() or [""]
        raise BrokenAnswerError(Verdict.NO_ANSWER, f"{what} raised {type(error).__name__}: {said[0]}") from error


def require_shape(what: str, came: object, expected: tuple[int, ...]) -> None:
    """Raise BrokenAnswerError unless ``came`` has the shape without which no gradient can be asked for."""
    shape = tuple(getattr(came, "shape", ()))
    if shape != expected:
        detail = f"{what} has shape {shape}; expected {expected}"
        if len(shape) == 3 and (shape[1], shape[0], shape[2]) == expected:
            detail += " (it looks batch-first: batch_first=True)"
        raise BrokenAnswerError(Verdict.SHAPE, detail)


def require_repeatable(first: Mapping[str, Array], second: Mapping[str, Array]) -> None:
    """Raise BrokenAnswerError unless two calls gave the same bits."""
    differ = [name for name in first if not np.array_equal(first[name], second[name], equal_nan=True)]
    if differ:
        raise BrokenAnswerError(Verdict.NONDETERMINISTIC, f"two calls with the same arguments differ in {differ}")


def judged(
    title: str,
    reference: Model,
    point: Point,
    correspondence: Correspondence,
    theirs: Mapping[str, Array],
    answer: Callable[[], Answer],
    *,
    settings: Mapping[str, Any],
) -> Report:
    """The report on what ``answer()`` gives at ``point`` with the weights ``theirs``."""
    params = correspondence.params(theirs)
    try:
        given = answer()
    except BrokenAnswerError as broken:
        row = Row("contract", "contract", broken.verdict, math.nan, math.nan, False, str(broken))
        return Report(title, (row,), dict(settings))
    own = {"y": given.y} | {f"final {key}": array for key, array in given.final.items()}
    gradients, ours = correspondence.gradients(given.params)
    derivatives = {f"state {key}": array for key, array in given.state.items()}
    if given.x is not None:
        derivatives = {"x": given.x} | derivatives
    taken = own.keys() | derivatives.keys()
    labels = {name: f"parameter {name}" if name in taken else name for name in gradients}
    report = agreement(
        reference,
        params,
        point.x,
        point.full_state(reference),
        point.dy,
        {key: array for key, array in point.dstate.items() if key in given.final},
        own | {labels[name]: array for name, array in gradients.items()} | derivatives,
        title=title,
        backend="reference",
        names={labels[name]: name_here for name, name_here in ours.items()},
    )
    return replace(report, settings={**report.settings, **settings})


def argument_names(network: Any, count: int) -> list[str]:
    """What a function, or a module's forward, calls its positional arguments."""
    try:
        parameters = [*inspect.signature(getattr(network, "forward", network)).parameters.values()]
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*names, *(f"argument {k}" for k in range(len(names), count))][:count]
