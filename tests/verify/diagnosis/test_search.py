"""The search claims what the numbers say, and nothing else."""

import re
from typing import ClassVar

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.errors import DtypeError, OptionError, ParameterError, ShapeError
from enrnn_ref.verify import diagnosis, sample
from enrnn_ref.verify.diagnosis.compositions import build, paths
from enrnn_ref.verify.diagnosis.mistake import made_in

CATALOGUE = {mistake.name: mistake for mistake in diagnosis.CATALOGUE}


def draw(model, seed=0, **sizes):
    return sample.draw(model, backend="reference", seed=seed, **{"steps": 5, "batch": 3, **sizes})


def computed(drawn, *names):
    """All arrays of the program that makes the named mistakes, the n-th way where a name ends in /n."""
    parts, places = paths(drawn.model), {}
    for chosen in names:
        name, _, way = chosen.partition("/")
        made = made_in(CATALOGUE[name], parts, *drawn.x.shape[:2])[int(way or 0)]
        for path, place in made.places.items():
            places.setdefault(path, []).append(place)
    program = build(drawn.model, drawn.params, places)
    tape = program.forward(drawn.x, drawn.state)
    return {**tape.outputs(), **program.gradients(tape, drawn.x, drawn.dy, drawn.dstate)}


def diagnose(drawn, found, **options):
    arguments = (drawn.params, drawn.x, drawn.state, drawn.dy, drawn.dstate)
    return diagnosis.diagnose(drawn.model, *arguments, found, **options)


RNN = draw(er.RNN(2, 4, 3))
ENRNN = draw(er.ENRNN(2, 4, 3, 2, eps=0.1))
LSTM = draw(er.LSTM(2, 3))


@pytest.mark.parametrize("drawn", [RNN, ENRNN, LSTM], ids=["rnn", "enrnn", "lstm"])
def test_right_numbers_need_no_explanation(drawn):
    right = computed(drawn)
    assert diagnose(drawn, right) == ()
    single = {name: array.astype(np.float32) for name, array in right.items()}
    assert diagnose(drawn, single, dtype=np.float32) == ()


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-8])
def test_noise_has_no_explanation(size):
    rng = np.random.default_rng(6)
    right = computed(ENRNN)
    found = {name: array + size * rng.normal(size=array.shape) for name, array in right.items()}
    assert diagnose(ENRNN, found) == ()


def test_one_wrong_entry_has_no_explanation():
    found = computed(RNN)
    found["recurrent"] = found["recurrent"].copy()
    found["recurrent"][1, 2] *= 1 + 1e-6
    assert diagnose(RNN, found) == ()


def test_a_sentence_names_arrays_and_mistake():
    (explanation,) = diagnose(RNN, computed(RNN, "recurrent-gradient-shifted"))
    assert explanation.sentence == "your d recurrent equals the reference with h_t where dR takes h_t-1 (off by one)"
    assert explanation.arrays == ("recurrent",)
    assert explanation.full
    first, *_ = diagnose(RNN, computed(RNN, "transposed-recurrence-backward"))
    assert "d recurrent, d input, d bias, d x and d state h equal" in first.sentence


def test_some_of_the_arrays_are_enough():
    wrong = computed(RNN, "missing-slope")
    for names in (["recurrent"], ["input", "x"], ["y", "state h"]):
        explanations = diagnose(RNN, {name: wrong[name] for name in names})
        assert "missing-slope" in [explanation.mistakes[0].name for explanation in explanations], names


def test_equal_mistakes_are_all_named():
    """A dropped coupling gradient is also one that does not reach its parameter."""
    explanations = diagnose(ENRNN, computed(ENRNN, "coupling-gradient"))
    names = [explanation.mistakes[0].name for explanation in explanations]
    assert names[0] == "coupling-gradient"
    assert "no-gradient" in names
    assert all(explanation.full for explanation in explanations)


