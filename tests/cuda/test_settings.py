"""The settings of a cell reach its kernels on the device, which one compilation makes for all of them."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends.cuda import rule
from enrnn_ref.backends.cuda.units import units_of
from enrnn_ref.parametrizations import Free
from tests.settled_cell import SettledCell
from tests.strategies import flat

SETTLED = {
    "steps": [er.Recurrence(Free(6, 3), SettledCell(a, b), 2) for a, b in ((0.3, 0.5), (0.8, -2.0))],
    "shared": [er.ScheduledRestartLSTM(2, 3, step=eps, restart=f, form="A") for eps, f in ((0.7, 2), (-0.4, 0))],
}


def everything(model, backend):
    """All that three passes give."""
    rng = np.random.default_rng(0)
    params = {key: rng.standard_normal(shape) for key, shape in model.shapes.items()}
    x = rng.standard_normal((4, 2, 2))
    run = model.forward(params, x, backend=backend)
    tangent = model.tangent(params, x, {key: np.cos(array) for key, array in params.items()}, dx=x, backend=backend)
    return {"y": run.y, "tangent": tangent.y, **flat(model.backward(run, np.sin(run.y)))}


@pytest.mark.parametrize("rung", SETTLED)
def test_each_has_its_own_results(rung, one_block):
    models = SETTLED[rung]
    found = []
    for model in models:
        with rule.forced(rung):
            found.append(everything(model, "cuda"))
        for key, array in everything(model, "reference").items():
            np.testing.assert_allclose(found[-1][key], array, rtol=1e-11, atol=1e-12, err_msg=key)
    assert (found[0]["y"] != found[1]["y"]).any()
    assert units_of(models[0].cell) is units_of(models[1].cell)
