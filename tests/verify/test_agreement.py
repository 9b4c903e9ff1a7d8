"""Arrays found elsewhere: another right program agrees, in both dtypes and however small the numbers; no other does.

The other right program is the same model with its units renamed: every sum runs in another order, and the results, with
the names put back, are the same mathematics. A second one adds term by term and takes slopes from rounded values.
"""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.verify.agreement import agreement
from enrnn_ref.verify.verdicts import Verdict

TIMES, BATCH, INPUT, HIDDEN, OUTPUT = 9, 4, 3, 6, 2
MODELS = {
    "rnn": er.RNN(INPUT, HIDDEN, OUTPUT),
    "relu": er.RNN(INPUT, HIDDEN, OUTPUT, activation="relu"),
    "lstm": er.LSTM(INPUT, HIDDEN, OUTPUT),
    "gru": er.GRU(INPUT, HIDDEN, OUTPUT, readout="last"),
    "gru before": er.GRU(INPUT, HIDDEN, OUTPUT, reset="before"),
    "enrnn": er.ENRNN(INPUT, 4, 5, OUTPUT),
    "scornn": er.ScoRNN(INPUT, HIDDEN, OUTPUT),
    "exprnn": er.ExpRNN(INPUT, HIDDEN, OUTPUT),
    "scurnn": er.ScuRNN(INPUT, 4, OUTPUT),
    "nnrnn": er.NnRNN(INPUT, HIDDEN, OUTPUT),
    "momentum lstm": er.MomentumLSTM(INPUT, HIDDEN, OUTPUT),
    "stacked": er.Stacked([er.Bidirectional(er.GRU(INPUT, 5), er.GRU(INPUT, 5)), er.RNN(10, HIDDEN, OUTPUT)]),
}
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def point(model, dtype=np.float64, *, times=TIMES, batch=BATCH, gain=1.0, seed=0):
    """Parameters, x, state, dy, dstate: all dense; ``gain`` multiplies the recurrent matrix of an RNN."""
    rng = np.random.default_rng(seed)
    params = {key: array + rng.uniform(-0.2, 0.2, array.shape) for key, array in model.init(seed).items()}
    if gain != 1.0:
        params["recurrent"] *= gain / np.abs(np.linalg.eigvals(params["recurrent"])).max()
    x = rng.uniform(-1, 1, (times, batch, model.input_size))
    state, dstate = (
        {k: rng.uniform(-0.5, 0.5, shape) for k, shape in model.state_shapes(batch).items()} for _ in range(2)
    )
    params = {key: array.astype(dtype) for key, array in params.items()}
    state, dstate = ({k: a.astype(dtype) for k, a in given.items()} for given in (state, dstate))
    dy = rng.uniform(0.5, 1.5, model.forward(params, x.astype(dtype), state, backend="reference").y.shape)
    return params, x.astype(dtype), state, dy.astype(dtype), dstate


def results(model, params, x, state, dy, dstate, backend="reference"):
    """Everything that can be compared."""
    run = model.forward(params, x, state, backend=backend)
    grads = model.backward(run, dy, dstate)
    arrays = {"y": run.y} | ({} if run.h is None else {"h": run.h})
    arrays |= {f"final {key}": array for key, array in run.state.items()}
    arrays |= grads.params | {"x": grads.x} | {f"state {key}": array for key, array in grads.state.items()}
    return {key: array.copy() for key, array in arrays.items()}


def compare(model, given, found, **options):
    return agreement(model, *given, found, title="test", backend="reference", **options)


@dtypes
@pytest.mark.parametrize("name", MODELS)
def test_another_order_of_the_batch_agrees(name, dtype):
    model = MODELS[name]
    given = params, x, state, dy, dstate = point(model, dtype)
    order = np.random.default_rng(1).permutation(BATCH)
    start, cotangent = ({key: array[order] for key, array in states.items()} for states in (state, dstate))
    found = results(model, params, x[:, order], start, dy[..., order, :], cotangent)
    for key, array in found.items():
        if key not in params:
            found[key] = np.take(array, np.argsort(order), axis=array.ndim - 2)
    report = compare(model, given, found)
    report.require()
    assert {row.name for row in report.rows} == set(found)
    assert all(row.verdict is Verdict.PASSED for row in report.rows), "nothing is called ill-conditioned or a kink"
    assert report.diagnosis == ()


