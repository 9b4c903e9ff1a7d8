"""The analytic gradient of one argument beside its slopes, and the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.verify import conditioning, differences, sweep
from enrnn_ref.verify.diagnosis.relations import relations
from enrnn_ref.verify.effort import Effort
from enrnn_ref.verify.lines import entry_line
from enrnn_ref.verify.problem import Problem
from enrnn_ref.verify.report import Entry, Row
from enrnn_ref.verify.trees import PARTS, Leaf
from enrnn_ref.verify.verdicts import Verdict

Exact = Callable[[Arrays, Arrays], Array]

WORST = 5
"""How many entries a row names."""

RESOLUTION = 2.0**-22
"""Tolerance / magnitude above which an entry is called unresolved by differences and handed to the tangent."""


class Comparison:
    """The analytic gradient of one argument beside its slopes; arrays are (entries, directions).

    The exact derivative, if there is one, comes first, entry by entry. Differences decide where there is none and where
    it disagrees: at a kink the convention of the one is as good as that of the other.

    Parameters
    ----------
    problem : Problem
    name : str
        The argument.
    analytic, spread, floor : ndarray (entries, directions)
        The gradient for every cotangent, and what rounding may do to it
        (:class:`~enrnn_ref.verify.conditioning.Rounding`).
    base, cotangents, responses : ndarray (K,), (directions, K), (P, K)
        As :func:`~enrnn_ref.verify.differences.slope` takes them.
    exact : callable or None
        (arrays, directions) → derivative of the output (K,), known to be the function's own.
    tied : bool
        Whether the exact derivative rests on a choice at a tie. It then confirms, and proves nothing wrong.
    chosen : ndarray of int
        The entries to compare.
    effort : Effort
    time_axis : int or None
        Which axis of the argument is time.
    """

    def __init__(
        self,
        problem: Problem,
        name: str,
        analytic: Array,
        spread: Array,
        floor: Array,
        base: Array,
        cotangents: Array,
        responses: Array,
        *,
        exact: Exact | None,
        tied: bool,
        chosen: Array,
        effort: Effort,
        time_axis: int | None,
    ) -> None:
        self.name, self.shape, self.time_axis = name, problem.arrays[name].shape, time_axis
        self._chosen, self._complex = chosen, name in problem.complex
        self._problem, self._base, self._cotangents = problem, base, cotangents
        self.analytic, self.spread, self.floor = analytic[chosen], spread[chosen], floor[chosen]
        form = self.analytic.shape
        self.numeric, self.error, self.tolerance = np.zeros(form), np.zeros(form), np.zeros(form)
        self.left, self.right, self.side_error = np.zeros(form), np.zeros(form), np.zeros(form)
        self.kink, self.jump, self.silent = np.zeros(form, bool), np.zeros(form, bool), np.zeros(form, bool)
        self.coarse, self.variation = np.zeros(form, bool), np.zeros(form)
        self.decided = 0
        for k in range(len(chosen)):
            if exact is None or tied or not self._agrees(exact, k):
                self._difference(k, responses)
            effort.done(name)
        self.wrong = self._disagrees()
        # A zero needs no tangent where the function is seen to vary nearby, but not at the point.
        self.stationary = (self.analytic == 0.0) & (self.tolerance <= RESOLUTION * self.variation)
        self.unresolved = self.coarse & ~self.kink & ~self.wrong
        for decisive, refutes in ((exact, not tied), (problem.tangent, True)):
            if decisive is not None:
                for k in map(int, np.flatnonzero(self.unresolved.any(axis=1))):
                    self._decide(decisive, k, refutes=refutes)

    def _index(self, k: int) -> tuple[int, ...]:
        """Of the k-th compared entry."""
        return tuple(int(i) for i in np.unravel_index(self._chosen[k], self.shape))

    def _column(self, exact: Exact, k: int) -> tuple[Array, Array]:
        """⟨u, J e_k⟩ for every cotangent u, and its rounding error."""
        direction = np.zeros(self.shape)
        direction[self._index(k)] = 1.0
        column = exact(self._problem.arrays, self._problem.direction(self.name, direction))
        rounding = conditioning.SAFETY * differences.UNIT * (np.abs(self._cotangents) @ np.abs(column))
        return self._cotangents @ column, rounding

    def _agrees(self, exact: Exact, k: int) -> bool:
        """Compare with the exact derivative."""
        self.numeric[k], self.error[k] = self._column(exact, k)
        self.tolerance[k] = self.error[k] + self.floor[k]
        return bool(np.all(np.abs(self.analytic[k] - self.numeric[k]) <= self.tolerance[k]))

    def _difference(self, k: int, responses: Array) -> None:
        """Compare with extrapolated differences."""
        index = self._index(k)
        line, scale = entry_line(self._problem, self.name, index, self._base)
        at = float(self._problem.arrays[self.name][index])
        slope = differences.slope(line, self._base, self._cotangents, responses, scale, at)
        self.left[k], self.right[k] = slope.left, slope.right
        self.side_error[k] = differences.SAFETY * slope.side_error
        self.kink[k], self.jump[k], self.numeric[k] = slope.kink, slope.jump, slope.value
        self.error[k], self.variation[k] = differences.SAFETY * slope.error, slope.variation
        # The floor at a kink would be its height: there rounding decides between the sides.
        rounding = conditioning.SAFETY * differences.UNIT * np.abs(self.analytic[k])
        tolerance = np.where(slope.kink, self.side_error[k] + rounding, self.error[k] + self.floor[k])
        # An estimate that rests on few digits is itself uncertain.
        magnitude = np.maximum(np.abs(self.analytic[k]), np.abs(self.numeric[k]))
        self.coarse[k] = ~(tolerance <= RESOLUTION * magnitude)
        self.tolerance[k] = np.where(self.coarse[k] & ~slope.kink, differences.SAFETY * tolerance, tolerance)
        # An output that never moved agrees with an analytic zero, and with any tiny number.
        self.silent[k] = slope.silent & (self.analytic[k] == 0.0)

    def _decide(self, exact: Exact, k: int, *, refutes: bool) -> None:
        """Put ⟨u, J e_k⟩, which has no resolution to lose, in the place of the slopes that have too little."""
        value, rounding = self._column(exact, k)
        if not refutes and np.any(np.abs(self.analytic[k] - value) > rounding + self.floor[k]):
            return
        here = self.unresolved[k].copy()
        self.numeric[k] = np.where(here, value, self.numeric[k])
        self.error[k] = np.where(here, rounding, self.error[k])
        self.tolerance[k] = np.where(here, rounding + self.floor[k], self.tolerance[k])
        self.wrong[k] = self._disagrees()[k]
        self.silent[k] = self.unresolved[k] = False
        self.decided += 1

    def _magnitude(self) -> Array:
        magnitude: Array = np.maximum(np.abs(self.analytic), np.abs(self.numeric))
        return magnitude

    def _disagrees(self) -> Array:
        disagrees: Array = ~self.kink & ~(np.abs(self.analytic - self.numeric) <= self.tolerance)
        return disagrees

    def row(self, told: str = "") -> Row:
        """The gravest finding, at its worst entries; ``told`` is what else to say of right and wrong gradients."""
        count = len(self.analytic)
        if not count:
            return Row(self.name, "gradient", Verdict.PASSED, 0.0, 0.0, True, "no entries")
        outside = self.kink & ~(self._beyond() <= self.tolerance)
        blind = self.unresolved & ~(self.tolerance < self._magnitude()) & ~self.silent & ~self.stationary
        if self.wrong.any():
            differ = f"{self._entries(self.wrong)} differ"
            return self._row(Verdict.WRONG, self.wrong, "; ".join(filter(None, (differ, told))))
        spoiled = ~self.kink & ~np.isfinite(self.tolerance)
        if spoiled.any():
            return self._row(Verdict.NOT_FINITE, spoiled, "the function is not finite around the point")
        if self.kink.any():
            return self._kink_row(outside)
        if conditioning.undetermined(self.analytic, self.spread):
            return self._row(Verdict.ILL_CONDITIONED, ~self.kink, "rounding moves the gradient by its own size")
        if self.silent.all():
            return self._row(Verdict.VANISHED, self.silent, "the function does not visibly depend on this argument")
        if blind.any():
            return self._row(Verdict.VANISHED, blind, f"{self._entries(blind)} below what differences can see")
        by_tangent = f"{self.decided} of {count} entries decided by an exact derivative" if self.decided else ""
        return self._row(Verdict.PASSED, ~self.kink, "; ".join(filter(None, (told, by_tangent))))

    def relations(self) -> tuple[str, ...]:
        """How the whole gradient is related to the right one, where it is wrong; for the first cotangent."""
        if len(self._chosen) < math.prod(self.shape) or not self.wrong.any() or self.kink.any():
            return ()
        leaf = Leaf((), self.shape[:-1], np.dtype(np.complex128)) if self._complex else None
        parts = [part[:, 0].reshape(self.shape) for part in (self.analytic, self.numeric, self.tolerance)]
        analytic, numeric = (
            np.ascontiguousarray(part) if leaf is None else leaf.restored(np.ascontiguousarray(part))
            for part in parts[:2]
        )
        tolerance = parts[2] if leaf is None else parts[2].max(axis=-1)
        steps = None if self.time_axis is None else self.shape[self.time_axis]
        return relations(self.name, analytic, numeric, tolerance, steps=steps)

    def _beyond(self) -> Array:
        """How far the analytic value is outside the interval of the one-sided derivatives; NaN at a jump."""
        low, high = np.minimum(self.left, self.right), np.maximum(self.left, self.right)
        beyond = np.maximum(np.maximum(low - self.analytic, self.analytic - high), 0.0)
        return np.where(self.jump, np.nan, beyond)

    def _error(self) -> Array:
        return np.where(self.kink, self._beyond(), np.abs(self.analytic - self.numeric))

    def _kink_row(self, outside: Array) -> Row:
        among = outside if outside.any() else self.kink
        if self.jump.any():
            among, told = self.jump, f"jump: {self._entries(self.jump)} where the function is discontinuous"
        elif outside.any():
            # Where several kinks meet, a right convention at each need not give a value between the outer sides.
            told = f"{self._entries(self.kink)}; not between the sides{self._sides(among)}"
        else:
            told = f"{self._entries(self.kink)}, all between their sides{self._sides(self.kink)}"
        return self._row(Verdict.KINK, among, told, passed=not outside.any())

    def _sides(self, among: Array) -> str:
        """The one-sided derivatives at the worst of the kinks."""
        k, m = self._worst(among)
        return f": left {self.left[k, m]:.6g}, right {self.right[k, m]:.6g}, analytic {self.analytic[k, m]:.6g}"

    def _entries(self, among: Array) -> str:
        return f"{np.count_nonzero(among.any(axis=1))} of {len(among)} entries"

    def _ratio(self) -> Array:
        """Error / tolerance; infinite where there is no number to compare with."""
        error = self._error()
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(error > 0.0, error / self.tolerance, 0.0)
        return np.nan_to_num(ratio, nan=np.inf, posinf=np.inf)

    def _order(self, among: Array) -> Array:
        """Flat positions, the largest error / tolerance first; among equals the largest magnitude."""
        ratio = np.where(among, self._ratio(), -1.0)
        order: Array = np.lexsort((self._magnitude().ravel(), ratio.ravel()))[::-1]
        return order[: np.count_nonzero(among)]

    def _worst(self, among: Array) -> tuple[int, int]:
        k, m = np.unravel_index(self._order(among)[0], among.shape)
        return int(k), int(m)

    def _entry(self, k: int, m: int) -> Entry:
        index = self._index(k)
        return Entry(
            index,
            float(self.analytic[k, m]),
            float(self.numeric[k, m]),
            float(self.tolerance[k, m]),
            float(self.error[k, m]),
            None if self.time_axis is None else index[self.time_axis],
        )

    def _worst_entries(self, among: Array) -> tuple[Entry, ...]:
        """A few, each entry once."""
        positions = [divmod(int(i), among.shape[1]) for i in self._order(among)]
        first = {k: m for k, m in reversed(positions)}  # noqa: C416 (the last one to be set wins: the worst)
        return tuple(self._entry(k, first[k]) for k in list(dict.fromkeys(k for k, _ in positions))[:WORST])

    def _ratios(self) -> Array:
        """Of every entry, in the shape of the argument; NaN where none was compared."""
        whole = np.full(math.prod(self.shape), np.nan)
        whole[self._chosen] = self._ratio().max(axis=1)
        return whole.reshape(self.shape)

    def _row(self, verdict: Verdict, among: Array, detail: str, *, passed: bool | None = None) -> Row:
        k, m = self._worst(among)
        scales = np.where(self.stationary, self.variation, self._magnitude())
        scale = float(scales[k, m]) or float(scales.max()) or 1.0
        index = self._index(k)
        if self._complex:
            detail = "; ".join(filter(None, (detail, f"{PARTS[index[-1]]} of entry {index[:-1]}")))
        line, length = entry_line(self._problem, self.name, index, self._base)
        return Row(
            self.name,
            "gradient",
            verdict,
            float(self._error()[k, m]) / scale,
            math.nan if self.jump[k, m] else float(self.tolerance[k, m]) / scale,
            verdict is Verdict.PASSED if passed is None else passed,
            detail,
            index,
            float(self.analytic[k, m]),
            float(self.numeric[k, m]),
            self._worst_entries(among),
            self._ratios(),
            self.time_axis,
            sweep.error_curve(line, self._cotangents[m], float(self.analytic[k, m]), length),
        )
