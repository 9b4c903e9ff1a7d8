"""Threads split the work of the compiled backend: any number gives the same result to rounding, each its own bits."""

import numba
import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends import cpu
from tests.strategies import flat, relative_error

COUNTS = range(1, 1 + min(4, numba.config.NUMBA_NUM_THREADS))


@pytest.fixture(autouse=True)
def _every_task_is_worth_splitting(monkeypatch):
    monkeypatch.setattr(cpu, "PARALLEL_WORK", 1)
    before = numba.get_num_threads()
    yield
    numba.set_num_threads(before)


def _everything(model, threads, dtype):
    numba.set_num_threads(threads)
    rng = np.random.default_rng(0)
    params = {key: (rng.standard_normal(shape) / 3).astype(dtype) for key, shape in model.shapes.items()}
    x = rng.standard_normal((70, 7, 3)).astype(dtype)
    state = {"h": rng.standard_normal((7, model.hidden_size)).astype(dtype)}
    run = model.forward(params, x, state)
    tangent = model.tangent(params, x, params, dx=x, state=state, dstate=state)
    gradients = model.backward(run, np.cos(run.y), {"h": np.sin(run.state["h"])})
    return {"y": run.y, "h": run.h, "tangent": tangent.y, **flat(gradients)}


@pytest.mark.parametrize("model", [er.ENRNN(3, 4, 5, 2), er.RNN(3, 6, 2)], ids=["ENRNN", "RNN"])
def test_any_number_of_threads(model):
    assert len(COUNTS) > 1
    single = _everything(model, 1, np.float64)
    for threads in COUNTS:
        first, second = (_everything(model, threads, np.float64) for _ in range(2))
        for key, array in single.items():
            assert relative_error(first[key], array) <= 1e-13, key
            np.testing.assert_array_equal(first[key], second[key], err_msg=key)


def test_more_threads_than_sequences():
    model = er.RNN(2, 3)
    numba.set_num_threads(COUNTS[-1])
    run = model.forward(model.init(0), np.ones((5, 1, 2)))
    assert model.backward(run, np.ones_like(run.y)).x.shape == (5, 1, 2)


@pytest.mark.parametrize("readout", [None, 2], ids=["states", "readout"])
@pytest.mark.parametrize("checkpoint_every", [None, 4])
def test_another_number_of_threads_backward_than_forward(readout, checkpoint_every):
    """A pass goes back over the sequences that it went forward over, however many threads there are by then."""
    model = er.ENRNN(3, 4, 5, readout)
    rng = np.random.default_rng(0)
    params, x = model.init(rng), rng.standard_normal((9, 7, 3))
    found = []
    for forward, backward in ((1, 1), (COUNTS[-1], 1), (COUNTS[-1], 2), (1, COUNTS[-1])):
        numba.set_num_threads(forward)
        run = model.forward(params, x, checkpoint_every=checkpoint_every)
        numba.set_num_threads(backward)
        found.append({"y": run.y, **flat(model.backward(run, np.cos(run.y)))})
    for other in found[1:]:
        for key, array in found[0].items():
            assert relative_error(other[key], array) <= 1e-13, key


def test_long_products_over_time_are_summed_in_float64():
    """dU = sum over 40,000 terms of 0.1 in float32: one running float32 sum would be off in the fourth digit."""
    model = er.RNN(1, 1, activation="identity")
    params = {key: np.zeros(shape, np.float32) for key, shape in model.shapes.items()}
    x = np.full((20_000, 2, 1), 0.1, np.float32)
    for backend in ("cpu", "reference"):
        run = model.forward(params, x, backend=backend)
        gradients = model.backward(run, np.ones_like(run.y))
        exact = 40_000 * float(np.float32(0.1))
        assert abs(gradients.params["input"].item() - exact) <= 2e-6 * exact
        assert gradients.params["bias"].item() == 40_000


def test_blocks_of_a_product_over_time_are_added_in_float64():
    """Two large blocks cancel around a small one that a float32 sum of theirs would have lost."""
    numba.set_num_threads(1)  # which then has both sequences in its blocks
    model = er.RNN(1, 1, activation="identity")
    params = {key: np.zeros(shape, np.float32) for key, shape in model.shapes.items()}
    block = np.ones((cpu.TIME_BLOCK_ROWS // 2, 2, 1), np.float32)
    x = np.concatenate([2.0**20 * block, block / 16, -(2.0**20) * block]).astype(np.float32)
    for backend in ("cpu", "reference"):
        run = model.forward(params, x, backend=backend)
        assert model.backward(run, np.ones_like(run.y)).params["input"].item() == cpu.TIME_BLOCK_ROWS / 16


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_long_bias_gradient_of_modrelu_is_summed_in_float64(backend):
    model = er.ScoRNN(1, 1, negative_ones=0)
    params = {"skew": np.zeros(0, np.float32), "input": np.ones((1, 1), np.float32), "bias": np.zeros(1, np.float32)}
    x = np.full((3000, 7, 1), 0.1, np.float32)
    run = model.forward(params, x, backend=backend)
    dy = np.zeros_like(run.y)
    dy[-1] = 0.1
    gradient = model.backward(run, dy).params["bias"].item()
    exact = 3000 * 7 * float(np.float32(0.1))
    assert abs(gradient - exact) <= 1e-6 * exact