@dtypes
def test_the_compiled_backend_agrees(dtype):
    model = MODELS["enrnn"]
    given = point(model, dtype)
    compare(model, given, results(model, *given, backend="cpu")).require()


def renamed(array, name, order):
    """An array of an RNN with its units in another order."""
    axes = {"recurrent": (0, 1), "input": (0,), "bias": (0,), "readout": (1,), "h": (-1,), "final h": (-1,)}
    for axis in axes.get(name, (-1,) if name == "state h" else ()):
        array = np.take(array, order, axis)
    return array


@dtypes
@pytest.mark.parametrize("activation", ["tanh", "relu", "modrelu", "identity"])
@pytest.mark.parametrize(("units", "times", "batch", "gain"), [(7, 40, 3, 0.5), (128, 100, 5, 0.9), (33, 60, 8, 1.0)])
def test_another_order_of_summation_agrees(activation, units, times, batch, gain, dtype):
    model = er.RNN(INPUT, units, OUTPUT, activation=activation)
    params, x, state, dy, dstate = given = point(model, dtype, times=times, batch=batch, gain=gain)
    order = np.random.default_rng(1).permutation(units)
    there = {key: renamed(array, key, order) for key, array in params.items()}
    moved = ({key: array[:, order] for key, array in states.items()} for states in (state, dstate))
    start, cotangent = moved
    found = results(model, there, x, start, dy, cotangent)
    back = {key: renamed(array, key, np.argsort(order)) for key, array in found.items()}
    assert any((back[key] != array).any() for key, array in results(model, *given).items()), "rounding differs"
    compare(model, given, back).require()


def term_by_term(a, b):
    """a @ b.T, each sum from its first term to its last."""
    return np.cumsum(a[:, None, :] * b[None, :, :], axis=-1)[..., -1]


@dtypes
@pytest.mark.parametrize("bias", [0.0, 4.0, 8.0])
def test_a_naive_lstm_agrees(bias, dtype):
    """Sums term by term, logistic as 1 / (1 + exp(-z)), its slope as y (1 - y): few digits where a gate is open."""
    model = er.LSTM(INPUT, 20)
    params, x, state, dy, dstate = given = point(model, dtype, times=30)
    params["bias"] += np.asarray(bias, dtype)
    one = dtype(1)

    def logistic(z):
        return one / (one + np.exp(-z))

    h, c, tape = [state["h"]], [state["c"]], []
    for x_t in x:
        z = term_by_term(x_t, params["input"]) + term_by_term(h[-1], params["recurrent"]) + params["bias"]
        i, f, g, o = np.split(z, 4, axis=1)
        i, f, g, o = logistic(i), logistic(f), np.tanh(g), logistic(o)
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))
        tape.append((i, f, g, o))
    dh, dc = dstate["h"].copy(), dstate["c"].copy()
    grads = {key: np.zeros_like(array) for key, array in params.items()}
    dx = np.zeros_like(x)
    for t in reversed(range(len(x))):
        (i, f, g, o), s = tape[t], np.tanh(c[t + 1])
        dh = dh + dy[t]
        dc = dc + dh * o * (one - s * s)
        dz = [dc * g * i * (one - i), dc * c[t] * f * (one - f), dc * i * (one - g * g), dh * s * o * (one - o)]
        dz = np.concatenate(dz, axis=1)
        grads["input"] += term_by_term(dz.T, x[t].T)
        grads["recurrent"] += term_by_term(dz.T, h[t].T)
        for row in dz:
            grads["bias"] += row
        dx[t], dh, dc = term_by_term(dz, params["input"].T), term_by_term(dz, params["recurrent"].T), dc * f
    found = {"y": np.stack(h[1:]), "final h": h[-1], "final c": c[-1], **grads, "x": dx, "state h": dh, "state c": dc}
    compare(model, given, found).require()


