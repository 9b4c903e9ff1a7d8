"""check_model: right models pass everywhere, planted mistakes are found, kinks are called kinks."""

from dataclasses import replace

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.errors import BackendUnavailable, DegenerateEigenvalueError, EnrnnError, OptionError
from enrnn_ref.verify import Verdict, check_model
from tests.verify.own_model import MISTAKES, OwnRNN

MODELS = {
    "enrnn": lambda **options: er.ENRNN(3, 5, 4, 2, **options),
    "scornn": lambda **options: er.ScoRNN(3, 5, 2, **options),
    "rnn": lambda **options: er.RNN(3, 5, 2, **options),
}


def small(model, **options):
    return check_model(model, **{"steps": 4, "batch": 3, "backend": "reference"} | options)


def gradient_verdicts(report):
    return {row.name: row.verdict for row in report.rows if row.group == "gradient"}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shipped_models_pass(name, backend, dtype):
    model = MODELS[name]()
    report = check_model(model, backend=backend, dtype=dtype, steps=4, batch=6)
    assert report.passed, report
    assert set(gradient_verdicts(report)) == {*model.shapes, "x", "state h"}
    assert {row.group for row in report.rows} == {"contract", "law", "gradient", "invariant"}


@pytest.mark.parametrize("seed", range(12))
def test_right_gradients_raise_no_alarm(seed):
    """Random sizes, lengths up to 50, both dtypes."""
    rng = np.random.default_rng(seed)
    steps = int(rng.choice([3, 10, 25, 50]))
    inputs, units, outputs = (int(n) for n in rng.permutation([1, 2, 3]))
    model = OwnRNN(inputs, units, outputs)
    for dtype in (np.float64, np.float32):
        report = check_model(model, seed=seed, steps=steps, batch=int(rng.integers(1, 3)), dtype=dtype)
        assert {row.verdict for row in report.rows} == {Verdict.PASSED}, report


@pytest.mark.parametrize("options", [
    {"eps": 0.0, "activation": "relu"},
    {"normalize": "switch", "activation": "tanh"},
    {"coupled": False, "readout": "last"},
    {"normalize": "never", "activation": "identity"},
])  # fmt: skip
def test_every_form_of_the_model_passes(options):
    assert small(MODELS["enrnn"](**options), seed=4).passed


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_backpropagation_through_time_are_wrong(mistake):
    """By differences alone, and in float32 by a law."""
    report = small(OwnRNN(mistake=mistake))
    assert Verdict.WRONG in gradient_verdicts(report).values(), report
    assert not small(OwnRNN(mistake=mistake), dtype=np.float32).passed


def break_pullback(monkeypatch, parametrization, key, change):
    right = parametrization.pullback
    monkeypatch.setattr(parametrization, "pullback", lambda v, g: (d := right(v, g)) | {key: change(d[key], v, g)})


@pytest.mark.parametrize("name", ["enrnn", "scornn"])
@pytest.mark.parametrize("factor", [2.0, 1 + 1e-6])
def test_a_factor_in_the_skew_gradient(monkeypatch, name, factor):
    model = MODELS[name]()
    break_pullback(monkeypatch, model.parametrization, "skew", lambda d, v, g: factor * d)
    verdicts = gradient_verdicts(small(model))
    assert [key for key, verdict in verdicts.items() if verdict is not Verdict.PASSED] == ["skew"]
    assert verdicts["skew"] is Verdict.WRONG


def test_a_dropped_coupling_gradient(monkeypatch):
    model = MODELS["enrnn"]()
    break_pullback(monkeypatch, model.parametrization, "coupling", lambda d, v, g: 0 * d)
    assert gradient_verdicts(small(model))["coupling"] is Verdict.WRONG


def test_a_transposed_short_gradient(monkeypatch):
    model = MODELS["enrnn"]()
    break_pullback(monkeypatch, model.parametrization, "short", lambda d, v, g: d.T)
    assert gradient_verdicts(small(model))["short"] is Verdict.WRONG


def test_the_spectral_radius_taken_for_a_constant_in_both_modes(monkeypatch):
    """Pullback and tangent agree with each other, so no law can tell; differences do."""
    model = MODELS["enrnn"]()
    short = model.parametrization.short
    monkeypatch.setattr(short, "_pullback", lambda v, g: {"free": g / v.divisor})
    monkeypatch.setattr(short, "_tangent", lambda v, d: d["free"] / v.divisor if "free" in d else 0 * v.matrix)
    report = small(model)
    assert report["adjoint identity"].passed
    assert report["short"].verdict is Verdict.WRONG


@pytest.mark.parametrize("name", ["skew", "short", "coupling", "input", "bias", "readout", "readout_bias"])
def test_one_entry_wrong_by_a_millionth(monkeypatch, name):
    model = MODELS["enrnn"]()
    right = model.backward

    def backward(run, dy, dstate=None):
        grads = right(run, dy, dstate)
        grads.params[name].flat[1] *= 1 + 1e-6
        return grads

    monkeypatch.setattr(model, "backward", backward)
    verdicts = gradient_verdicts(small(model))
    assert [key for key, verdict in verdicts.items() if verdict is not Verdict.PASSED] == [name]


