"""The settings of a cell are told apart when its kernels run: one compilation serves all, and mixes none of them up."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba.core import compiler

import enrnn_ref as er
from enrnn_ref.backends import kernels
from enrnn_ref.parametrizations import Free
from tests.settled_cell import SettledCell
from tests.strategies import flat

T, B = 4, 3
MAKERS = {
    "momentum": lambda k: er.MomentumRNN(2, 5, momentum=(0.6, 0.3, 0.0)[k], step=(0.7, -0.4, 1.0)[k]),
    "adaptive": lambda k: er.AdamLSTM(2, 5, momentum=(0.6, 0.3, 0.0)[k], step=0.7, decay=(0.9, 0.5, 0.1)[k]),
    "form A": lambda k: er.ScheduledRestartLSTM(2, 5, step=(0.7, -0.4, 1.0)[k], restart=(3, 0, 2)[k], form="A"),
    "form B": lambda k: er.ScheduledRestartLSTM(2, 5, step=(0.7, -0.4, 1.0)[k], restart=(3, 0, 2)[k], form="B"),
    "a user's": lambda k: er.Recurrence(Free(10, 5), SettledCell((0.3, 0.8, 1.0)[k], (0.5, -2.0, 1.0)[k]), 2),
}
every_model = pytest.mark.parametrize("name", MAKERS)


def everything(model, backend, dtype=np.float64):
    """All that three passes give."""
    rng = np.random.default_rng(0)
    params = {key: rng.standard_normal(shape).astype(dtype) for key, shape in model.shapes.items()}
    x = rng.standard_normal((T, B, 2)).astype(dtype)
    run = model.forward(params, x, backend=backend)
    tangent = model.tangent(params, x, {key: np.cos(array) for key, array in params.items()}, dx=x, backend=backend)
    return {"y": run.y, "tangent": tangent.y, **flat(model.backward(run, np.sin(run.y)))}


@pytest.fixture
def refused(monkeypatch):
    """From here on nothing is compiled."""

    def refuse(*arguments, **options):
        raise AssertionError("compiled again")

    monkeypatch.setattr(compiler, "compile_extra", refuse)


@every_model
def test_each_has_its_own_results(name):
    """Those of the readable backend; between any two settings all parts differ, and none can be taken for another."""
    found = []
    for k in range(3):
        model = MAKERS[name](k)
        found.append(everything(model, "cpu"))
        for key, array in everything(model, "reference").items():
            np.testing.assert_allclose(found[-1][key], array, rtol=1e-11, atol=1e-12, err_msg=key)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert all((found[one][key] != found[other][key]).any() for key in ("y", "tangent", "x"))


@every_model
def test_another_setting_compiles_nothing(name, request):
    everything(MAKERS[name](0), "cpu")
    before = kernels._compile.cache_info().currsize
    request.getfixturevalue("refused")
    for k in (1, 2):
        everything(MAKERS[name](k), "cpu")
    assert kernels._compile.cache_info().currsize == before


def test_a_compilation_would_be_seen(refused, tmp_path, monkeypatch):
    """What the law above relies on."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernels, "_compile", kernels._compile.__wrapped__)
    with pytest.raises(AssertionError, match="compiled again"):
        everything(MAKERS["momentum"](0), "cpu")


@every_model
def test_side_by_side_each_has_its_own_results(name):
    """Threads that run the same kernel with other settings, over and over: the bits are those of a run alone."""
    models = [MAKERS[name](k) for k in range(3)]
    alone = [everything(model, "cpu") for model in models]
    with ThreadPoolExecutor(3) as pool:
        for found, expected in zip(
            pool.map(lambda k: everything(models[k % 3], "cpu"), range(60)), 20 * alone, strict=True
        ):
            for key, array in expected.items():
                np.testing.assert_array_equal(found[key], array, err_msg=key)


def test_settings_are_rounded_once_to_the_type_of_the_arrays():
    """The bits of momentum in single precision, written out: μ and ε are none of its numbers."""
    mu, eps = 0.6, 0.7
    model = er.Recurrence(Free(3, 3), er.cells.Identity(), 3, filter=er.filters.Momentum(mu, eps))
    params = {
        "matrix": np.zeros((3, 3), np.float32),
        "input": np.eye(3, dtype=np.float32),
        "bias": np.zeros(3, np.float32),
    }
    x = np.random.default_rng(0).standard_normal((T, B, 3)).astype(np.float32)
    v, expected = np.zeros((B, 3), np.float32), []
    for x_t in x:
        v = np.float32(mu) * v + np.float32(eps) * x_t
        expected.append(v)
    assert float(np.float32(mu)) != mu
    np.testing.assert_array_equal(model.forward(params, x, backend="cpu").y, expected)
