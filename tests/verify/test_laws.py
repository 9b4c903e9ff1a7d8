"""Every law is kept by right models of all kinds, and broken by a model that breaks nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enrnn_ref as er
from enrnn_ref.errors import OptionError, ParameterError
from enrnn_ref.verify import Verdict, laws
from tests.strategies import EVERY_KIND, dtypes, models
from tests.verify.own_model import OwnRNN

OF_FUNCTIONS = (laws.adjoint_identity, laws.linearity, laws.zero_cotangent)


def row_of(law, model, **options):
    sample = laws.sample(model, **{"steps": 4, "batch": 3, "seed": 1, **options})
    if law in OF_FUNCTIONS:
        return law(sample.problem(), sample.cotangent())
    return law(sample)


class LooksAhead(OwnRNN):
    """A leak into the states, far below what rounding does to a gradient."""

    def forward(self, params, x, state=None, **options):
        run = super().forward(params, x, state, **options)
        run.h[1:] += 1e-15 * x.mean(axis=(0, 2))[:, np.newaxis]
        return run


class LooksAheadInOutput(OwnRNN):
    def forward(self, params, x, state=None, **options):
        run = super().forward(params, x, state, **options)
        run.y[:-1] += 1e-16 * x[-1].sum(axis=-1, keepdims=True)
        return run


class LooksAheadBackward(OwnRNN):
    def backward(self, run, dy, dstate=None):
        grads = super().backward(run, dy, dstate)
        grads.x[-1] += 1e-16 * dy[:-1].sum(axis=(0, 2))[:, np.newaxis]
        return grads


class NormalisesTheBatch(OwnRNN):
    def forward(self, params, x, state=None, **options):
        return super().forward(params, x - 1e-15 * x.mean(axis=1, keepdims=True), state, **options)


class MixesGradientsOfTheBatch(OwnRNN):
    def backward(self, run, dy, dstate=None):
        grads = super().backward(run, dy, dstate)
        grads.state["h"][0] += 1e-16 * grads.state["h"][1]
        return grads


class Scales(OwnRNN):
    """A right gradient of a network whose input is scaled here and there."""

    def factor(self, x):
        raise NotImplementedError

    def forward(self, params, x, state=None, **options):
        run = super().forward(params, self.factor(x) * x, state, **options)
        run.factor = self.factor(x)
        return run

    def backward(self, run, dy, dstate=None):
        grads = super().backward(run, dy, dstate)
        grads.x *= run.factor
        return grads

    def tangent(self, params, x, dparams, *, dx=None, **options):
        along = None if dx is None else self.factor(x) * dx
        return OwnRNN().tangent(params, self.factor(x) * x, dparams, dx=along, **options)


class CountsSteps(Scales):
    """Scales the input of its third step: not the same network after a cut."""

    def factor(self, x):
        factor = np.ones((len(x), 1, 1), x.dtype)
        factor[2:3] += 1e-9
        return factor


class CountsSequences(Scales):
    """Scales the input of the first sequence of a batch."""

    def factor(self, x):
        factor = np.ones((1, x.shape[1], 1), x.dtype)
        factor[:, :1] += 1e-9
        return factor


class ClipsGradients(OwnRNN):
    """At a limit that the gradient of one cotangent does not reach, and that of a sum of two does."""

    def backward(self, run, dy, dstate=None):
        grads = super().backward(run, dy, dstate)
        grads.x = np.clip(grads.x, -2.5, 2.5)
        return grads


class DecaysWeights(OwnRNN):
    def backward(self, run, dy, dstate=None):
        grads = super().backward(run, dy, dstate)
        grads.params = {key: g + 1e-17 * run.params[key] for key, g in grads.params.items()}
        return grads


class AveragesOverTime(OwnRNN):
    """Values split, and so do the gradients of input and state; those of the parameters do not add up."""

    def backward(self, run, dy, dstate=None):
        grads = super().backward(run, dy, dstate)
        grads.params = {key: g / (len(run.h) - 1) for key, g in grads.params.items()}
        return grads


class ForgetsTheCarriedGradient(OwnRNN):
    def __init__(self):
        super().__init__(mistake="final cotangent ignored")


class BackendsDiffer(OwnRNN):
    def forward(self, params, x, state=None, *, backend="cpu", **options):
        factor = 1 + 1e-12 if backend == "reference" else 1
        return super().forward(params, factor * x, state, **options)


class ForgetsInputGradient(OwnRNN):
    """Of an argument whose gradient is 1e-20 of the others."""

    def forward(self, params, x, state=None, **options):
        run = super().forward(params, 1e-20 * x, state, **options)
        run.given = x
        return run

    def backward(self, run, dy, dstate=None):
        grads = super().backward(run, dy, dstate)
        grads.x = 0 * grads.x
        return grads

    def tangent(self, params, x, dparams, *, dx=None, **options):
        return super().tangent(params, 1e-20 * x, dparams, dx=1e-20 * dx, **options)


class TimeStepLate(OwnRNN):
    def __init__(self):
        super().__init__(mistake="state one step late")


class MixesRows(OwnRNN):
    """In the backward pass, in an order that leaves the middle one in its place."""

    def __init__(self):
        super().__init__(mistake="batch rows mixed")


ALONE = [
    (laws.adjoint_identity, TimeStepLate),
    (laws.adjoint_identity, ForgetsInputGradient),
    (laws.linearity, ClipsGradients),
    (laws.zero_cotangent, DecaysWeights),
    (laws.causality, LooksAhead),
    (laws.causality, LooksAheadInOutput),
    (laws.causality, LooksAheadBackward),
    (laws.batch_independence, NormalisesTheBatch),
    (laws.batch_independence, MixesGradientsOfTheBatch),
    (laws.batch_permutation, CountsSequences),
    (laws.splitting, CountsSteps),
    (laws.backend_agreement, BackendsDiffer),
]
BROKEN = [
    *ALONE,
    (laws.splitting, AveragesOverTime),
    (laws.splitting, ForgetsTheCarriedGradient),
    (laws.batch_independence, MixesRows),
    (laws.batch_permutation, MixesRows),
]
LAWS = list({law.__name__: law for law, _ in ALONE}.values())


@pytest.mark.parametrize(("law", "broken"), BROKEN)
def test_a_model_that_breaks_the_law_is_found(law, broken):
    row = row_of(law, broken())
    assert row.verdict is Verdict.WRONG
    assert row.error > row.tolerance


@pytest.mark.parametrize(("law", "broken"), ALONE)
def test_and_by_no_other_law(law, broken):
    report = laws.check(broken(), steps=4, batch=3, seed=1)
    assert [row.name for row in report.rows if not row.passed] == [row_of(law, OwnRNN()).name], report
    with pytest.raises(AssertionError, match=row_of(law, OwnRNN()).name):
        report.require()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(5))
def test_a_right_model_keeps_it(law, dtype, seed):
    row = row_of(law, OwnRNN(), steps=5, batch=4, seed=seed, dtype=dtype)
    assert row.verdict is Verdict.PASSED, row


@pytest.mark.parametrize("kind", EVERY_KIND)
@settings(max_examples=2)
@given(data=st.data())
def test_models_of_every_kind_keep_all_laws(kind, data):
    model, time, batch = data.draw(models(kinds=(kind,)))
    dtype, seed = data.draw(dtypes), data.draw(st.integers(0, 99))
    report = laws.check(model, backend="reference", steps=time, batch=batch, dtype=dtype, seed=seed)
    report.require()
    names = {row.name for row in report.rows}
    assert {"adjoint identity", "zero cotangent", "batch independence", "permutation of the batch"} <= names
    assert ("causality" in names) == ("splitting of time" in names) == model.causal
    assert sum("invariant of" in name for name in names) == len(list(model.recurrences(model.init(0))))


@pytest.mark.parametrize("law", laws.RECURRENT, ids=lambda law: law.__name__)
def test_the_laws_are_parameters_of_a_test(law):
    assert law(laws.sample(OwnRNN())).passed


def test_tolerances_are_a_few_units_in_the_last_place():
    """Measured, but not bloated: a law that would let a mistake of 1e-11 pass is none."""
    for law in LAWS:
        row = row_of(law, OwnRNN())
        assert row.tolerance < 1e-12


def test_what_a_sample_cannot_show_is_left_out():
    def names(model, **sizes):
        return {law.__name__ for law in laws.fitting(laws.sample(model, **sizes))}

    every = {law.__name__ for law in laws.RECURRENT}
    assert names(OwnRNN()) == every
    assert names(OwnRNN(), steps=1) == every - {"causality", "splitting"}
    assert names(OwnRNN(), batch=1) == every - {"batch_independence", "batch_permutation"}
    assert names(OwnRNN(), backend="reference") == every - {"backend_agreement"}
    both = er.Bidirectional(er.RNN(3, 4), er.RNN(3, 5))
    assert names(both, backend="reference") == every - {"backend_agreement", "causality", "splitting"}


def test_two_reports_with_one_seed_are_equal():
    first, second, other = (laws.check(OwnRNN(), seed=seed) for seed in (3, 3, 4))
    assert first.to_json() == second.to_json() != other.to_json()


# Two Python functions


def forward(params, x, state):
    run = OwnRNN().forward(params, x, state)
    return run.y, run.state


def backward(params, x, state, dy, dstate):
    grads = OwnRNN().backward(OwnRNN().forward(params, x, state), dy, dstate)
    return grads.params, grads.x, grads.state


def tangent(params, x, state, dparams, dx, dstate):
    result = OwnRNN().tangent(params, x, dparams, dx=dx, state=state, dstate=dstate)
    return result.y, result.state


def without_carry(params, x, state, dy, dstate):
    return backward(params, x, state, dy, {"h": 0 * dstate["h"]})


@pytest.mark.parametrize("push", [None, tangent])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_two_functions_make_a_model(push, dtype):
    model = laws.FunctionModel(forward, backward, OwnRNN().init(0), {"h": 5}, 3, tangent=push)
    report = laws.check(model, dtype=dtype)
    report.require()
    names = [row.name for row in report.rows]
    assert ("adjoint identity" in names) == (push is not None)
    assert {"causality", "splitting of time", "permutation of the batch"} <= set(names)
    assert "agreement with backend reference" not in names


def test_a_mistake_in_two_functions_is_found_without_a_tangent():
    report = laws.check(laws.FunctionModel(forward, without_carry, OwnRNN().init(0), {"h": 5}, 3))
    assert [row.name for row in report.rows if not row.passed] == ["splitting of time"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((None, backward, {}, {"h": 5}, 3), OptionError),
        ((forward, backward, [], {"h": 5}, 3), ParameterError),
        ((forward, backward, {}, ["h"], 3), ParameterError),
        ((forward, backward, {}, {"h": 0}, 3), OptionError),
        ((forward, backward, {}, {"h": 5}, 2.5), OptionError),
    ],
)
def test_a_model_of_two_functions_refuses(arguments, error):
    with pytest.raises(error):
        laws.FunctionModel(*arguments)


class RaisesOnShortSequences(OwnRNN):
    def forward(self, params, x, state=None, **options):
        if len(x) < 4:
            raise RuntimeError("at least four steps")
        return super().forward(params, x, state, **options)


class RaisesBackward(OwnRNN):
    def backward(self, run, dy, dstate=None):
        raise KeyError("dh")


def test_a_law_in_which_the_model_raises_has_no_answer_and_the_others_run():
    report = laws.check(RaisesOnShortSequences(), steps=4)
    assert [row.name for row in report.rows if row.verdict is Verdict.NO_ANSWER] == ["splitting"]
    assert "at least four steps" in report["splitting"].detail
    assert report["permutation of the batch"].passed
    report = laws.check(RaisesBackward())
    assert [row.verdict for row in report.rows] == [Verdict.NO_ANSWER]
    assert "KeyError" in report.rows[0].detail


# Any function

X = np.random.default_rng(3).uniform(-1, 1, (4, 3))
POINT = {"W": np.random.default_rng(4).standard_normal((2, 3)), "b": np.array([0.2, -1.0])}


def affine(p):
    return np.tanh(X @ p["W"].T + p["b"])


def affine_pullback(p, u):
    dz = u * (1 - affine(p) ** 2)
    return {"W": dz.T @ X, "b": dz.sum(axis=0)}


def affine_tangent(p, d):
    return (X @ d["W"].T + d["b"]) * (1 - affine(p) ** 2)


def test_functions_have_laws_too():
    report = laws.check_function(affine, affine_pullback, POINT, tangent=affine_tangent)
    report.require()
    assert len(report.rows) == 4
    half = {"W": 0.5, "b": 1.0}
    report = laws.check_function(
        affine,
        lambda p, u: {key: half[key] * g for key, g in affine_pullback(p, u).items()},
        POINT,
        tangent=affine_tangent,
    )
    assert [row.name for row in report.rows if not row.passed] == ["adjoint identity"]
    assert "W" in report["adjoint identity"].detail


def test_a_function_that_raises_is_a_finding():
    report = laws.check_function(lambda x: 1 / 0, lambda p, u: (u,), (X,))
    assert [row.verdict for row in report.rows] == [Verdict.NO_ANSWER]
