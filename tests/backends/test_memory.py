"""A run of the compiled backend keeps at most three arrays of T·B·n, and with ``keep=False`` none."""

import gc
import tracemalloc

import numpy as np
import pytest

import enrnn_ref as er

TIMES, BATCH, INPUTS = 300, 20, 2
MODELS = [
    pytest.param(er.ENRNN(INPUTS, 30, 20, 3), id="ENRNN"),
    pytest.param(er.ScoRNN(INPUTS, 50, 3), id="ScoRNN"),
    pytest.param(er.RNN(INPUTS, 50, 3, activation="tanh"), id="RNN"),
    pytest.param(er.RNN(INPUTS, 50), id="RNN without readout"),
]


def _retained(model, **options):
    """Bytes that live on with the run, beyond the caller's own arrays, and the peak while it was made."""
    params = model.init(0)
    x = np.random.default_rng(0).standard_normal((TIMES, BATCH, INPUTS))
    model.forward(params, x[:3], **options)  # compile first
    gc.collect()
    tracemalloc.start()
    try:
        run = model.forward(params, x, **options)
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return run, kept, peak


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("readout", ["all", "last"])
def test_a_run_keeps_at_most_three_arrays(model, readout):
    model = type(model)(**{**model.config(), "readout": readout})
    sequence = TIMES * BATCH * model.hidden_size * 8
    run, kept, peak = _retained(model)
    outputs = run.y.nbytes if model.output_size else 0
    small = 2 * sum(array.nbytes for array in model.init(0).values()) + 40 * BATCH * model.hidden_size * 8
    assert kept <= 3 * sequence + outputs + small
    assert peak <= 4 * sequence + outputs + small  # and making it needs little more
    model.backward(run, np.ones_like(run.y))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("readout", ["all", "last"])
def test_inference_keeps_only_its_output(model, readout):
    model = type(model)(**{**model.config(), "readout": readout})
    run, kept, peak = _retained(model, keep=False)
    small = 2 * sum(array.nbytes for array in model.init(0).values()) + 40 * BATCH * model.hidden_size * 8
    assert kept <= run.y.nbytes + small
    # Blocks of steps, not the whole sequence, are held on the way; the outputs are joined once.
    assert peak <= 2 * run.y.nbytes + TIMES * BATCH * model.hidden_size * 8 + small
    assert run.h is None


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_inference_has_no_backward_pass(backend):
    model = er.ENRNN(2, 4, 3)
    run = model.forward(model.init(0), np.ones((3, 2, 2)), keep=False, backend=backend)
    with pytest.raises(er.errors.TapeNotKeptError, match="keep=False"):
        model.backward(run, np.ones_like(run.y))


def test_final_state_does_not_keep_the_tape_alive():
    """State is carried over thousands of chunks of text: each may keep one row, not one tape."""
    model = er.ENRNN(INPUTS, 30, 20)
    x = np.ones((TIMES, BATCH, INPUTS))
    run = model.forward(model.init(0), x)
    state = run.state["h"]
    while state.base is not None:
        state = state.base
    assert state.size == BATCH * model.hidden_size


def test_with_checkpoints_memory_does_not_grow_with_time():
    """50,000 steps of 128 units and 8 sequences in float32: less than 40 MB beside the inputs."""
    model = er.ENRNN(2, 64, 64, 1)
    params = model.init(0, np.float32)
    x = np.random.default_rng(0).standard_normal((50_000, 8, 2)).astype(np.float32)
    model.backward(run := model.forward(params, x[:9], checkpoint_every=4), run.y)  # compile first
    del run
    gc.collect()
    tracemalloc.start()
    try:
        run = model.forward(params, x, checkpoint_every=1)
        model.backward(run, np.ones_like(run.y))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40e6
