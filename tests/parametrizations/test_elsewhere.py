"""Free arrays that lie elsewhere: the host's numbers, given back where they lie, and nothing crosses without need."""

import numpy as np
import pytest

from enrnn_ref import dominant_eigenpair
from enrnn_ref.linalg.tracking import SMALLEST
from enrnn_ref.parametrizations import (
    CoupledBlocks,
    EigenvalueNormalized,
    ExponentialOrthogonal,
    Free,
    NonNormalSchur,
    ScaledCayley,
    UnitaryCayley,
)
from tests.parametrizations.elsewhere import Elsewhere, There

PORTABLE = [
    Free(3, 5),
    ScaledCayley(5, 2),
    EigenvalueNormalized(4),
    CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(4)),
    CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(4), coupled=False),
]
OTHERS = [
    UnitaryCayley(3),
    ExponentialOrthogonal(4, rebase_every=1),
    NonNormalSchur(4, modulus_penalty=0.3, lower_decay=0.2),
]
KINDS = [
    *((p, True, dtype) for p in PORTABLE for dtype in (np.float32, np.float64)),
    *((p, False, np.float64) for p in OTHERS),
]
NAMES = [f"{number} {type(p).__name__} {dtype.__name__}" for number, (p, _, dtype) in enumerate(KINDS)]


def drawn(p, dtype):
    """A point, a cotangent and a direction."""
    rng = np.random.default_rng(3)
    raw, along = ({key: rng.standard_normal(shape).astype(dtype) for key, shape in p.shapes.items()} for _ in range(2))
    return raw, rng.standard_normal(p.shape).astype(dtype), along


def all_there(on, named):
    return {key: There(array, on) for key, array in named.items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        assert isinstance(found[key], There)
        np.testing.assert_array_equal(found[key].held, array, err_msg=key, strict=True)


@pytest.mark.parametrize(("p", "portable", "dtype"), KINDS, ids=NAMES)
def test_maps_and_derivatives(p, portable, dtype):
    on, (raw, cotangent, along) = Elsewhere(), drawn(p, dtype)
    expected, found = p.evaluate(raw), p.evaluate(all_there(on, raw))
    assert_same({"R": found.matrix}, {"R": expected.matrix})
    assert_same(p.pullback(found, There(cotangent, on)), p.pullback(expected, cotangent))
    assert_same({"dR": p.tangent(found, all_there(on, along))}, {"dR": p.tangent(expected, along)})
    every = sum(array.size for array in raw.values())
    assert sum(on.fetched) == (0 if portable else every + cotangent.size + every)
    assert sum(on.brought) == (0 if portable else cotangent.size + every + cotangent.size)
    assert found.degeneracy is None
    assert (found.eigenpair is None) == (expected.eigenpair is None)
    assert found.eigenpair is None or found.eigenpair.value == expected.eigenpair.value


@pytest.mark.parametrize(("p", "portable", "dtype"), KINDS, ids=NAMES)
def test_the_invariant_is_looked_at_on_the_host(p, portable, dtype):
    on, (raw, _, _) = Elsewhere(), drawn(p, dtype)
    found = p.evaluate(all_there(on, raw))
    on.fetched.clear()
    assert p.violation(found) == p.violation(p.evaluate(raw))
    assert on.fetched == ([found.matrix.size] if portable else [])


@pytest.mark.parametrize(("p", "portable", "dtype"), KINDS, ids=NAMES)
def test_a_penalty_and_a_base_cross_only_where_there_is_one(p, portable, dtype):
    on, (raw, _, _) = Elsewhere(), drawn(p, dtype)
    penalized, moving = isinstance(p, NonNormalSchur), isinstance(p, ExponentialOrthogonal)
    assert (p.penalized, p.moving) == (penalized, moving)
    buffers = p.evaluate(raw).buffers

    value, draw = p.penalty(all_there(on, raw))
    expected, gradients = p.penalty(raw)
    assert value == expected
    assert (value > 0) == penalized
    assert_same(draw, gradients)
    assert any(array.any() for array in gradients.values()) == penalized
    assert bool(on.fetched) == penalized

    on.fetched.clear()
    given = all_there(on, raw)
    after, known = p.after_update(given, buffers)
    expected, expected_buffers = p.after_update(raw, buffers)
    assert_same(after, expected)
    assert all(np.array_equal(expected[key], raw[key]) for key in raw) != moving
    assert known.keys() == expected_buffers.keys()
    assert all(np.array_equal(known[key], expected_buffers[key]) for key in known)
    assert bool(on.fetched) == moving


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("accurate", [True, False])
def test_blocks_that_may_not_stand_are_replaced(accurate, certain, coupled):
    p = CoupledBlocks(ScaledCayley(4, 1), EigenvalueNormalized(3, 0.1), coupled=coupled)
    on, (raw, cotangent, _) = Elsewhere(certain=certain, accurate=accurate), drawn(p, np.float64)
    expected = p.evaluate(raw)
    begun = p.begin(all_there(on, raw))
    value = p.settled(begun)
    assert (value.matrix is begun.matrix) == (accurate and certain)
    assert np.isnan(begun.matrix.held).any() != (accurate and certain)
    assert_same({"R": value.matrix}, {"R": expected.matrix})
    assert_same(p.pullback(value, on.here(cotangent)), p.pullback(expected, cotangent))
    assert p.settled(value) is value


@pytest.mark.parametrize("size", [0.4, 3.0])
@pytest.mark.parametrize("certain", [True, False])
def test_a_switch_is_thrown_by_a_leader_that_is_known(certain, size):
    p = EigenvalueNormalized(3, 0.1, "switch")
    on, (raw, _, _) = Elsewhere(certain=certain), drawn(p, np.float64)
    free = {"free": raw["free"] * (size / dominant_eigenpair(raw["free"]).modulus)}
    value, expected = p.evaluate(all_there(on, free)), p.evaluate(free)
    assert value.buffers["switched"] == expected.buffers["switched"] == (size > 1)
    assert value.eigenpair.fell_back == (not certain)
    assert_same({"R": value.matrix}, {"R": expected.matrix})
    again = p.evaluate(all_there(on, free), value.buffers)
    assert_same({"R": again.matrix}, {"R": expected.matrix})


@pytest.mark.parametrize("eigenpair", ["auto", "dense", "tracked"])
@pytest.mark.parametrize("certain", [True, False])
def test_the_host_decides_where_a_leader_is_not_certain(certain, eigenpair):
    p = EigenvalueNormalized(SMALLEST, eigenpair=eigenpair)
    on, (raw, _, _) = Elsewhere(certain=certain), drawn(p, np.float64)
    here, asked = eigenpair == "dense" or not certain, eigenpair != "dense"
    value = p.evaluate(all_there(on, raw))
    assert on.asked == asked
    assert on.fetched == ([SMALLEST**2] if here else [])
    assert value.eigenpair.fell_back == (asked and here)
    assert_same({"R": value.matrix}, {"R": p.evaluate(raw).matrix})
    if eigenpair == "tracked":
        assert value.buffers["fallbacks"] == here
        assert value.buffers["basis"].any() == here
        again = p.evaluate(all_there(on, raw), value.buffers)
        assert again.buffers["fallbacks"] == 2 * here
