"""Golden vectors, case by case, on both backends: the numbers that nothing here computed."""

import json
from importlib import resources

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.models import NAMED

DATA = resources.files(er) / "verify" / "vectors" / "data"
MARGIN, UNIT, SMALLEST = 32, 2.0**-53, float(np.finfo(np.float64).tiny)
FLOORS = {"reference": SMALLEST, "cpu": 8 * SMALLEST / float(np.finfo(np.float64).eps)}
"""What may be lost at the lower end of the range: the compiled backend flushes (backends/cpu.py)."""


def decoded(value):
    """Arrays in place of their encoding, at any depth."""
    if "hex" in value:
        return np.array([float.fromhex(number) for number in value["hex"]]).reshape(value["shape"])
    return {key: decoded(entry) for key, entry in value.items()}


def assert_within_rounding(found, value, floor, name):
    if "hex" not in value:
        for key, entry in value.items():
            assert_within_rounding(found[key], entry, floor, f"{name} {key}")
        return
    expected = decoded(value)
    sensitivity = np.reshape(value["sensitivity"], expected.shape)
    bound = MARGIN * UNIT * np.maximum(sensitivity, np.abs(expected)) + floor
    assert np.shape(found) == expected.shape, name
    assert (np.abs(found - expected) <= bound).all(), name


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("name", NAMED)
def test_golden_vectors(name, backend):
    for case in json.loads((DATA / f"{name}.json").read_text())["cases"]:
        model, expected = er.models.build(name, **case["options"]), case["expected"]
        if len(case["inputs"]["x"]["decimal"]) > 200:
            continue  # long sequences belong to the whole suite
        given, direction = decoded(case["inputs"]), decoded(case["directions"])
        run = model.forward(given["params"], given["x"], given["state"] or None, backend=backend)
        grads = model.backward(run, given["dy"], given["dstate"])
        tangent = model.tangent(
            given["params"],
            given["x"],
            direction["params"],
            dx=direction["x"],
            state=given["state"] or None,
            dstate=direction["state"],
            backend=backend,
        )
        found = {
            "y": run.y,
            "h": run.h,
            "state": run.state,
            "gradients": {"params": grads.params, "x": grads.x, "state": grads.state},
            "tangent": {"y": tangent.y, "state": tangent.state},
        }
        for key in expected:
            assert_within_rounding(found[key], expected[key], FLOORS[backend], f"{case['id']} {key}")
