"""The derivative of a function along one line by extrapolated differences, with an error estimate.

Central differences at a step h have an error that is a series in h², one-sided ones a series in h. From the values at
h, h/2, h/4, … Neville's scheme eliminates one power after the other (Richardson). A *window* is a run of consecutive
steps; its extrapolated value carries two errors, which are estimated apart:

- truncation, by how far the value moved in the last stage of the scheme (Ridders, Adv. Eng. Software 4, 1982, 75-76);
- rounding, by the noise of the function at this point divided by the steps, with the weights of the scheme.

The window of the smallest total error wins. A window in which the left and the right derivative disagree by more than
their errors holds a kink. Windows that smaller steps contradict do not count, and smaller steps are tried before a kink
is believed, because a kink may lie *near* the point and not at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from enrnn_ref.arrays import Array

UNIT = float(np.finfo(np.float64).eps)
SAFETY = 8.0
"""How many times its estimate an error may be. The estimates are of the right order, not bounds."""

LUCK = 64.0
"""By how much the error estimate may fall from one stage of the extrapolation to the next."""

TARGET = 2.0**-30
"""Relative error at which no further step is taken. It limits the effort; no verdict depends on it."""

_FIRST = -4  # the first step is 2^-4 of the argument's scale
_INITIAL = 5  # steps before the first look
_MORE = 3  # steps between two looks
_AHEAD = 7  # the witness is at 2^-7 of the smallest step
_LOWEST, _HIGHEST = -40, 24
_STAGES = 5


@dataclass(frozen=True)
class Slope:
    """Derivatives of M projections of a function along one line; all arrays are (M,).

    Attributes
    ----------
    value, error : ndarray
        Two-sided derivative and its estimated error; at a kink the mean of the sides and half their distance.
    left, right, side_error : ndarray
        One-sided derivatives and the sum of their errors; NaN where no step confirms any.
    kink, jump : ndarray of bool
        The sides disagree or diverge at all steps; the function itself is discontinuous (a jump is also a kink).
    variation : ndarray
        The largest difference quotient at any step: how steep the function is nearby.
    silent : bool
        No output changed by a single bit at any step.
    """

    value: Array
    error: Array
    left: Array
    right: Array
    side_error: Array
    kink: Array
    jump: Array
    variation: Array
    silent: bool


def slope(
    line: Callable[[float], Array], base: Array, cotangents: Array, responses: Array, scale: float, at: float
) -> Slope:
    """Derivative at 0 of ``cotangents @ line(h)``.

    Parameters
    ----------
    line : callable
        h → flat output (K,) with the argument moved from ``at`` to ``at + h``.
    base : ndarray (K,)
        ``line(0)``.
    cotangents : ndarray (M, K)
    responses : ndarray (P, K)
        Samples of what rounding may do to ``base`` (:mod:`~enrnn_ref.verify.conditioning`): the noise of the function.
    scale : float
        Natural size of the argument, at least ``abs(at)``; the first step is 2⁻⁴ of it.
    at : float
        The argument's value: steps are rounded so that ``at + h`` and ``at - h`` are exact.
    """
    ladder = _Ladder(line, base, cotangents, responses, scale, at)
    ladder.extend(range(_FIRST, _FIRST - _INITIAL, -1))
    while True:
        table = _Table(ladder)
        if ladder.silent or np.all(table.resolved):
            break
        if np.any(table.wants_smaller | (ladder.diverges() & ~table.resolved)) and ladder.lowest > _LOWEST:
            ladder.extend(range(ladder.lowest - 1, ladder.lowest - 1 - _MORE, -1))
        elif np.any(table.wants_larger) and ladder.highest < _HIGHEST:
            ladder.extend(range(ladder.highest + _MORE, ladder.highest, -1))
        else:
            break
    return table.slope(ladder)


class _Rung(NamedTuple):
    """A step h and the projected differences f(h) - f(0) and f(0) - f(-h), (M,) each."""

    step: float
    right: Array
    left: Array


class _Ladder:
    """The function's differences at steps ``scale · 2^e``, the largest step first.

    ``witness`` is one more rung, far below the others: what they seem to converge to must be confirmed there.
    """

    witness: _Rung

    def __init__(
        self,
        line: Callable[[float], Array],
        base: Array,
        cotangents: Array,
        responses: Array,
        scale: float,
        at: float,
    ) -> None:
        self._line, self._base, self._cotangents, self._responses = line, base, cotangents, responses
        self._scale, self._at = scale, abs(at)
        self._rungs: dict[int, _Rung] = {}
        self._changed = np.zeros(base.shape, bool)
        self._witness = _FIRST

    def extend(self, exponents: range) -> None:
        self._rungs |= {e: self._climb(e) for e in exponents}
        if self.lowest <= self._witness:
            self._witness = self.lowest - _AHEAD
            self.witness = self._climb(self._witness)

    def _climb(self, e: int) -> _Rung:
        h = self._scale * 2.0**e
        h = (self._at + h) - self._at  # a multiple of the last place, so that both neighbours are exact
        up, down = self._line(h) - self._base, self._base - self._line(-h)
        self._changed |= (up != 0.0) | (down != 0.0)
        return _Rung(h, self._cotangents @ up, self._cotangents @ down)

    @property
    def lowest(self) -> int:
        return min(self._rungs)

    @property
    def highest(self) -> int:
        return max(self._rungs)

    @property
    def silent(self) -> bool:
        return not self._changed.any()

    def columns(self) -> tuple[Array, Array, Array]:
        """Steps (S, 1), right and left differences (S, M)."""
        rungs = [self._rungs[e] for e in sorted(self._rungs, reverse=True)]
        steps, right, left = (np.array(column) for column in zip(*rungs, strict=True))
        return steps[:, None], right, left

    def noise(self) -> Array:
        """Rounding noise (M,) of the projected function, counting only the outputs that depend on the argument.

        Where none changes all count: the dependence may have been rounded away.
        """
        seen = self._cotangents * (self._changed | self.silent)
        rounding = UNIT * np.sqrt(np.square(seen) @ np.square(self._base))
        measured: Array = np.maximum(np.abs(self._responses @ seen.T).max(axis=0, initial=0.0), rounding)
        return measured

    def diverges(self, factor: float = 1.2) -> Array:
        """Where a difference quotient grows by ``factor`` and more at each of the last halvings of the step (M,)."""
        steps, right, left = self.columns()
        if len(right) <= _MORE:
            return np.zeros(right.shape[1], bool)
        floor = SAFETY * self.noise()
        grows = np.zeros(right.shape[1], bool)
        for side in (right, left):
            quotients = np.abs(side / steps)[-_MORE - 1 :]
            grows |= (np.abs(side[-1]) > floor) & np.all(quotients[1:] > factor * quotients[:-1], axis=0)
        return grows

    def jumps(self) -> Array:
        """Where the quotients grow like 1/h (M,), because |f(±h) - f(0)| does not shrink."""
        return self.diverges(1.5)

    def variation(self) -> Array:
        """The largest difference quotient at any step (M,)."""
        steps, right, left = self.columns()
        quotients = np.abs(np.concatenate([right / steps, left / steps]))
        largest: Array = np.max(quotients, axis=0, initial=0.0, where=np.isfinite(quotients))
        return largest


class _Table:
    """Extrapolated values of every window of a ladder, with their errors, and the choice among them.

    Arrays are (windows, M), or (steps, M) with the witness as the last step where they are called raw.
    """

    def __init__(self, ladder: _Ladder) -> None:
        steps, right, left = ladder.columns()
        first, self._last, _ = _windows(len(steps))
        self._steps = np.append(steps, ladder.witness.step)
        noise = ladder.noise() / self._steps[:, None]
        right = np.vstack([right, ladder.witness.right]) / self._steps[:, None]
        left = np.vstack([left, ladder.witness.left]) / self._steps[:, None]
        self._right = _extrapolate(right, 2.0 * noise, 2)
        self._left = _extrapolate(left, 2.0 * noise, 2)
        with np.errstate(invalid="ignore"):
            self._central = _extrapolate(0.5 * (right + left), noise, 4)
        self._side_error = self._right.error + self._left.error
        self._choose()
        chosen_noise, truncation = (
            _pick(self._central.noise, self._window),
            _pick(self._central.truncation, self._window),
        )
        noisy = np.isfinite(self.error) & (chosen_noise > truncation)
        self.resolved = ~self.kink & (self.error <= TARGET * np.abs(self.value)) & (self.value != 0.0)
        # A kink, or truncation: smaller steps help. Noise: larger ones do, as long as the largest was not too large,
        # and if there is a signal: without one nothing would tell when a step is longer than the function is smooth.
        self.wants_smaller = ~self.resolved & np.where(self.kink, self._kink_may_be_near(), ~noisy)
        signal = SAFETY * self.error < np.abs(self.value)
        self.wants_larger = ~self.resolved & ~self.kink & noisy & signal & (first == 0)[self._window]

    def _choose(self) -> None:
        gap = np.abs(self._right.value - self._left.value)
        confirmed = self._confirmed(self._right) & self._confirmed(self._left)
        pair = np.argmin(np.where(confirmed, self._side_error, np.inf), axis=0)
        self.left, self.right = _pick(self._left.value, pair), _pick(self._right.value, pair)
        self.side_error = np.where(_pick(confirmed, pair), _pick(self._side_error, pair), np.inf)
        self._gap = _pick(gap, pair)
        self.kink = ~(self._gap <= SAFETY * self.side_error)
        middle = 0.5 * (self.left + self.right)
        reach = 0.5 * self._gap + SAFETY * self.side_error
        smooth = confirmed & self._confirmed(self._central) & (gap <= SAFETY * self._side_error)
        eligible = smooth & (np.abs(self._central.value - middle) <= reach + SAFETY * self._central.error)
        self._window = np.argmin(np.where(eligible, self._central.error, np.inf), axis=0)
        found = _pick(eligible, self._window) & ~self.kink
        self.value = np.where(found, _pick(self._central.value, self._window), middle)
        self.error = np.where(found, _pick(self._central.error, self._window), 0.5 * self._gap + self.side_error)

    def _confirmed(self, scheme: _Extrapolation) -> Array:
        """Windows that smaller steps confirm.

        Large steps may straddle a kink near the point, or be longer than the period of the function, and yet seem to
        converge; smaller steps then tell another story, and do so in two ways. Windows of smaller steps have values of
        their own. And plain differences must approach the window's value, in proportion to the step at least, from
        their distance at its two smallest steps.
        """
        slack = SAFETY * (scheme.error[:, None] + scheme.error[None])
        disagree = np.abs(scheme.value[:, None] - scheme.value[None]) > slack
        smaller = self._last[None, :] > self._last[:, None]
        contradicted = np.any(disagree & smaller[..., None], axis=1)

        distance = np.abs(scheme.raw[None] - scheme.value[:, None])  # (windows, steps, M)
        windows = np.arange(len(self._last))
        own = distance[windows, self._last] + distance[windows, np.maximum(self._last - 1, 0)]
        shrinkage = self._steps[None, :] / self._steps[self._last][:, None]
        slack = SAFETY * (own[:, None] * shrinkage[..., None] + scheme.error[:, None] + scheme.raw_noise[None])
        departs = np.any((distance > slack) & (shrinkage < 1.0)[..., None], axis=1)
        confirmed: Array = ~contradicted & ~departs
        return confirmed

    def _kink_may_be_near(self) -> Array:
        """Whether still smaller steps could clear the kink: their noise is not yet as large as the gap."""
        may: Array = SAFETY * (self._right.noise[-1] + self._left.noise[-1]) < self._gap
        return may

    def slope(self, ladder: _Ladder) -> Slope:
        diverges = ladder.diverges() & ~self.resolved
        # Values there are, but at no step do smaller ones confirm them: no derivative, and no sides either.
        erratic = np.isinf(self.side_error) & np.isfinite(self._side_error).any(axis=0)
        return Slope(
            self.value,
            self.error,
            np.where(erratic, np.nan, self.left),
            np.where(erratic, np.nan, self.right),
            self.side_error,
            self.kink | diverges | erratic,
            diverges & ladder.jumps(),
            ladder.variation(),
            ladder.silent,
        )


class _Extrapolation(NamedTuple):
    """Difference quotients (steps, M) with their noise, and what the windows (windows, M) make of them."""

    raw: Array
    raw_noise: Array
    value: Array
    truncation: Array
    noise: Array

    @property
    def error(self) -> Array:
        return self.truncation + self.noise


def _extrapolate(raw: Array, raw_noise: Array, ratio: int) -> _Extrapolation:
    """All windows of the quotients ``raw``, the last of which is the witness and takes no part."""
    quotients = raw[:-1]
    weights, chains = _scheme(len(quotients), ratio)
    values = weights @ np.where(np.isfinite(quotients), quotients, 0.0)
    truncation = np.full_like(values, np.inf)
    for stage, (windows, one_less, earlier) in enumerate(chains, start=1):
        moved = np.maximum(np.abs(values[windows] - values[one_less]), np.abs(values[windows] - values[earlier]))
        # Among many windows some values agree by luck; one agreement must not be believed without the one before.
        truncation[windows] = np.maximum(moved, truncation[one_less] / LUCK) if stage > 1 else moved
    truncation[(weights != 0.0).astype(float) @ ~np.isfinite(quotients) > 0.0] = np.inf
    return _Extrapolation(raw, raw_noise, values, truncation, np.abs(weights) @ raw_noise[:-1])


def _pick(table: Array, window: Array) -> Array:
    picked: Array = np.take_along_axis(table, window[None], axis=0)[0]
    return picked


@lru_cache
def _windows(steps: int) -> tuple[Array, Array, Array]:
    """First step, last step and stages of every window."""
    last = np.array([end for end in range(steps) for _ in range(min(end, _STAGES) + 1)])
    stages = np.array([stage for end in range(steps) for stage in range(min(end, _STAGES) + 1)])
    return last - stages, last, stages


@lru_cache
def _scheme(steps: int, ratio: int) -> tuple[Array, list[tuple[Array, Array, Array]]]:
    """Neville weights (windows, steps) of the windows; errors in powers of 1/ratio.

    And for every stage from 1 on three lists: its windows, and the two of one stage less that each is made of, the one
    with the same last step and the one that ends a step earlier.
    """
    _, last, stages = _windows(steps)
    index = {window: i for i, window in enumerate(zip(last.tolist(), stages.tolist(), strict=True))}
    weights = np.zeros((len(index), steps))
    chains: list[list[tuple[int, int, int]]] = [[] for _ in range(stages.max(initial=0))]
    for (end, stage), i in index.items():
        if stage == 0:
            weights[i, end] = 1.0
            continue
        one_less, earlier = index[end, stage - 1], index[end - 1, stage - 1]
        power = float(ratio**stage)
        weights[i] = (power * weights[one_less] - weights[earlier]) / (power - 1.0)
        chains[stage - 1].append((i, one_less, earlier))
    rows = [np.array(chain).T for chain in chains]
    return weights, [(chain[0], chain[1], chain[2]) for chain in rows]