# Wrong programs.


@pytest.mark.parametrize("place", ["largest", "smallest"])
@pytest.mark.parametrize("name", MODELS)
def test_one_wrong_entry_is_found_in_every_array(name, place):
    """1e-6 of itself, the smallest entry included."""
    model = MODELS[name]
    given = point(model)
    found = {key: array for key, array in results(model, *given).items() if array.any()}
    places = {}
    for key, array in found.items():
        size = np.where(array == 0, np.nan, np.abs(array))
        index = np.nanargmax(size) if place == "largest" else np.nanargmin(size)
        array.flat[index] *= 1 + 1e-6
        places[key] = np.unravel_index(index, array.shape)
    report = compare(model, given, found)
    for row in report.rows:
        assert row.verdict is Verdict.WRONG, str(report)
        assert row.index == places[row.name]
        assert row.error == pytest.approx(1e-6, rel=1e-5)
        assert f"1 of {found[row.name].size} entries differ" in row.detail


def test_one_entry_in_ten_thousand():
    model = er.RNN(INPUT, 100, OUTPUT)
    given = point(model, times=20)
    right = results(model, *given)
    right["recurrent"][37, 61] *= 1 + 1e-6
    assert right["recurrent"].size == 10_000
    row = compare(model, given, right)["recurrent"]
    assert (row.verdict, row.index) == (Verdict.WRONG, (37, 61))
    assert "1 of 10000 entries differ" in row.detail


@dtypes
@pytest.mark.parametrize("factor", [0.0, 2.0, -1.0, 1.01])
def test_a_vanished_gradient_is_judged_by_its_own_size(factor, dtype):
    """Only the last state has a cotangent, the gradient of early inputs is 1e-20 and less, and wrong from step 5 on."""
    model = er.RNN(INPUT, HIDDEN)
    times = 60 if dtype is np.float32 else 150
    params, x, state, dy, dstate = point(model, dtype, times=times, gain=0.5)
    given = (params, x, state, 0 * dy, dstate)
    found = results(model, *given)
    assert 0 < np.abs(found["x"][3]).max() < 1e-15
    compare(model, given, found).require()
    found["x"][3] *= dtype(factor)
    found["state h"] *= dtype(factor)
    report = compare(model, given, found)
    assert report["state h"].verdict is Verdict.WRONG
    row = report["x"]
    assert row.verdict is Verdict.WRONG
    assert row.worst[0].step == row.index[0] == 3
    assert "at 1 of" in row.detail
    assert "3 to 3" in row.detail


def test_ratios_and_worst_entries():
    model = MODELS["rnn"]
    given = point(model)
    found = results(model, *given)
    found["x"][2, 1, 0] *= 1.5
    found["x"][4, 3, 2] *= 1.1
    row = compare(model, given, found)["x"]
    assert row.ratios.shape == found["x"].shape
    assert (row.ratios > 1).sum() == 2
    assert row.time_axis == 0
    assert {entry.index for entry in row.worst[:2]} == {(2, 1, 0), (4, 3, 2)}
    assert [entry.step for entry in row.worst[:2]] == [entry.index[0] for entry in row.worst[:2]]
    assert row.worst[0].analytic == found["x"][row.worst[0].index]


def test_what_cannot_be_compared_is_named():
    model = MODELS["rnn"]
    given = point(model)
    found = results(model, *given)
    found["recurrent"] = found["recurrent"][:-1]
    found["x"] = found["x"].astype(np.float32)
    found["bias"][2] = np.nan
    report = compare(model, given, found)
    assert report["recurrent"].verdict is report["x"].verdict is Verdict.SHAPE
    assert "(5, 6)" in report["recurrent"].detail
    assert "float32" in report["x"].detail
    assert (report["bias"].verdict, report["bias"].index) == (Verdict.NOT_FINITE, (2,))
    assert report["input"].passed


def test_no_digit_is_determined():
    """A chaotic network: rounding moves the early gradients by their own size, and agreement would mean nothing."""
    model = er.RNN(INPUT, 32)
    given = point(model, np.float32, times=300, gain=4.0)
    found = results(model, *given)
    report = compare(model, given, {key: found[key] for key in ("x", "state h")})
    assert not report.passed
    assert {row.verdict for row in report.rows} <= {Verdict.ILL_CONDITIONED}


