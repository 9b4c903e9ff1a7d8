"""Small golden vectors made of our own models, and right answers to them: what the judge is tried on."""

import json

import numpy as np

from enrnn_ref import models
from enrnn_ref.verify.vectors import load

SMALL = {
    "rnn-small": ("rnn", {"input_size": 2, "hidden_size": 4, "output_size": 5}),
    "rnn-last": ("rnn", {"input_size": 4, "hidden_size": 2, "output_size": 3, "readout": "last"}),
    "enrnn-small": ("enrnn", {"input_size": 2, "long_size": 4, "short_size": 5, "output_size": 1}),
    "gru-small": ("gru", {"input_size": 3, "hidden_size": 2, "output_size": None}),
}
STEPS, BATCH = 6, 3


def small(directory):
    """The cases of SMALL, by way of files in ``directory``."""
    for model in {model for model, _ in SMALL.values()}:
        cases = [case_of(name, *found) for name, found in SMALL.items() if found[0] == model]
        document = {"format": "enrnn_ref golden vectors", "version": 1, "model": model, "cases": cases}
        (directory / f"{model}.json").write_text(json.dumps(document))
    return load(directory)


def case_of(name, model, options):
    """One case, a sensitivity of 16 times the largest value at every entry."""
    system = models.build(model, **options)
    rng = np.random.default_rng(len(name))

    def draw(shapes):
        return {key: rng.uniform(-0.5, 0.5, shape) for key, shape in shapes.items()}

    params, x = draw(system.shapes), rng.uniform(-1.0, 1.0, (STEPS, BATCH, system.input_size))
    state = draw(system.state_shapes(BATCH))
    run = system.forward(params, x, state, backend="reference")
    dy, dstate = rng.uniform(0.5, 1.5, run.y.shape), draw({key: array.shape for key, array in run.state.items()})
    grads = system.backward(run, dy, dstate)
    directions = {"params": draw(system.shapes), "x": rng.uniform(-1.0, 1.0, x.shape), "state": draw(_shapes(state))}
    tangent = system.tangent(
        params, x, directions["params"], dx=directions["x"], state=state, dstate=directions["state"],
        backend="reference",
    )  # fmt: skip
    expected = {
        "y": run.y,
        "h": run.h,
        "state": run.state,
        "gradients": {"params": grads.params, "x": grads.x, "state": grads.state},
        "tangent": {"y": tangent.y, "state": tangent.state},
    }
    return {
        "id": name,
        "comment": "",
        "flags": [],
        "options": options,
        "inputs": _json({"params": params, "x": x, "state": state, "dy": dy, "dstate": dstate}, sensitive=False),
        "directions": _json(directions, sensitive=False),
        "expected": _json(expected, sensitive=True),
    }


def right(case):
    """The right answer, by our own models."""
    system = models.build(case.model, **case.options)
    run = system.forward(case.params, case.x, case.state, backend="reference")
    grads = system.backward(run, case.dy, case.dstate)
    return {
        "y": run.y.copy(),
        "state": dict(run.state),
        "gradients": {"params": dict(grads.params), "x": grads.x, "state": dict(grads.state)},
    }


def encoded(node):
    """An answer as JSON has it."""
    if isinstance(node, dict):
        return {key: encoded(child) for key, child in node.items()}
    return {"shape": list(node.shape), "data": node.ravel().tolist()}


def _shapes(arrays):
    return {key: array.shape for key, array in arrays.items()}


def _json(node, *, sensitive):
    if isinstance(node, dict):
        return {key: _json(child, sensitive=sensitive) for key, child in node.items()}
    flat = node.ravel().tolist()
    form = {"shape": list(node.shape), "decimal": flat, "hex": [value.hex() for value in flat]}
    if sensitive:
        form["sensitivity"] = [16.0 * float(np.abs(node).max(initial=0.0))] * node.size
    return form
