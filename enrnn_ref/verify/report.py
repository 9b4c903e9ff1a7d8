"""The result of a check: rows, each with an error, its tolerance and a verdict, and the report that holds them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.verify import page
from enrnn_ref.verify.verdicts import Verdict


@dataclass(frozen=True)
class Entry:
    """One entry of an array that was compared.

    Attributes
    ----------
    index : tuple of int
    analytic, numeric : float
        Its value as claimed, and as found by an independent way.
    tolerance : float
        How far the two may differ.
    estimate : float
        The error estimate of ``numeric`` alone, which is part of the tolerance.
    step : int or None
        The time step it belongs to, where an axis is time.
    """

    index: tuple[int, ...]
    analytic: float
    numeric: float
    tolerance: float
    estimate: float
    step: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Built-in types only; a number that JSON has no word for becomes null."""
        return {
            "index": list(self.index),
            "step": self.step,
            "analytic": _number(self.analytic),
            "numeric": _number(self.numeric),
            "tolerance": _number(self.tolerance),
            "error_estimate": _number(self.estimate),
        }


@dataclass(frozen=True)
class Row:
    """One checked thing.

    Attributes
    ----------
    name : str
        A parameter, or a law.
    group : str
        ``"contract"``, ``"law"``, ``"gradient"``, ``"invariant"``, ``"forward"`` or ``"vector"``.
    verdict : Verdict
    error, tolerance : float
        Of the worst entry (the largest error / tolerance), relative to the same scale: the magnitude of that entry.
        NaN where nothing was measured.
    passed : bool
        The verdict is PASSED, or a KINK whose analytic value lies between the one-sided derivatives.
    detail : str
        What a reader needs to act on the verdict.
    index : tuple of int or None
        The worst entry.
    analytic, numeric : float or None
        Its value as claimed, and as found by an independent way.
    worst : tuple of Entry
        The entries of the largest error / tolerance, the worst first.
    ratios : ndarray or None
        error / tolerance of every entry, in the shape of the argument.
    time_axis : int or None
        Which axis of ``ratios`` is time.
    curve : tuple of (float, float)
        For the worst entry: step size, and the relative distance of the plain central difference from the analytic
        value. A correct gradient's falls like the square of the step until rounding takes over; a wrong one's levels
        off at the size of the mistake.
    """

    name: str
    group: str
    verdict: Verdict
    error: float
    tolerance: float
    passed: bool
    detail: str = ""
    index: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None
    worst: tuple[Entry, ...] = ()
    ratios: Array | None = field(default=None, compare=False, repr=False)
    time_axis: int | None = None
    curve: tuple[tuple[float, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Built-in types only; a number that JSON has no word for becomes null."""
        return {
            "name": self.name,
            "group": self.group,
            "verdict": self.verdict.value,
            "passed": self.passed,
            "error": _number(self.error),
            "tolerance": _number(self.tolerance),
            "index": None if self.index is None else list(self.index),
            "analytic": _number(self.analytic),
            "numeric": _number(self.numeric),
            "detail": self.detail,
            "worst": [entry.to_dict() for entry in self.worst],
        }


@dataclass(frozen=True)
class Report:
    """All rows of a check, with what is needed to repeat it.

    Attributes
    ----------
    title : str
    rows : tuple of Row
    settings : dict
        Seed, sizes, dtype, backend, conditioning: whatever the numbers depend on.
    diagnosis : tuple of str
        Sentences that name the mistakes which explain the numbers; empty when none does, or none is needed.
    """

    title: str
    rows: tuple[Row, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    diagnosis: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every row passed; an undecided row (VANISHED, ILL_CONDITIONED, a jump) has not."""
        return all(row.passed for row in self.rows)

    def __getitem__(self, name: str) -> Row:
        """The row of that name."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def require(self) -> None:
        """Raise AssertionError with the table unless every row passed: a whole check in one line of a test."""
        if not self.passed:
            raise AssertionError(f"\n{self}")

    def __str__(self) -> str:
        """A plain-text table, worst entries, diagnosis, settings, a paragraph for every verdict that is not PASSED."""
        header = ("", "worst relative error", "tolerance", "verdict")
        numbers = [(scientific(row.error), scientific(row.tolerance)) for row in self.rows]
        cells = [header, *((row.name, *pair, row.verdict) for row, pair in zip(self.rows, numbers, strict=True))]
        widths = [max(len(line[i]) for line in cells) for i in range(4)]
        lines = [f"{self.title}: {'passed' if self.passed else 'NOT passed'}"]
        for (name, error, tolerance, verdict), row in zip(cells, (None, *self.rows), strict=True):
            line = f"  {name:<{widths[0]}}  {error:>{widths[1]}}  {tolerance:>{widths[2]}}  {verdict:<{widths[3]}}"
            lines.append(f"{line}  {row.detail if row else ''}".rstrip())
        lines.append("  " + ", ".join(f"{key} {value}" for key, value in self.settings.items()))
        for row in self.rows:
            if row.worst and not row.passed:
                lines += ["", f"  worst entries of {row.name}:", *_entry_lines(row.worst)]
        lines += [f"\nDIAGNOSIS: {sentence}" for sentence in self.diagnosis]
        for verdict in self.findings():
            lines += ["", f"{verdict.name}: {verdict.help}"]
        return "\n".join(lines)

    def findings(self) -> list[Verdict]:
        """The verdicts other than PASSED that occur, in the order of their definition."""
        found = {row.verdict for row in self.rows} - {Verdict.PASSED}
        return [verdict for verdict in Verdict if verdict in found]

    def to_dict(self) -> dict[str, Any]:
        """The report in built-in types."""
        return {
            "title": self.title,
            "passed": self.passed,
            "settings": dict(self.settings),
            "rows": [row.to_dict() for row in self.rows],
            "diagnosis": list(self.diagnosis),
        }

    def to_json(self) -> str:
        """The report as a JSON object."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_html(self) -> str:
        """The report as one self-contained HTML page, with pictures."""
        return page.page(self)


def _entry_lines(entries: tuple[Entry, ...]) -> list[str]:
    """A small table."""
    lines = [f"    {'entry':<16} {'analytic':>14} {'numeric':>14} {'tolerance':>10} {'estimate':>10}  time step"]
    for entry in entries:
        index = "[" + ", ".join(map(str, entry.index)) + "]"
        lines.append(
            f"    {index:<16} {entry.analytic:>14.7g} {entry.numeric:>14.7g} {scientific(entry.tolerance):>10} "
            f"{scientific(entry.estimate):>10}  {'' if entry.step is None else entry.step}".rstrip()
        )
    return lines


def worst_row(name: str, group: str, errors: Arrays, tolerances: Arrays, scales: Arrays) -> Row:
    """The row of the entry with the largest error / tolerance in any of the arrays; ``scales`` makes both relative."""
    worst, row = -1.0, Row(name, group, Verdict.PASSED, 0.0, 0.0, True)
    for key, error in errors.items():
        if not error.size:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(error > 0.0, error / tolerances[key], 0.0)
        ratio = np.where(np.isnan(error) | np.isnan(ratio), np.inf, ratio)
        index = np.unravel_index(int(np.argmax(ratio)), error.shape)
        if ratio[index] <= worst:
            continue
        worst = float(ratio[index])
        verdict = Verdict.PASSED if worst <= 1.0 else Verdict.WRONG if np.isfinite(error[index]) else Verdict.NOT_FINITE
        scale = float(np.asarray(scales[key])[index]) or 1.0
        row = Row(
            name,
            group,
            verdict,
            float(error[index]) / scale,
            float(tolerances[key][index]) / scale,
            verdict is Verdict.PASSED,
            f"worst in {key}" if len(errors) > 1 and worst > 0.0 else "",
            tuple(int(i) for i in index),
        )
    return row


def scientific(value: float) -> str:
    """Two significant digits; a dash where nothing was measured."""
    if math.isnan(value):
        return "-"
    return "0" if value == 0.0 else f"{value:.1e}"


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
