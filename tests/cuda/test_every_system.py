"""What the kernels give is what the readable backend gives: every system, every rung, forward, backward, tangent."""

import numpy as np
import pytest

from enrnn_ref.backends.cuda import rule
from tests.mutants.systems import SYSTEMS, case

# Two orders of summation of terms of order one, four steps long.
ALIKE = {np.float64: {"rtol": 1e-9, "atol": 1e-11}, np.float32: {"rtol": 2e-3, "atol": 2e-4}}
SMALL = {"times": 4, "batch": 3}
ONE_PRODUCT = ("enrnn", "scornn", "scurnn", "lstm", "gru", "restart-a", "gated")
PERSISTENT = ("shared", "registers", "grid")


def assert_alike(found, expected, dtype=np.float64):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, **ALIKE[dtype], err_msg=key)


@pytest.mark.parametrize("name", SYSTEMS)
def test_as_the_rule_has_it(name):
    point = case(name, **SMALL)
    for found in (point.values, point.gradients, point.tangent):
        assert_alike(found("cuda"), found("reference"))


@pytest.mark.parametrize("name", ONE_PRODUCT)
@pytest.mark.parametrize("rung", rule.RUNGS)
def test_on_every_rung(name, rung, one_block):
    point = case(name, **SMALL)
    expected = point.values("reference"), point.gradients("reference")
    with rule.forced(rung):
        assert_alike(point.values("cuda"), expected[0])
        assert_alike(point.gradients("cuda"), expected[1])


@pytest.mark.parametrize("rung", PERSISTENT)
@pytest.mark.parametrize("name", ["enrnn", "lstm", "scurnn"])
def test_when_sequences_take_turns(name, rung, one_block):
    """Shared memory for two sequences: a block of three, or of five, takes them in rounds, the last with one."""
    point = case(name, times=3, batch=5)
    model = point.model
    expected = point.values("reference"), point.gradients("reference")
    with rule.forced(rung):
        limits = one_block.limits._replace(blocks=1 if rung == "grid" else 2)
        one_block.limits = limits
        while max(shape.staged for shape in shapes(one_block, model, 5)) > 2:
            limits = limits._replace(shared=limits.shared - 8)
            one_block.limits = limits
        assert all(shape.group % shape.staged == 1 for shape in shapes(one_block, model, 5))
        assert_alike(point.values("cuda"), expected[0])
        assert_alike(point.gradients("cuda"), expected[1])


def shapes(engine, model, batch):
    return engine.plan(model.cell, model.hidden_size, batch, np.float64)


@pytest.mark.parametrize("rung", rule.RUNGS)
@pytest.mark.parametrize("name", ["enrnn", "gru"])
def test_in_single_precision(name, rung, one_block):
    point = case(name, **SMALL)
    model = point.model
    expected = point.gradients("reference")
    params, state = cast(point.params), cast(point.state)
    with rule.forced(rung):
        run = model.forward(params, point.x.astype(np.float32), state, backend="cuda")
        found = model.backward(run, point.y_cotangent.astype(np.float32), cast(point.state_cotangent))
    assert run.y.dtype == found.x.dtype == np.float32
    assert_alike({**found.params, "x": found.x}, {key: expected[key] for key in (*params, "x")}, np.float32)


def cast(arrays):
    return {key: array.astype(np.float32) for key, array in arrays.items()}
