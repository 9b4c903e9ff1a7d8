"""Every mistake of the catalogue shows in the golden case that it names, and is named there."""

import functools

import numpy as np
import pytest

from enrnn_ref.verify import diagnosis, vectors
from enrnn_ref.verify.diagnosis.compositions import build, paths
from enrnn_ref.verify.diagnosis.mistake import made_in
from enrnn_ref.verify.vectors.explain import model_of

MARGIN = 32


@functools.cache
def cases():
    return {case.id: case for case in vectors.load()}


def expected(case):
    """The values of a case under the names of the reports."""
    found = {"y": case.expected["y"], **{f"final {key}": v for key, v in case.expected["state"].items()}}
    gradients = case.expected["gradients"]
    found |= {**gradients["params"], "x": gradients["x"]}
    return found | {f"state {key}": value for key, value in gradients["state"].items()}


def wrong(case, found):
    """The arrays beyond the tolerance of the golden vectors."""
    names = []
    for name, value in expected(case).items():
        scale = np.maximum(value.sensitivity, np.abs(value.value))
        if (np.abs(found[name] - value.value) > MARGIN * 2.0**-53 * scale + 2.0**-1022).any():
            names.append(name)
    return names


def computed(model, case, places):
    program = build(model, case.params, places)
    tape = program.forward(case.x, case.state)
    arrays = {**tape.outputs(), **program.gradients(tape, case.x, case.dy, case.dstate)}
    return {name: array for name, array in arrays.items() if name in expected(case)}


@pytest.mark.parametrize("mistake", diagnosis.CATALOGUE, ids=lambda mistake: mistake.name)
def test_the_named_case_shows_the_mistake(mistake):
    case = cases()[mistake.case]
    model = model_of(case.model, case.options)
    assert not wrong(case, computed(model, case, {}))
    made = made_in(mistake, paths(model), *case.x.shape[:2])[0]
    found = computed(model, case, {path: [place] for path, place in made.places.items()})
    assert wrong(case, found)
    explanations = diagnosis.diagnose(model, case.params, case.x, case.state, case.dy, case.dstate, found)
    assert mistake.name in [explanation.mistakes[0].name for explanation in explanations if explanation.full]


def test_the_named_cases_have_the_mistakes_as_flags():
    assert [m.name for m in diagnosis.CATALOGUE if m.name not in cases()[m.case].flags] == []