def vanishing_gradient():
    """A contraction over 40 steps, read at the end: hardly anything reaches the start."""
    model = er.ENRNN(2, 0, 3, activation="tanh", normalize="never", readout="last")
    params = model.init(0)
    rng = np.random.default_rng(0)
    params = {key: rng.uniform(-1, 1, array.shape) for key, array in params.items()}
    params["short"] *= 0.15
    return model, {"params": params, "steps": 40, "batch": 1, "seed": 2}


def test_a_vanishing_gradient_is_decided_all_the_same(monkeypatch):
    model, options = vanishing_gradient()
    report = small(model, **options)
    assert report.passed, report
    assert 0 < abs(report["state h"].analytic) < 1e-20
    assert report["state h"].tolerance < 1e-10

    right = model.backward

    def backward(run, dy, dstate=None):
        grads = right(run, dy, dstate)
        grads.state["h"][:] = 0
        return grads

    monkeypatch.setattr(model, "backward", backward)
    assert small(model, **options)["state h"].verdict is Verdict.WRONG


def test_relu_at_exactly_zero_is_a_kink():
    model = er.RNN(3, 5, 2, activation="relu")
    rest = {"x": np.zeros((3, 2, 3)), "state": {"h": np.zeros((2, 5))}}
    report = small(model, params=model.init(0), **rest)
    verdicts = gradient_verdicts(report)
    assert {verdicts[name] for name in ("bias", "x", "state h")} == {Verdict.KINK}
    assert Verdict.WRONG not in verdicts.values()
    assert verdicts["readout_bias"] is Verdict.PASSED


def test_modrelu_with_positive_bias_at_zero_is_a_jump():
    model = er.RNN(3, 5, 2, activation="modrelu")
    params = model.init(0) | {"bias": np.full(5, 0.3)}
    report = small(model, params=params, x=np.zeros((3, 2, 3)), state={"h": np.zeros((2, 5))})
    assert report["state h"].verdict is Verdict.KINK
    assert "jump" in report["state h"].detail
    assert Verdict.WRONG not in gradient_verdicts(report).values()
    assert not report.passed


def test_a_broken_invariant_is_wrong_though_its_gradients_are_right(monkeypatch):
    """W off the orthogonal group by a factor 1 + 1e-10, consistently in value, pullback and tangent."""
    model = MODELS["scornn"]()
    p, factor = model.parametrization, 1 + 1e-10
    begin, pullback, tangent = p.begin, p.pullback, p.tangent
    scaled = lambda raw, buffers=None: replace(v := begin(raw, buffers), matrix=factor * v.matrix)  # noqa: E731
    unscaled = lambda v: replace(v, matrix=v.matrix / factor)  # noqa: E731
    monkeypatch.setattr(p, "begin", scaled)
    monkeypatch.setattr(p, "pullback", lambda v, g: pullback(unscaled(v), factor * g))
    monkeypatch.setattr(p, "tangent", lambda v, d: factor * tangent(unscaled(v), d))
    report = small(model)
    assert set(gradient_verdicts(report).values()) == {Verdict.PASSED}
    assert report["invariant of ScaledCayley"].verdict is Verdict.WRONG


def test_chaos_in_float32_is_ill_conditioned_and_not_wrong():
    """A random tanh network of gain 3: differences of one unit in the last place have grown to order one."""
    model = er.RNN(2, 20)
    params = model.init(0, np.float32)
    params["recurrent"] = (3 / np.sqrt(20) * np.random.default_rng(1).standard_normal((20, 20))).astype(np.float32)
    report = small(model, params=params, steps=90, dtype=np.float32)
    assert report["state h"].verdict is Verdict.ILL_CONDITIONED
    assert Verdict.WRONG not in gradient_verdicts(report).values()


def test_conditioning_of_the_leading_eigenvalue_is_reported():
    settings = small(MODELS["enrnn"]()).settings
    assert float(settings["eigenvalue gap"]) > 0
    assert float(settings["eigenvalue condition"]) >= 1
    assert "eigenvalue gap" not in small(MODELS["rnn"]()).settings


def test_a_report_can_be_repeated():
    first, second, other = (small(OwnRNN(1, 2, 1), seed=seed).to_json() for seed in (3, 3, 4))
    assert first == second != other


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"backend": "cuda"}, BackendUnavailable),
        ({"backend": "gpu"}, OptionError),
        ({"steps": 0}, OptionError),
        ({"batch": -1}, OptionError),
        ({"params": {"recurrent": np.ones((5, 5))}}, EnrnnError),
        ({"x": np.ones((3, 5))}, EnrnnError),
        ({"dtype": np.float16}, EnrnnError),
    ],
)
def test_bad_use_is_one_typed_error(options, error):
    with pytest.raises(error):
        small(MODELS["rnn"](), **options)


def test_no_derivative_no_check():
    model = MODELS["enrnn"]()
    params = model.init(0) | {"short": np.diag([1.0, -1.0, 0.5, 0.2])}
    with pytest.raises(DegenerateEigenvalueError):
        small(model, params=params)
