"""All laws that fit at once: of a recurrent model, or of any differentiable function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref import models
from enrnn_ref.arrays import Array, integer
from enrnn_ref.errors import EnrnnError
from enrnn_ref.linalg.threads import single_threaded_blas
from enrnn_ref.verify.contract import contract
from enrnn_ref.verify.laws import functions, invariants, recurrent
from enrnn_ref.verify.problem import Arguments, ContractError, Problem, from_callables
from enrnn_ref.verify.report import Report, Row
from enrnn_ref.verify.sample import Model, cotangent, draw
from enrnn_ref.verify.verdicts import Verdict


def check(
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
) -> Report:
    """Every law that fits a recurrent model, the user's own included; in a test, ``laws.check(model).require()``.

    Parameters
    ----------
    model : Model
        Any object with the API of this package's models, or a :class:`~enrnn_ref.verify.laws.FunctionModel`. Its
        tangent may be None; then the adjoint identity is left out.
    backend, seed, steps, batch, dtype, params, x, state
        As those of :func:`~enrnn_ref.verify.check_model`.

    Returns
    -------
    Report
        The contract; if it holds, the laws of a differentiable function and of a recurrent model; for a model of this
        package the invariants of its parametrizations.

    Raises
    ------
    EnrnnError
        A bad argument. What is wrong with the model is a verdict; a law in which it raises has NO_ANSWER.
    """
    with single_threaded_blas():
        sample = draw(
            model, backend=backend, seed=seed, steps=steps, batch=batch, dtype=dtype, params=params, x=x, state=state
        )
        problem = sample.problem()
        rows, going = _differentiable(problem, sample.cotangent(), seed)
        if going:
            rows += [_answered(law, sample) for law in recurrent.fitting(sample)]
        if isinstance(model, models.Model):
            rows += invariants.of_model(model, sample.params)
    steps, batch, _ = sample.x.shape
    settings = {"seed": seed, "backend": backend, "steps": steps, "batch": batch}
    return Report(f"laws of {type(model).__name__} in {problem.dtype}", tuple(rows), settings)


def check_function(
    function: Callable[..., Any],
    pullback: Callable[..., Any],
    arguments: Arguments,
    *,
    tangent: Callable[..., Any] | None = None,
    seed: int = 0,
) -> Report:
    """Every law of a differentiable function; arguments and errors as those of ``check_gradient``.

    No differences are taken, so it costs a few dozen evaluations whatever the size; a gradient that is wrong in a way
    that keeps all laws is found by differences alone.
    """
    seed = integer("seed", seed, least=0)
    with single_threaded_blas():
        try:
            problem = from_callables(function, pullback, arguments, tangent)
        except ContractError as error:
            rows = [Row("contract", "contract", error.verdict, math.nan, math.nan, False, str(error))]
        else:
            u = cotangent(np.random.default_rng([seed, 0]), (problem.size,), problem.dtype)
            rows, _ = _differentiable(problem, u, seed)
    return Report("laws of a function", tuple(rows), {"seed": seed})


def _differentiable(problem: Problem, u: Array, seed: int) -> tuple[list[Row], bool]:
    """The contract and, as far as it holds, the laws of any differentiable function; and whether anything is left."""
    try:
        found = contract(problem, u)
    except EnrnnError:
        raise
    except Exception as error:
        return [_no_answer("contract", "contract", error)], False
    rows, rest = list(found.rows), found.problem
    if rest is not None:
        if rest.tangent is not None:
            rows.append(_answered(functions.adjoint_identity, rest, u, seed))
        rows.append(_answered(functions.linearity, rest, u, seed))
        rows.append(_answered(functions.zero_cotangent, rest, u))
    return rows, rest is not None


def _answered(law: Callable[..., Row], *arguments: Any) -> Row:
    """The law's row, or one that says how the model failed to answer."""
    try:
        return law(*arguments)
    except Exception as error:
        return _no_answer(law.__name__.replace("_", " "), "law", error)


def _no_answer(name: str, group: str, error: Exception) -> Row:
    told = f"raised {type(error).__name__}: {error}"
    return Row(name, group, Verdict.NO_ANSWER, math.nan, math.nan, False, told)
