"""Which cases there are: that none is missing, and that each is what its flags say."""

from __future__ import annotations

import json
import math
from importlib import resources

import numpy as np
import pytest

from enrnn_ref.cells import ACTIVATIONS
from enrnn_ref.models.gru import RESETS
from enrnn_ref.parametrizations.eigenvalue_normalized import RULES
from enrnn_ref.parametrizations.non_normal_schur import MASKS
from enrnn_ref.parametrizations.unitary_cayley import ORDERS
from enrnn_ref.verify.diagnosis import CATALOGUE
from enrnn_ref.verify.vectors.cases import recipes
from enrnn_ref.verify.vectors.explain import model_of
from enrnn_ref.verify.vectors.oracle import layout
from enrnn_ref.verify.vectors.oracle.arithmetic import Arithmetic, nearest_float
from enrnn_ref.verify.vectors.oracle.evaluate import compute
from enrnn_ref.verify.vectors.oracle.layout import COMPOSITIONS, MODELS

ALL = recipes()
FLAGS = json.loads((resources.files("enrnn_ref.verify.vectors") / "data" / "flags.json").read_text())["flags"]


def test_every_case_has_a_name_of_its_own_and_explained_flags() -> None:
    assert len({recipe.id for recipe in ALL}) == len(ALL)
    assert all(recipe.id.startswith(f"{recipe.model}-") for recipe in ALL)
    assert all(len(set(recipe.flags)) == len(recipe.flags) for recipe in ALL)
    assert {flag for recipe in ALL for flag in recipe.flags} == set(FLAGS)


def test_every_mistake_of_the_catalogue_is_shown_by_a_case() -> None:
    shown = {flag for recipe in ALL for flag in recipe.flags}
    assert {mistake.name for mistake in CATALOGUE} <= shown


@pytest.mark.parametrize("model", MODELS)
def test_in_the_family_of_sizes_all_differ_and_each_is_the_largest_once(model: str) -> None:
    family = [recipe for recipe in recipes(model) if recipe.id.startswith(f"{model}-largest-")]
    largest = set()
    for recipe in family:
        sizes = {"steps": recipe.steps, "batch": recipe.batch, "input": layout.input_size(model, recipe.options)}
        sizes["output"] = layout.output_width(model, recipe.options)
        sizes |= {
            key.removesuffix("_size"): value
            for key, value in recipe.options.items()
            if key in ("hidden_size", "long_size", "short_size")
        }
        if model in COMPOSITIONS:
            hidden = [part["hidden_size"] for _, part in layout.parts(model, recipe.options).values()]
            sizes |= dict(zip(("first", "second"), hidden, strict=True))
        assert len(set(sizes.values())) == len(sizes)
        assert recipe.steps >= 3
        name = max(sizes, key=lambda key: sizes[key])
        assert f"largest-{name}" in recipe.flags
        largest.add(name)
        point = recipe.point()
        for tensor in (point.x, point.dy, *point.params.values(), *point.dstate.values(), *point.dparams.values()):
            assert all(tensor.entries)
        assert all(entry for name, tensor in point.state.items() if name != "phase" for entry in tensor.entries)
    assert len(largest) == len(family) == (6 if model in ("enrnn", *COMPOSITIONS) else 5)


@pytest.mark.parametrize(
    ("model", "option", "values"),
    [
        ("enrnn", "activation", set(ACTIVATIONS)),
        ("enrnn", "normalize", set(RULES)),
        ("enrnn", "coupled", {True, False}),
        ("rnn", "activation", set(ACTIVATIONS)),
        ("momentumrnn", "activation", set(ACTIVATIONS)),
        ("scurnn", "modulus", {"exact", "released"}),
        ("scurnn", "order", set(ORDERS)),
        ("nnrnn", "mask", set(MASKS)),
        ("lstm", "peephole", {True, False}),
        ("gru", "reset", set(RESETS)),
        ("scheduledrestartlstm", "form", {"A", "B"}),
        ("momentumrnn", "recurrent_bias", {True, False}),
        ("momentumlstm", "recurrent_bias", {True, False}),
        ("adamlstm", "recurrent_bias", {True, False}),
        ("rmsproplstm", "recurrent_bias", {True, False}),
        ("scheduledrestartlstm", "recurrent_bias", {True, False}),
        *((model, "readout", {"all", "last"}) for model in layout.RECURRENCES),
    ],
)
def test_every_value_of_every_option_occurs(model: str, option: str, values: set[object]) -> None:
    assert {recipe.options[option] for recipe in recipes(model)} == values


