"""Passes of every system and rung go through: nothing is raised, and nothing asked for that a driver would refuse."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends
from enrnn_ref.backends.cuda import rule
from tests.mutants.systems import SYSTEMS, case

BATCH, DTYPE = 40, np.float32
MODELS = {
    "enrnn": lambda units: er.ENRNN(3, units - 10, 10, 2),
    "rnn": lambda units: er.RNN(3, units, 2),
    "lstm": lambda units: er.LSTM(3, units, 2),
}
UNITS = {"steps": 40, "shared": 40, "registers": 40, "grid": 200}  # the last: for several blocks, that meet


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system(name, driver):
    point = case(name, times=3, batch=2)
    point.gradients("cuda")
    forward = len(driver.launches)
    point.tangent("cuda")
    assert 0 < forward < len(driver.launches)


@pytest.mark.parametrize("rung", rule.RUNGS)
@pytest.mark.parametrize("name", MODELS)
def test_every_rung(name, rung, driver):
    """In the shapes that the plan tells."""
    model = MODELS[name](UNITS[rung])
    params, x = model.init(0, DTYPE), np.ones((2, BATCH, model.input_size), DTYPE)
    with rule.forced(rung):
        plans = backends.get("cuda").plan(model.cell, model.hidden_size, BATCH, DTYPE)
        run = model.forward(params, x, backend="cuda")
        grads = model.backward(run, np.ones_like(run.y))
    assert grads.x.shape == x.shape
    assert [plan.rung for plan in plans] == [rung, rung]
    shapes = [(plan.grid, plan.threads) for plan in plans if rung != "steps"]
    together = [(launch.grid[:2], launch.threads) for launch in driver.launches if launch.cooperative]
    if rung == "grid":
        assert together == shapes
        assert all(units > 1 for (units, _), _ in shapes)
    else:
        assert together == []
        assert set(shapes) <= {(launch.grid[:2], launch.threads) for launch in driver.launches}
