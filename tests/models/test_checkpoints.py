"""checkpoint_every: what is not kept is run again, and no bit shows it."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.filters import AdaptiveMomentum
from enrnn_ref.models import time_blocks
from enrnn_ref.parametrizations import Free
from tests.gated_cell import GatedCell
from tests.relayed_cell import RelayedCell
from tests.strategies import BACKENDS

MODELS = [
    pytest.param(er.ENRNN(3, 5, 4, 2), id="ENRNN"),
    pytest.param(er.ENRNN(3, 5, 4, readout="last"), id="last state"),
    pytest.param(er.Recurrence(Free(15, 5), RelayedCell(), 3, 2), id="relay"),
    pytest.param(er.LSTM(3, 5, 2, peephole=True, projection_size=4), id="projection"),
    pytest.param(er.Recurrence(Free(10, 5), GatedCell(), 3, filter=AdaptiveMomentum(0.6, 0.7, 0.9)), id="filter"),
    pytest.param(er.ScuRNN(3, 5, 2, readout="last"), id="trained start"),
    pytest.param(er.Stacked([er.ScoRNN(3, 4), er.GRU(4, 5, 2)]), id="stack"),
    pytest.param(er.Bidirectional(er.ScoRNN(3, 4), er.RNN(3, 5), 2), id="bidirectional"),
]


def _everything(model, backend, checkpoint_every, start):
    rng = np.random.default_rng(0)
    params = {key: 0.5 * rng.standard_normal(shape) for key, shape in model.shapes.items()}
    x = rng.standard_normal((23, 7, 3))
    state = {key: rng.standard_normal(shape) for key, shape in model.state_shapes(7).items()} if start else None
    run = model.forward(params, x, state, checkpoint_every=checkpoint_every, backend=backend)
    dstate = {key: rng.standard_normal(array.shape) for key, array in run.state.items()}
    grads = model.backward(run, rng.standard_normal(run.y.shape), dstate)
    return [run.y, *run.state.values(), *grads.params.values(), grads.x, *grads.state.values()]


@pytest.mark.parametrize("start", [True, False], ids=["given start", "own start"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_bits(model, backend, start, monkeypatch):
    """Also where k is shorter than a block, and where the last stretch is."""
    monkeypatch.setattr(time_blocks, "LEAST_ROWS", 0)
    monkeypatch.setattr(time_blocks, "GRADIENT_BYTES", 3 * 7 * 9 * 8)  # three steps of the ENRNN
    expected = _everything(model, backend, None, start)
    for k in (1, 4, 22, 23, 1000):
        for found, array in zip(_everything(model, backend, k, start), expected, strict=True):
            assert found.tobytes() == array.tobytes()


def test_the_given_state_may_change_after_forward():
    model = er.ENRNN(3, 5, 4, 2)
    rng = np.random.default_rng(1)
    x, state = rng.standard_normal((9, 2, 3)), {"h": rng.standard_normal((2, 9))}
    expected, run = (model.forward(model.init(0), x, state, checkpoint_every=k) for k in (None, 2))
    before = model.backward(expected, expected.y).params["coupling"]
    state["h"] += 1.0
    assert model.backward(run, run.y).params["coupling"].tobytes() == before.tobytes()


def test_backward_may_be_called_again():
    model = er.ENRNN(3, 5, 4, 2)
    run = model.forward(model.init(0), np.random.default_rng(1).standard_normal((9, 2, 3)), checkpoint_every=2)
    assert run.h is None
    first, second = (model.backward(run, run.y) for _ in range(2))
    np.testing.assert_array_equal(first.x, second.x)


@pytest.mark.parametrize("every", [0, -1, 2.0, True, "4"])
def test_a_bad_number_is_refused(every):
    model = er.ENRNN(3, 5, 4)
    with pytest.raises(er.errors.OptionError, match="checkpoint_every is"):
        model.forward(model.init(0), np.ones((4, 2, 3)), checkpoint_every=every)


def test_nothing_can_be_checkpointed_without_a_tape():
    model = er.ENRNN(3, 5, 4)
    with pytest.raises(er.errors.OptionError, match="keep=False"):
        model.forward(model.init(0), np.ones((4, 2, 3)), checkpoint_every=2, keep=False)