@pytest.mark.parametrize("model", MODELS)
def test_shapes_and_options_are_those_of_our_models(model: str) -> None:
    for recipe in recipes(model):
        ours = model_of(model, recipe.options)
        assert layout.parameter_shapes(model, recipe.options) == ours.shapes
        assert list(layout.parameter_shapes(model, recipe.options)) == list(recipe.point().params)
        states = {name: (recipe.batch, width) for name, width in layout.state_widths(model, recipe.options).items()}
        assert states == ours.state_shapes(recipe.batch)
        assert layout.output_width(model, recipe.options) == ours.output_width
        if model not in COMPOSITIONS:
            assert recipe.options.items() <= ours.config().items()


def test_every_input_but_the_faded_ones_is_a_float32() -> None:
    for recipe in ALL:
        point = recipe.point()
        for tensor in (point.x, point.dy, *point.params.values(), *point.state.values(), *point.dparams.values()):
            entries = [entry for entry in tensor.entries if abs(entry) > 2.0**-900]
            assert [float(np.float32(entry)) for entry in entries] == entries


@pytest.mark.parametrize("model", MODELS)
def test_no_case_is_near_a_kink_unless_it_says_so(model: str) -> None:
    """A sign is decided at a distance that float32 can tell, but for a mean square, whose magnitude is smooth there."""
    for recipe in recipes(model):
        tape = compute(Arithmetic(), model, recipe.options, recipe.point()).tape
        margin = min(tape.margins, default=math.inf)
        if "kink-convention" in recipe.flags:
            assert margin == 0.0
        elif "near-kink" in recipe.flags:
            assert 0.0 < margin <= 2.0**-8
        elif model not in ("adamlstm", "rmsproplstm"):
            assert margin > 1e-4


@pytest.mark.parametrize("recipe", recipes("enrnn"), ids=lambda recipe: recipe.id)
def test_the_leader_of_an_enrnn_is_what_the_flags_say(recipe) -> None:
    flags = set(recipe.flags)
    kinds = flags & {"real-leader", "negative-leader", "complex-leader"}
    if not kinds and "near-tie" not in flags:
        return
    short = recipe.point().params["short"]
    values = np.linalg.eigvals(np.array(short.entries).reshape(short.shape))
    values = values[np.argsort(-np.abs(values))]
    kind = "complex-leader" if values[0].imag else "real-leader" if values[0].real > 0 else "negative-leader"
    assert kinds == {kind}
    follower = next(value for value in values[1:] if value != values[0].conjugate())
    gap = abs(values[0]) - abs(follower)
    assert ("near-tie" in flags) == (gap < 2.0**-11)
    assert gap > 2.0**-13


@pytest.mark.parametrize(
    "recipe", [recipe for recipe in ALL if "vanished-gradient" in recipe.flags], ids=lambda recipe: recipe.id
)
def test_a_vanished_gradient_is_tiny_and_not_zero(recipe) -> None:
    found = compute(Arithmetic(), recipe.model, recipe.options, recipe.point())
    _, entries = found.arrays[("gradients", "x")]
    assert 0.0 < abs(nearest_float(entries[0])) < 1e-15
    assert abs(nearest_float(entries[-1])) > 1e-3


def test_a_decayed_state_passes_the_smallest_normal_number() -> None:
    decayed = [recipe for recipe in ALL if "decayed-subnormal" in recipe.flags]
    assert len(decayed) >= 5
    for recipe in decayed:
        found = compute(Arithmetic(), recipe.model, recipe.options, recipe.point())
        states = [
            abs(nearest_float(e)) for path, (_, es) in found.arrays.items() if path[0] in ("h", "state") for e in es
        ]
        assert any(0.0 < value < 2.0**-1022 for value in states), recipe.id
