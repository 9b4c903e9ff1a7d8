"""Mistakes in programs that were written apart from the catalogue are named."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.verify import diagnosis, sample
from tests.verify.diagnosis import handwritten


def point(model, seed):
    return sample.draw(model, backend="reference", steps=5, batch=3, seed=seed)


def complex_leader(model):
    """A sample whose leading eigenvalue is complex and not normal."""
    for seed in range(100):
        drawn = point(model, seed)
        values = np.linalg.eigvals(drawn.params["short"])
        if abs(values[np.argmax(np.abs(values))].imag) > 0.1:
            return drawn
    raise AssertionError


def calls():
    """Per implementation: a sample, and the program with a bug."""
    rnn = point(er.RNN(2, 4, 3), 1)
    lstm = point(er.LSTM(2, 4), 2)
    gru = point(er.GRU(2, 4), 3)
    enrnn = complex_leader(er.ENRNN(2, 4, 5, 3, eps=0.1, negative_ones=1))

    def run_rnn(bug):
        return handwritten.rnn(rnn.params, rnn.x, rnn.state["h"], rnn.dy, rnn.dstate["h"], bug)

    def run_lstm(bug):
        h0, c0, dh, dc = (part[key] for part in (lstm.state, lstm.dstate) for key in ("h", "c"))
        return handwritten.lstm(lstm.params, lstm.x, h0, c0, lstm.dy, dh, dc, bug)

    def run_gru(bug):
        return handwritten.gru(gru.params, gru.x, gru.state["h"], gru.dy, gru.dstate["h"], bug)

    def run_enrnn(bug):
        sizes = {"long_size": 4, "negative_ones": 1, "eps": 0.1}
        return handwritten.enrnn(enrnn.params, enrnn.x, enrnn.state["h"], enrnn.dy, enrnn.dstate["h"], bug=bug, **sizes)

    return {"rnn": (rnn, run_rnn), "lstm": (lstm, run_lstm), "gru": (gru, run_gru), "enrnn": (enrnn, run_enrnn)}


CALLS = calls()
BUGS = [
    (name, bug)
    for name, bugs in (
        ("rnn", handwritten.RNN_BUGS),
        ("lstm", handwritten.LSTM_BUGS),
        ("gru", handwritten.GRU_BUGS),
        ("enrnn", handwritten.ENRNN_BUGS),
    )
    for bug in bugs
]


def diagnose(drawn, found):
    return diagnosis.diagnose(drawn.model, drawn.params, drawn.x, drawn.state, drawn.dy, drawn.dstate, found)


@pytest.mark.parametrize("name", CALLS)
def test_right_programs_are_right(name):
    """The handwritten programs compute what the package does, and get no diagnosis."""
    drawn, program = CALLS[name]
    run = drawn.run()
    right = {"y": run.y, "h": run.h, **{f"final {key}": array for key, array in run.state.items()}}
    right |= sample.gradient_arrays(drawn.model.backward(run, drawn.dy, drawn.dstate))
    found = program("")
    for key, array in found.items():
        np.testing.assert_allclose(array, right[key], rtol=1e-11, atol=1e-12, err_msg=key)
    assert diagnose(drawn, found) == ()


@pytest.mark.parametrize(("name", "bug"), BUGS, ids=lambda value: value)
def test_the_mistake_is_named(name, bug):
    drawn, program = CALLS[name]
    explanations = diagnose(drawn, program(bug))
    named = [explanation.mistakes[0].name for explanation in explanations if explanation.full]
    assert bug.split("/")[0] in named, [explanation.sentence for explanation in explanations]
    assert all(len(explanation.mistakes) == 1 for explanation in explanations)


@pytest.mark.parametrize(("name", "bug"), BUGS[::5], ids=lambda value: value)
def test_a_float32_program_is_diagnosed_too(name, bug):
    """The numbers of a program that rounds to float32."""
    drawn, program = CALLS[name]
    found = {key: array.astype(np.float32) for key, array in program(bug).items()}
    explanations = diagnosis.diagnose(
        drawn.model, drawn.params, drawn.x, drawn.state, drawn.dy, drawn.dstate, found, dtype=np.float32
    )
    assert bug.split("/")[0] in [explanation.mistakes[0].name for explanation in explanations if explanation.full]