@pytest.mark.parametrize(
    ("drawn", "names"),
    [
        (RNN, ("transposed-recurrence-backward", "missing-slope")),
        (RNN, ("recurrent-gradient-shifted", "bias-averaged")),
        (RNN, ("truncated-backpropagation/2", "opposite-sign")),
        (RNN, ("transposed-recurrence", "final-cotangent-ignored")),
        (RNN, ("initial-state-ignored", "bias-added-twice")),
        (ENRNN, ("radius-constant", "skew-factor-two")),
        (ENRNN, ("coupling-gradient/1", "modrelu-bias-sign")),
        (ENRNN, ("epsilon-forgotten", "batch-mean")),
        (LSTM, ("gate-order", "cell-state-path")),
        (LSTM, ("gate-order/3", "forget-bias")),
    ],
    ids=lambda value: " + ".join(value) if isinstance(value, tuple) else None,
)
def test_two_mistakes_are_found_together(drawn, names):
    explanations = diagnose(drawn, computed(drawn, *names))
    expected = {name.split("/")[0] for name in names}
    assert expected in [{mistake.name for mistake in e.mistakes} for e in explanations if e.full]
    assert all(" and with " in explanation.sentence for explanation in explanations)


def test_a_part_that_is_explained_is_told_as_a_part():
    found = computed(RNN, "recurrent-gradient-shifted")
    found["input"] = found["input"] + np.random.default_rng(7).normal(size=found["input"].shape)
    (explanation,) = diagnose(RNN, found)
    assert not explanation.full
    assert explanation.arrays == ("recurrent",)
    assert explanation.unexplained == ("input",)
    assert explanation.sentence.endswith("; d input remains unexplained")


def test_a_gradient_that_has_vanished_is_explained_at_its_own_scale():
    """At the first steps dx is 1e-12 of what it is at the last ones."""
    model = er.RNN(2, 3, 2)
    drawn = draw(model, steps=40)
    drawn.params["recurrent"] *= 0.3 / np.abs(np.linalg.eigvals(drawn.params["recurrent"])).max()
    drawn.dy[:-1] = 0.0
    found = computed(drawn)
    assert np.abs(found["x"][0]).max() < 1e-12 * np.abs(found["x"][-1]).max()
    found["x"] = np.where(np.arange(40)[:, None, None] < 20, 0, found["x"])
    names = [e.mistakes[0].name for e in diagnose(drawn, {"x": found["x"]}) if e.full]
    assert names == ["truncated-backpropagation"]


def test_compositions_are_diagnosed_as_a_whole_and_part_by_part():
    drawn = draw(er.Bidirectional(er.LSTM(2, 3), er.GRU(2, 3), 2, readout="last"))
    first, *_ = diagnose(drawn, computed(drawn, "last-output-of-backward-half"))
    assert first.mistakes[0].name == "last-output-of-backward-half"
    stacked = draw(er.Stacked([er.RNN(2, 3), er.RNN(3, 4, 2)]))
    for way, ending in ((0, "backward pass (R dz where Rᵀ dz is right)"), (2, ", in 1 alone")):
        first, *_ = diagnose(stacked, computed(stacked, f"transposed-recurrence-backward/{way}"))
        assert first.mistakes[0].name == "transposed-recurrence-backward"
        assert first.sentence.endswith(ending)


def test_what_is_not_finite_has_no_explanation():
    found = computed(RNN, "missing-slope")
    found["x"] = found["x"].copy()
    found["x"][0, 0, 0] = np.nan
    assert diagnose(RNN, found) == ()


def test_bad_input_is_named():
    right = computed(RNN)
    with pytest.raises(ParameterError, match=re.escape("found has the names ['weight']")):
        diagnose(RNN, {"weight": right["y"]})
    with pytest.raises(ShapeError, match=re.escape("found['y'] has shape (4, 3, 3); expected (5, 3, 3)")):
        diagnose(RNN, {"y": right["y"][1:]})
    with pytest.raises(DtypeError):
        diagnose(RNN, right, dtype=np.float16)

    class Other:
        shapes: ClassVar = {}

    with pytest.raises(OptionError, match="model is a Other; expected a Recurrence"):
        diagnosis.diagnose(Other(), {}, RNN.x, {}, RNN.dy, {}, {})
