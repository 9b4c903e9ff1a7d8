"""check_model: laws, gradients and invariants of a recurrent model at one random point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref import models
from enrnn_ref.arrays import Array
from enrnn_ref.linalg.threads import single_threaded_blas
from enrnn_ref.verify import conditioning, laws
from enrnn_ref.verify.agreement import agreement
from enrnn_ref.verify.gradient import Found, Plan, gradient_rows, preliminaries
from enrnn_ref.verify.laws.invariants import leader
from enrnn_ref.verify.problem import Problem
from enrnn_ref.verify.report import Report, Row, worst_row
from enrnn_ref.verify.sample import Model, Sample, draw
from enrnn_ref.verify.verdicts import Verdict


def check_model(
    model: Model,
    *,
    backend: str = "cpu",
    seed: int = 0,
    steps: int = 7,
    batch: int | None = None,
    dtype: npt.DTypeLike = np.float64,
    params: Mapping[str, Array] | None = None,
    x: Array | None = None,
    state: Mapping[str, Array] | None = None,
    reference: models.Model | None = None,
) -> Report:
    """Check every gradient of a recurrent model, the user's own included.

    The laws come first (:mod:`~enrnn_ref.verify.laws`), then every parameter, the input and the initial state, then the
    promises of the parametrization. The loss weighs y at all steps and the final state with random cotangents.

    In float64 gradients are compared with extrapolated differences as in
    :func:`~enrnn_ref.verify.check_gradient`, and with the tangent where an entry is too small for those. In float32
    differences would show rounding alone: there the gradient is compared with the float64 gradient at the same point,
    within what one-unit-in-the-last-place perturbations do to it in float32. Check both.

    Parameters
    ----------
    model : Model
        Any object with the API of this package's models. Choose pairwise distinct sizes, so that no axis can pass for
        another.
    backend : str
    seed : int
        Of the point, the cotangents and all perturbations; two reports with one seed are equal.
    steps, batch : int
        T and B of the drawn input. Without ``batch`` it is the least number above 3 that no axis of the model has.
    dtype : float64 or float32
    params, x, state : optional
        The point, where it should not be drawn; of dtype ``dtype``.
    reference : Model, optional
        The model of this package that ``model`` is meant to be, with the same names and shapes. Adds a comparison with
        its values and gradients, and looks for the mistake where they differ
        (:mod:`~enrnn_ref.verify.diagnosis`).

    Returns
    -------
    Report

    Raises
    ------
    EnrnnError
        A bad argument, or a point at which the model has no derivative (DegenerateEigenvalueError).
    """
    with single_threaded_blas():
        sample = draw(
            model, backend=backend, seed=seed, steps=steps, batch=batch, dtype=dtype, params=params, x=x, state=state
        )
        problem = sample.problem()
        rows, rest = preliminaries(problem, seed)
        told: tuple[str, ...] = ()
        if rest is not None:
            rows += [law(sample) for law in laws.fitting(sample)]
            found = _gradients(sample, rest)
            rows, told = rows + found.rows, found.diagnosis
            if getattr(model, "initial_state", False):
                rows += _learned_start(sample.at(state={}))
    steps, batch, _ = sample.x.shape
    settings: dict[str, Any] = {"seed": seed, "backend": backend, "steps": steps, "batch": batch}
    if isinstance(model, models.Model):
        for prefix, recurrence, own, buffers in model.recurrences(sample.params):
            value = recurrence.evaluate(own, buffers)
            promise = laws.promise(value)
            rows.append(replace(promise, name=f"{prefix}{promise.name}"))
            pair = leader(value)
            if pair is not None:
                settings |= {
                    f"{prefix}eigenvalue gap": f"{pair.gap:.3g}",
                    f"{prefix}eigenvalue condition": f"{pair.condition:.3g}",
                }
    if reference is not None:
        beside = _agreement(reference, sample)
        rows += [replace(row, name=f"{row.name} (reference)") for row in beside.rows]
        told = beside.diagnosis or told
    return Report(f"{type(model).__name__} in {problem.dtype}", tuple(rows), settings, told)


def _learned_start(sample: Sample) -> list[Row]:
    """The rows of a run that is given no state, where the trained initial state has its gradient."""
    rows = _gradients(sample, sample.problem()).rows
    return [replace(row, name=f"{row.name} (learned start)") for row in rows]


def _agreement(reference: models.Model, sample: Sample) -> Report:
    """The sample's values and gradients beside those of the reference."""
    point = (sample.params, sample.x, sample.state, sample.dy, sample.dstate)
    return agreement(reference, *point, sample.everything(), title=type(sample.model).__name__)


def _gradients(sample: Sample, problem: Problem) -> Found:
    """The rows of all gradients: by differences in float64, by the float64 gradients in float32."""
    if problem.dtype == np.float32:
        return Found(_against_float64(sample, problem), "float64", ())
    return gradient_rows(problem, Plan(1, sample.seed, time_axes={"x": 0}))


def _against_float64(sample: Sample, problem: Problem) -> list[Row]:
    """Rows for a float32 gradient against the float64 gradient at the same point."""
    u = sample.cotangent()
    narrow = problem.pullback(problem.arrays, u)
    exact = sample.widened()
    wide = exact.problem().pullback(exact.arrays(), exact.cotangent())
    rounding = conditioning.rounding(
        lambda arrays: problem.pullback({key: arrays[key] for key in problem.arrays}, arrays["cotangent"]),
        {**problem.arrays, "cotangent": u},
        narrow,
        np.random.default_rng([sample.seed, 8]),
    )
    rows = []
    for name, value in narrow.items():
        magnitude = np.maximum(np.abs(value), np.abs(wide[name]))
        row = worst_row(
            name, "gradient", {name: np.abs(value - wide[name])}, {name: rounding.floor[name]}, {name: magnitude}
        )
        if row.passed and conditioning.undetermined(value, rounding.spread[name]):
            row = replace(row, verdict=Verdict.ILL_CONDITIONED, passed=False)
        elif row.index is not None:
            row = replace(row, analytic=float(value[row.index]), numeric=float(wide[name][row.index]))
        rows.append(row)
    return rows
