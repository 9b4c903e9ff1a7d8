"""What a recurrence asks for when it cuts time into blocks and keeps their tapes."""

from functools import partial

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends.reference import ReferenceBackend
from enrnn_ref.models import sweep

T, B, INPUTS, UNITS = 7, 3, 2, 5


@pytest.fixture
def asked(monkeypatch):
    """The arguments of every cut."""
    calls = {"time_blocks": [], "segments": []}

    def spy(name, original, *arguments):
        calls[name].append(arguments)
        return original(*arguments)

    for name in calls:
        monkeypatch.setattr(sweep, name, partial(spy, name, getattr(sweep, name)))
    return calls


@pytest.mark.parametrize(("model", "gates"), [(er.RNN(INPUTS, UNITS), 1), (er.GRU(INPUTS, UNITS), 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_are_cut_by_the_batch_and_the_bytes_of_a_step(asked, model, gates, dtype):
    step_bytes = B * gates * UNITS * np.dtype(dtype).itemsize
    run = model.forward(model.init(0, dtype), np.ones((T, B, INPUTS), dtype), checkpoint_every=4)
    model.backward(run, np.ones_like(run.y))
    assert asked["segments"] == [(T, B, step_bytes, 4)]
    assert set(asked["time_blocks"]) == {(T, B, step_bytes)}


def test_a_backend_without_a_cache_to_fill_is_given_all_times_at_once(asked, monkeypatch):
    model = er.GRU(INPUTS, UNITS)
    params, x = model.init(0), np.random.default_rng(0).standard_normal((T, B, INPUTS))
    whole = model.forward(params, x, backend="reference")
    expected = model.backward(whole, np.ones_like(whole.y))
    assert asked["time_blocks"]
    asked["time_blocks"].clear()
    monkeypatch.setattr(ReferenceBackend, "blocked", False)
    run = model.forward(params, x, backend="reference")
    found = model.backward(run, np.ones_like(run.y))
    assert not asked["time_blocks"]
    np.testing.assert_array_equal(run.h, whole.h)
    for name, gradient in expected.params.items():
        np.testing.assert_allclose(found.params[name], gradient, rtol=1e-12, atol=1e-12, err_msg=name)


def test_one_step_of_one_sequence_of_one_number_can_be_checkpointed():
    model = er.RNN(1, UNITS)
    params, x = model.init(0), np.ones((1, 1, 1))
    run, whole = model.forward(params, x, checkpoint_every=1), model.forward(params, x)
    found, expected = model.backward(run, np.ones_like(run.y)), model.backward(whole, np.ones_like(whole.y))
    for name, gradient in expected.params.items():
        assert found.params[name].tobytes() == gradient.tobytes()


def test_a_filter_keeps_nothing_that_a_projection_would_need():
    model = er.MomentumRNN(INPUTS, UNITS)
    run = model.forward(model.init(0), np.ones((T, B, INPUTS)))
    (segment,) = run.tape.passes[0].segments
    assert segment.held.filtered is not None
    assert segment.held.filtered.emitted is None
