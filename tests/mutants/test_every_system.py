"""The passes of every small system: two backends, shares of a batch, the adjoint identity, differences."""

import numpy as np
import pytest

from enrnn_ref.backends import cpu
from enrnn_ref.models import time_blocks
from tests.mutants.systems import SYSTEMS, TIMES, case

EPS = float(np.finfo(np.float64).eps)
ALIKE = {"rtol": 1e-9, "atol": 1e-11}  # two orders of summation of terms of order one, seven steps long

every_system = pytest.mark.parametrize("name", SYSTEMS)


def assert_alike(found, expected, **tolerance):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, **(tolerance or ALIKE), err_msg=key)


@every_system
def test_both_backends_agree_also_when_the_work_is_shared(name, monkeypatch):
    point = case(name)
    expected = point.values("reference"), point.gradients("reference"), point.tangent("reference")
    assert_alike(point.values("cpu"), expected[0])
    monkeypatch.setattr(cpu, "_split", lambda work, length, _: [work(0, 2), work(2, 3), work(3, length)])
    for found, array in zip((point.values("cpu"), point.gradients("cpu"), point.tangent("cpu")), expected, strict=True):
        assert_alike(found, array)


@every_system
@pytest.mark.parametrize("started", [True, False])
def test_pullback_and_tangent_are_adjoint_in_every_argument(name, started):
    point = case(name, started=started)
    gradients, directions, cotangents = point.gradients("reference"), point.directions(), point.cotangents()
    for key, direction in directions.items():
        along = point.tangent("reference", only=key)
        forward = [array * cotangents[of] for of, array in along.items()]
        backward = direction * gradients[key]
        size = sum(np.abs(terms).sum() for terms in (*forward, backward))
        # sums of terms that are themselves some hundred roundings long
        assert abs(sum(terms.sum() for terms in forward) - backward.sum()) <= 1000 * EPS * size, key


@every_system
def test_tangent_is_the_limit_of_differences(name):
    """Sixth-order central differences; the step is so short that no unit crosses its kink on the way."""
    point, step = case(name), 1e-5
    weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    terms = [
        {key: w * (a - point.values("reference", -k * step)[key]) / step for key, a in ahead.items()}
        for k, w in weights.items()
        for ahead in [point.values("reference", k * step)]
    ]
    slopes = {key: sum(term[key] for term in terms) for key in terms[0]}
    assert_alike(point.tangent("reference"), slopes, rtol=1e-6, atol=1e-7)


@every_system
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_run_without_a_tape_and_one_in_two_parts_give_the_same(name, backend):
    point = case(name)
    run, light = point.run(backend), point.run(backend, keep=False)
    np.testing.assert_array_equal(light.y, run.y)
    assert_alike(light.state, run.state, rtol=0, atol=0)
    if not point.model.causal:
        return
    model, cut, every = point.model, TIMES // 2, point.model.readout == "all"
    first = model.forward(point.params, point.x[:cut], point.state, backend=backend)
    second = model.forward(point.params, point.x[cut:], first.state, buffers=first.buffers, backend=backend)
    np.testing.assert_allclose(np.concatenate([first.y, second.y]) if every else second.y, run.y, **ALIKE)
    assert_alike(second.state, run.state)


@every_system
def test_gradients_are_the_same_a_step_at_a_time(name, monkeypatch):
    """Backward takes time in blocks; here each is a single step."""
    point = case(name)
    whole = point.gradients("reference")
    monkeypatch.setattr(time_blocks, "GRADIENT_BYTES", 1)
    assert_alike(point.gradients("reference"), whole)
