"""The catalogue: its entries are told apart, written up, and found again in models of every kind."""

import re
from pathlib import Path

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.verify import diagnosis, sample
from enrnn_ref.verify.diagnosis.compositions import build, paths
from enrnn_ref.verify.diagnosis.mistake import made_in

CHAPTER = Path(__file__).parents[3] / "derivations" / "17-mistakes.md"
STEPS, BATCH = 4, 3
MODELS = (
    er.ENRNN(2, 4, 3, 2, eps=0.2),
    er.GRU(2, 3, 2),
    er.GRU(2, 3, reset="before"),
    er.LSTM(2, 3, projection_size=4, peephole=True),
    er.ScuRNN(2, 3, 2),
    er.NnRNN(2, 4, 2),
    er.MomentumRNN(2, 3, 2),
    er.Stacked([er.RNN(2, 3), er.RNN(3, 4)]),
    er.Bidirectional(er.RNN(2, 3), er.RNN(2, 4), readout="last"),
)


def ways(mistake, model):
    return made_in(mistake, paths(model), STEPS, BATCH)


def test_names_and_notes_are_unique():
    for attribute in ("name", "note"):
        values = [getattr(mistake, attribute) for mistake in diagnosis.CATALOGUE]
        assert len(set(values)) == len(values) >= 25
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", mistake.name) for mistake in diagnosis.CATALOGUE)


def test_the_chapter_has_an_entry_and_a_line_of_the_table_for_every_mistake():
    text = CHAPTER.read_text(encoding="utf-8")
    entries = dict(re.findall(r"^\*\*\[(MI-\d+)\]\*\* .* \(`([a-z-]+)`\)$", text, re.MULTILINE))
    assert entries == {mistake.note: mistake.name for mistake in diagnosis.CATALOGUE}
    table = set(re.findall(r"^\| \[(MI-\d+)\] \| `([a-z-]+)` \| (.*) \| `([a-z-]+)` \|$", text, re.MULTILINE))
    assert table == {(m.note, m.name, m.bites, m.case) for m in diagnosis.CATALOGUE}


@pytest.mark.parametrize("mistake", diagnosis.CATALOGUE, ids=lambda mistake: mistake.name)
def test_titles_tell_the_ways_to_make_a_mistake_apart(mistake):
    titles = [made.title for model in MODELS for made in ways(mistake, model)]
    assert titles
    for model in MODELS:
        own = [made.title for made in ways(mistake, model)]
        assert len(set(own)) == len(own)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_every_way_to_make_a_mistake_can_be_computed(model):
    """All arrays keep their shapes, and a mistake that claims not to change the outputs does not."""
    drawn = sample.draw(model, backend="reference", steps=STEPS, batch=BATCH, seed=4)
    program = build(model, drawn.params, {})
    right = program.forward(drawn.x, drawn.state)
    expected = program.gradients(right, drawn.x, drawn.dy, drawn.dstate)
    for mistake in diagnosis.CATALOGUE:
        for made in ways(mistake, model):
            program = build(model, drawn.params, {path: [place] for path, place in made.places.items()})
            with np.errstate(all="ignore"):
                tape = program.forward(drawn.x, drawn.state)
                found = program.gradients(tape, drawn.x, drawn.dy, drawn.dstate)
            assert {key: array.shape for key, array in found.items()} == {
                key: array.shape for key, array in expected.items()
            }, made.title
            if not made.changes_outputs:
                for key, array in tape.outputs().items():
                    np.testing.assert_array_equal(array, right.outputs()[key], err_msg=made.title)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_mistake_that_shows_is_found_again(model):
    """One mistake in five, in every kind of model; the golden cases have the others."""
    drawn = sample.draw(model, backend="reference", steps=STEPS, batch=BATCH, seed=5)
    for mistake in diagnosis.CATALOGUE[MODELS.index(model) % 5 :: 5]:
        for made in ways(mistake, model)[-1:]:
            program = build(model, drawn.params, {path: [place] for path, place in made.places.items()})
            tape = program.forward(drawn.x, drawn.state)
            found = {**tape.outputs(), **program.gradients(tape, drawn.x, drawn.dy, drawn.dstate)}
            arguments = (drawn.params, drawn.x, drawn.state, drawn.dy, drawn.dstate)
            explanations = diagnosis.diagnose(model, *arguments, found)
            if explanations:  # none: the mistake hides here
                assert mistake.name in [e.mistakes[0].name for e in explanations if e.full], made.title
