"""Without a mistake the written-out programs compute what the package computes."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.verify import sample
from enrnn_ref.verify.diagnosis.compositions import build

MODELS = {
    "enrnn": er.ENRNN(3, 5, 4, 2),
    "enrnn, tanh, uncoupled": er.ENRNN(3, 5, 4, 2, activation="tanh", coupled=False, eps=0.0),
    "enrnn, no long units": er.ENRNN(3, 0, 4, 2, activation="relu", normalize="switch"),
    "enrnn, no short units": er.ENRNN(3, 5, 0, 2, readout="last"),
    "rnn": er.RNN(3, 5, 2),
    "rnn, identity": er.RNN(3, 5, None, activation="identity", readout="last"),
    "scornn": er.ScoRNN(3, 5, 2),
    "scurnn": er.ScuRNN(3, 5, 2),
    "scurnn, released": er.ScuRNN(3, 5, 2, order="released", modulus="released"),
    "exprnn": er.ExpRNN(3, 5, 2),
    "exprnn, rebased": er.ExpRNN(3, 5, 2, rebase_every=3),
    "nnrnn": er.NnRNN(3, 6, 2),
    "nnrnn, released": er.NnRNN(3, 6, 2, mask="released"),
    "lstm": er.LSTM(3, 5, 2),
    "lstm, peephole": er.LSTM(3, 5, 2, peephole=True),
    "lstm, projection": er.LSTM(3, 5, 2, projection_size=4, peephole=True),
    "gru": er.GRU(3, 5, 2),
    "gru, reset before": er.GRU(3, 5, None, reset="before", readout="last"),
    "momentumrnn": er.MomentumRNN(3, 5, 2, activation="modrelu"),
    "momentumlstm": er.MomentumLSTM(3, 5, 2, recurrent_bias=True),
    "adamlstm": er.AdamLSTM(3, 5, 2),
    "rmsproplstm": er.RMSPropLSTM(3, 5, 2),
    "scheduledrestartlstm": er.ScheduledRestartLSTM(3, 5, 2),
    "scheduledrestartlstm, form B": er.ScheduledRestartLSTM(3, 5, 2, form="B"),
    "stacked": er.Stacked([er.RNN(3, 4), er.Stacked([er.GRU(4, 5), er.LSTM(5, 6, 2)])]),
    "bidirectional": er.Bidirectional(er.LSTM(3, 4), er.GRU(3, 5), 2),
    "bidirectional, last": er.Bidirectional(er.RNN(3, 4), er.RNN(3, 5), readout="last"),
}


def right(drawn, state):
    """What the package computes, under the names of the reports."""
    run = drawn.model.forward(drawn.params, drawn.x, state or None, backend="reference")
    arrays = {"y": run.y, **({} if run.h is None else {"h": run.h})}
    arrays |= {f"final {key}": array for key, array in run.state.items()}
    return arrays | sample.gradient_arrays(drawn.model.backward(run, drawn.dy, drawn.dstate))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("given", [True, False], ids=["state", "no state"])
def test_a_program_computes_what_its_model_does(name, given):
    drawn = sample.draw(MODELS[name], backend="reference", steps=6, batch=4)
    state = drawn.state if given else {}
    program = build(drawn.model, drawn.params, {})
    tape = program.forward(drawn.x, state)
    found = {**tape.outputs(), **program.gradients(tape, drawn.x, drawn.dy, drawn.dstate)}
    expected = right(drawn, state)
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        # Two orders of the same sums: a few hundred roundings, relative to the largest entry.
        scale = np.abs(array).max(initial=0.0)
        assert found[key].shape == array.shape
        assert np.abs(found[key] - array).max(initial=0.0) <= 500 * np.finfo(np.float64).eps * scale, key
