"""A program that speaks the protocol of the golden vectors, with the models of enrnn_ref behind it.

    enrnn-ref vectors verify --command "python examples/clients/python/client.py"

It is the shortest complete client: a loop over lines, and a method for each kind of request. An implementation of one's
own takes the place of ``enrnn_ref.models`` here. With ``float32`` behind its name it computes in that precision.
"""

from __future__ import annotations

import json
import sys

import numpy as np

import enrnn_ref as er

DTYPE = sys.argv[1] if len(sys.argv) > 1 else "float64"


def array(form):
    """{"shape": [2, 3], "data": [...]} → ndarray."""
    return np.array(form["data"], DTYPE).reshape(form["shape"])


def arrays(forms):
    return {name: array(form) for name, form in forms.items()}


def form(array):
    return {"shape": list(array.shape), "data": array.ravel().tolist()}


def forms(arrays):
    return {name: form(array) for name, array in arrays.items()}


def build(model, options):
    """The model of a case; a composition's options hold those of its parts, which say themselves what they are."""
    if model == "stacked":
        return er.Stacked([build(**part(layer)) for layer in options["layers"]])
    if model == "bidirectional":
        ahead, back = (build(**part(options[name])) for name in ("forward", "backward"))
        return er.Bidirectional(ahead, back, options["output_size"], readout=options["readout"])
    return er.models.build(model, **options)


def part(options):
    return {"model": options["model"], "options": {key: value for key, value in options.items() if key != "model"}}


class Client:
    """Keeps the case between requests; each method takes a request and returns the reply but for id and ok."""

    def start(self, request):
        if request["protocol"] != 1:
            raise ValueError(f"protocol {request['protocol']} is unknown here")
        return {"name": "enrnn_ref", "dtype": DTYPE}

    def define(self, request):
        self.model = build(request["model"], request["options"])
        self.params, self.x = arrays(request["params"]), array(request["x"])
        self.state = arrays(request["state"]) or None
        return {}

    def evaluate(self, request):
        self.run = self.model.forward(self.params, self.x, self.state, backend="reference")
        return {"y": form(self.run.y), "state": forms(self.run.state)}

    def gradients(self, request):
        grads = self.model.backward(self.run, array(request["dy"]), arrays(request["dstate"]))
        state = {} if self.state is None else grads.state
        return {"params": forms(grads.params), "x": form(grads.x), "state": forms(state)}


client = Client()
for line in sys.stdin:
    request = json.loads(line)
    if request["kind"] == "stop":
        break
    try:
        reply = {"ok": True, **getattr(client, request["kind"])(request)}
    except Exception as error:  # the next request may go well
        reply = {"ok": False, "error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"id": request["id"], **reply}), flush=True)