def test_either_side_of_a_kink_is_right():
    """A unit whose pre-activation is zero but for rounding: another program may find it on, or off."""
    model = er.RNN(1, 3, activation="relu")
    params, x, state, dy, dstate = point(model, times=3, batch=1)
    z = x[1] @ params["input"].T + model.forward(params, x, state, backend="reference").h[1] @ params["recurrent"].T
    params["bias"][1] -= (z + params["bias"])[0, 1]  # step 1, unit 1 (whose bias also counts at step 0)
    for _ in range(100):
        run = model.forward(params, x, state, backend="reference")
        at = (x[1] @ params["input"].T + run.h[1] @ params["recurrent"].T + params["bias"])[0, 1]
        params["bias"][1] -= at
    assert abs(at) < 5e-16
    given = (params, x, state, dy, dstate)
    sides = []
    for shift in (-1e-15, 1e-15):
        there = {**params, "bias": params["bias"] + np.array([0, shift, 0])}
        found = {key: array for key, array in results(model, there, x, state, dy, dstate).items() if key != "h"}
        sides.append(found)
        report = compare(model, given, found)
        assert report.passed, str(report)
    assert np.abs(sides[0]["input"] - sides[1]["input"]).max() > 1e-3
    assert Verdict.KINK in {row.verdict for found in sides for row in compare(model, given, found).rows}
    outside = {key: array + 0.5 * np.abs(array) for key, array in sides[0].items()}
    assert compare(model, given, outside)["input"].verdict is Verdict.WRONG


def test_either_leader_of_a_tie_is_right():
    """Two eigenvalues of equal modulus: each has its gradient of ρ, and only something else is wrong."""
    model = er.ENRNN(2, 3, 2)
    params, x, state, dy, dstate = point(model)
    params["short"] = np.array([[0.8, 0.0], [0.0, -0.8]])
    given = (params, x, state, dy, dstate)
    for first in (0.8 + 4e-16, 0.8 - 4e-16):
        there = {**params, "short": np.diag([first, -0.8])}
        compare(
            model, given, results(er.ENRNN(2, 3, 2, on_degenerate="proceed"), there, x, state, dy, dstate)
        ).require()
    wrong = {"short": results(er.ENRNN(2, 3, 2, on_degenerate="proceed"), *given)["short"] * 3}
    assert compare(model, given, wrong)["short"].verdict is Verdict.WRONG


# Names, and bad arguments.


def test_names_of_another_program():
    model = MODELS["rnn"]
    given = point(model)
    right = results(model, *given)
    found = {"W_hh": right["recurrent"], "b_i": right["bias"], "b_h": 0 * right["bias"]}
    report = compare(model, given, found, names={"W_hh": "recurrent", "b_i": "bias", "b_h": "bias"})
    assert [row.name for row in report.rows] == ["W_hh", "b_i", "b_h"]
    assert report["W_hh"].passed
    assert report["b_i"].passed
    assert report["b_h"].verdict is Verdict.WRONG
    assert "zeros throughout" in report["b_h"].detail
    assert "bias here" in report["b_h"].detail


def test_a_wrong_array_is_diagnosed():
    model = MODELS["rnn"]
    given = point(model)
    found = results(model, *given)
    found["recurrent"] = found["recurrent"].T.copy()
    report = compare(model, given, found)
    assert not report.passed
    assert any("recurrent" in sentence for sentence in report.diagnosis)


def test_bad_arguments():
    model = MODELS["rnn"]
    given = point(model)
    with pytest.raises(er.errors.ParameterError, match=r"found has \['weight'\]"):
        compare(model, given, {"weight": given[0]["recurrent"]})
    with pytest.raises(er.errors.OptionError, match="reference is a str"):
        compare("rnn", given, {})
    with pytest.raises(er.errors.ShapeError, match="x has shape"):
        agreement(model, given[0], given[1][0], *given[2:], {}, title="test")
