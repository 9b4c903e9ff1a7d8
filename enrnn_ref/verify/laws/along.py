"""Laws of a gradient along structured directions; each returns a row.

A function of an orthogonal matrix need not make sense beside the orthogonal group, and a function of the eigenvalues
does not see a change of basis: the directions that keep such a structure tell what its gradient must satisfy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from enrnn_ref.arrays import Array, Arrays, integer
from enrnn_ref.errors import OptionError, ParameterError, ShapeError
from enrnn_ref.linalg.threads import single_threaded_blas
from enrnn_ref.verify import conditioning, differences
from enrnn_ref.verify.laws.directions import Direction, Kind
from enrnn_ref.verify.laws.rows import dot
from enrnn_ref.verify.lines import value
from enrnn_ref.verify.problem import Problem
from enrnn_ref.verify.report import Entry, Row
from enrnn_ref.verify.sample import cotangent
from enrnn_ref.verify.verdicts import Verdict

RESOLUTION = 2.0**-22
"""Tolerance / magnitude above which nothing has been decided."""


@single_threaded_blas()
def structured(problem: Problem, name: str, kind: Kind, *, most: int = 256, seed: int = 0) -> Row:
    """The gradient's inner product with every direction of a kind is the slope of the function along it.

    The slopes are extrapolated differences (:mod:`~enrnn_ref.verify.differences`) along curves that keep the
    structure, so the function is never evaluated outside. What of a gradient points outside is not looked at.

    Parameters
    ----------
    problem : Problem
        ``laws.problem(function, pullback, arguments)``, in float64.
    name : str
        The array that has the structure.
    kind : callable
        ``directions.skew``, ``orthogonal``, ``similar``, ``scaling`` or ``circulant(block)``, or one's own.
    most : int
        Of more directions, as many are drawn.
    seed : int
        Of the cotangent and of that draw.

    Returns
    -------
    Row
        Errors are relative to ‖gradient‖ ‖direction‖: an inner product of two large arrays may be zero. VANISHED where
        the tolerance is not small beside that.

    Raises
    ------
    ParameterError, ShapeError, OptionError
        ``name`` is none of the arrays, or its shape does not go with the kind.
    """
    u, chosen = _choose(problem, name, kind, most, seed)
    rng = np.random.default_rng([seed, 11])
    base = problem.function(problem.arrays)
    samples = conditioning.responses(lambda arrays: {"": problem.function(arrays)}, problem.arrays, {"": base}, rng)
    responses = np.array([sample[""] for sample in samples])
    analytic, floor, scale = _inner_products(problem, name, chosen, u, rng)

    def line(direction: Direction) -> Callable[[float], Array]:
        return lambda h: value(problem, {**problem.arrays, name: direction.move(h)}, base)

    with np.errstate(all="ignore"):  # a long step may leave the domain of the function
        slopes = [differences.slope(line(d), base, u[np.newaxis], responses, d.scale, 0.0) for d in chosen]
    title = f"{name} along {_words(kind)} directions"
    return _Finding(title, [d.index for d in chosen], analytic, floor, scale, slopes).row()


@single_threaded_blas()
def invariance(problem: Problem, name: str, kind: Kind, *, most: int = 256, seed: int = 0) -> Row:
    """The gradient is orthogonal to every direction of a kind: the function does not change along them.

    So it is for a function of eigenvalues along ``similar``, and for one of T / ρ(T) along ``scaling``. The tolerance
    is what rounding does to the inner product; no differences are taken. Parameters, scale and errors as those of
    :func:`structured`.
    """
    u, chosen = _choose(problem, name, kind, most, seed)
    analytic, floor, scale = _inner_products(problem, name, chosen, u, np.random.default_rng([seed, 12]))
    title = f"{name} unchanged along {_words(kind)} directions"
    errors = np.abs(analytic)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors > 0.0, errors / floor, 0.0)
    worst = int(np.argmax(ratios))
    verdict = Verdict.PASSED if ratios[worst] <= 1.0 else Verdict.WRONG
    relative = float(scale[worst]) or 1.0
    error, tolerance = float(errors[worst]) / relative, float(floor[worst]) / relative
    passed = verdict is Verdict.PASSED
    return Row(title, "law", verdict, error, tolerance, passed, "", chosen[worst].index, float(analytic[worst]), 0.0)


@dataclass(frozen=True)
class _Finding:
    """Inner products (D,) beside slopes, and what they amount to."""

    title: str
    indices: list[tuple[int, ...]]
    analytic: Array
    floor: Array
    scale: Array
    slopes: list[differences.Slope]

    def row(self) -> Row:
        """The gravest finding, at its worst direction."""
        numeric, estimate, left, right, side_error = (
            np.array([getattr(slope, field)[0] for slope in self.slopes])
            for field in ("value", "error", "left", "right", "side_error")
        )
        kink = np.array([slope.kink[0] for slope in self.slopes], bool)
        beyond = np.maximum(np.minimum(left, right) - self.analytic, self.analytic - np.maximum(left, right))
        error = np.where(kink, np.maximum(beyond, 0.0), np.abs(self.analytic - numeric))
        tolerance = differences.SAFETY * np.where(kink, side_error, estimate) + np.where(kink, 0.0, self.floor)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(error == 0.0, 0.0, error / tolerance)
        ratios = np.where(np.isnan(ratios), np.inf, ratios)
        unseen = ~kink & ~(tolerance <= RESOLUTION * self.scale)
        wrong = ~kink & ~(ratios <= 1.0) & np.isfinite(numeric)
        count, total = np.count_nonzero, len(self.indices)
        verdict, among, detail = Verdict.PASSED, np.full(total, True), f"{total} directions"
        if wrong.any():
            verdict, among, detail = Verdict.WRONG, wrong, f"{count(wrong)} of {total} directions differ"
        elif not np.isfinite(numeric[~kink]).all():
            among = ~kink & ~np.isfinite(numeric)
            verdict, detail = Verdict.NOT_FINITE, "the function is not finite along the direction"
        elif kink.any():
            verdict, among, detail = Verdict.KINK, kink, f"{count(kink)} of {total} directions"
        elif unseen.any():
            verdict, among = Verdict.VANISHED, unseen
            detail = f"{count(unseen)} of {total} directions below what differences can see"
        passed = verdict is Verdict.PASSED or (verdict is Verdict.KINK and bool(np.all(ratios[kink] <= 1.0)))
        order = sorted(np.flatnonzero(among), key=lambda k: -ratios[k])
        worst = order[0]
        relative = float(self.scale[worst]) or 1.0
        entries = tuple(
            Entry(self.indices[k], float(self.analytic[k]), float(numeric[k]), float(tolerance[k]), float(estimate[k]))
            for k in order[:5]
        )
        return Row(
            self.title,
            "law",
            verdict,
            float(error[worst]) / relative,
            float(tolerance[worst]) / relative,
            passed,
            detail,
            self.indices[worst],
            float(self.analytic[worst]),
            float(numeric[worst]),
            entries,
        )


def _choose(problem: Problem, name: str, kind: Kind, most: int, seed: int) -> tuple[Array, list[Direction]]:
    """The cotangent, and the directions at the point."""
    seed, most = integer("seed", seed, least=0), integer("most", most)
    if not callable(kind):
        raise OptionError(f"kind is a {type(kind).__name__}; expected a function from a matrix to its directions.")
    if name not in problem.arrays:
        raise ParameterError(f"name is {name!r}; expected one of {list(problem.arrays)}.")
    rng = np.random.default_rng([seed, 10])
    u = cotangent(rng, (problem.size,), problem.dtype)
    every = list(kind(problem.arrays[name]))
    if not every:
        raise ShapeError(f"{name} has shape {problem.arrays[name].shape}, which leaves no direction to move in.")
    if len(every) > most:
        every = [every[k] for k in np.sort(rng.choice(len(every), most, replace=False))]
    return u, every


def _inner_products(
    problem: Problem, name: str, chosen: list[Direction], u: Array, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """⟨G, X⟩ for every direction X, what rounding may do to it, and ‖G‖ ‖X‖; all (D,)."""
    directions = [direction.tangent for direction in chosen]

    def products(arrays: Arrays) -> Arrays:
        point = {key: arrays[key] for key in problem.arrays}
        gradient = problem.pullback(point, arrays["cotangent"])[name]
        return {"": np.array([dot(gradient, direction) for direction in directions])}

    arrays = {**problem.arrays, "cotangent": u}
    analytic = products(arrays)[""]
    floor = conditioning.rounding(products, arrays, {"": analytic}, rng).floor[""]
    gradient = problem.pullback(problem.arrays, u)[name]
    terms = np.array([dot(np.abs(gradient), np.abs(direction)) for direction in directions])
    sizes = np.array([float(np.linalg.norm(direction)) for direction in directions])
    floor = floor + conditioning.SAFETY * conditioning.unit(problem.dtype) * terms
    return analytic, floor, float(np.linalg.norm(gradient)) * sizes


def _words(kind: Kind) -> str:
    name: str = getattr(kind, "__name__", type(kind).__name__)
    return name.replace("_", " ")
