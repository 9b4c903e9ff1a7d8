"""Models made of others, written out like a single one: stacks, and two directions (derivations/15-composition.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.errors import OptionError
from enrnn_ref.models.base import Model
from enrnn_ref.models.bidirectional import Bidirectional
from enrnn_ref.models.composition import Composition, joined, taken
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.models.stacked import Stacked
from enrnn_ref.verify.diagnosis.program import Program, Whole

Place = type[Whole]
Places = Mapping[str, Sequence[Place]]
"""The mistakes in every part of a composition, by its path: empty for the whole, ``"0."``, ``"forward."``, …"""


class JoinedTape(NamedTuple):
    """The tapes of the parts, and the outputs; ``h`` is None where there is no single hidden sequence."""

    parts: dict[str, Any]
    features: Array | None
    y: Array
    h: Array | None
    final: Arrays

    def outputs(self) -> Arrays:
        """The outputs under the names of the reports."""
        states = {f"final {name}": array for name, array in self.final.items()}
        return {"y": self.y, **({} if self.h is None else {"h": self.h}), **states}


class StackedProgram(Whole):
    """Layers on top of each other [CO-10] [CO-11]."""

    def __init__(self, model: Stacked, params: Arrays, places: Places, path: str) -> None:
        self.parts = _built(model, params, places, path)

    def passed_down(self, dx: Array) -> Array:
        """The gradient of a layer's input as the layer below receives it."""
        return dx

    def forward(self, x: Array, state: Arrays) -> JoinedTape:
        tapes: dict[str, Any] = {}
        y = x
        for name, part in self.parts.items():
            tapes[name] = part.forward(y, taken(state, name))
            y = tapes[name].y
        return JoinedTape(tapes, None, y, tapes[name].h, joined({key: tape.final for key, tape in tapes.items()}))

    def backward(self, tape: JoinedTape, dy: Array, dstate: Arrays) -> Arrays:
        found: Arrays = {}
        for name, part in reversed(self.parts.items()):
            grads = part.backward(tape.parts[name], dy, taken(dstate, name))
            dy = self.passed_down(grads["x"])
            found |= _prefixed(name, grads)
        return found | {"x": grads["x"]}


class BidirectionalProgram(Whole):
    """Two directions side by side [CO-12] [CO-13] [CO-14]."""

    def __init__(self, model: Bidirectional, params: Arrays, places: Places, path: str) -> None:
        self.parts = _built(model, params, places, path)
        self.summary = model.readout == "last"
        self.split = model.parts["forward"].output_width
        self.params = {name: params[name] for name in ("readout", "readout_bias") if name in params}

    def summary_index(self) -> int:
        """Which output of the backward direction, in the order it was computed, goes into the summary: the last."""
        return -1

    def restored(self, sequence: Array) -> Array:
        """The outputs of the backward direction in the order of time; the map is its own transpose."""
        return sequence[::-1]

    def input_gradient_restored(self, dx: Array) -> Array:
        """The gradient of the reversed input in the order of time."""
        return dx[::-1]

    def forward(self, x: Array, state: Arrays) -> JoinedTape:
        tapes = {
            name: part.forward(x if name == "forward" else x[::-1], taken(state, name))
            for name, part in self.parts.items()
        }
        ahead, back = (tape.y for tape in tapes.values())
        if self.summary:
            k = self.summary_index() % len(x)
            features = np.concatenate([ahead[-1:], back[k : k + 1]], axis=2)
        else:
            features = np.concatenate([ahead, self.restored(back)], axis=2)
        y = features @ self.params["readout"].T + self.params["readout_bias"] if self.params else features
        final = joined({name: tape.final for name, tape in tapes.items()})
        return JoinedTape(tapes, features, y[0] if self.summary else y, None, final)

    def backward(self, tape: JoinedTape, dy: Array, dstate: Arrays) -> Arrays:
        dy, found, features = dy[np.newaxis] if self.summary else dy, {}, tape.features
        assert features is not None
        dfeatures = dy
        if self.params:
            found["readout"] = self.total("readout", dy.swapaxes(1, 2) @ features)
            found["readout_bias"] = self.total("readout_bias", dy.sum(axis=1))
            dfeatures = dy @ self.params["readout"]
        halves = dict(zip(self.parts, np.split(dfeatures, [self.split], axis=2), strict=True))
        if self.summary:
            for name, k in (("forward", -1), ("backward", self.summary_index())):
                half, halves[name] = halves[name][0], np.zeros_like(tape.parts[name].y)
                halves[name][k] = half
        else:
            halves["backward"] = self.restored(halves["backward"])
        grads = {
            name: part.backward(tape.parts[name], halves[name], taken(dstate, name))
            for name, part in self.parts.items()
        }
        for name, part in grads.items():
            found |= _prefixed(name, part)
        return found | {"x": grads["forward"]["x"] + self.input_gradient_restored(grads["backward"]["x"])}


FOUNDATIONS: dict[type[Model], Place] = {
    Recurrence: Program,
    Stacked: StackedProgram,
    Bidirectional: BidirectionalProgram,
}


def build(model: Model, params: Arrays, places: Places, path: str = "") -> Any:
    """The program of a model, with mistakes at the given places; ``path`` is where in a composition it stands.

    Raises
    ------
    OptionError
        The model is neither a Recurrence nor made of such.
    """
    for kind, foundation in FOUNDATIONS.items():
        if isinstance(model, kind):
            bases = [place for place in places.get(path, ()) if issubclass(foundation, _foundation(place))]
            bases.sort(key=lambda place: _foundation(place) is not Whole)  # before those that build on the rest
            program: Any = type("Wrong", (*bases, foundation), {}) if bases else foundation
            return program(model, params) if foundation is Program else program(model, params, places, path)
    raise OptionError(
        f"model is a {type(model).__name__}; expected a Recurrence, or a Stacked or Bidirectional of such."
    )


def paths(model: Model, path: str = "") -> dict[str, Model]:
    """The model and those it is made of, by their paths."""
    found = {path: model}
    if isinstance(model, Composition):
        for name, part in model.parts.items():
            found |= paths(part, f"{path}{name}.")
    return found


def _built(model: Composition, params: Arrays, places: Places, path: str) -> dict[str, Any]:
    """The programs of the parts."""
    return {name: build(part, taken(params, name), places, f"{path}{name}.") for name, part in model.parts.items()}


def _foundation(place: Place) -> type:
    """What kind of program a mistake is made in."""
    return next(kind for kind in place.__mro__ if kind in (*FOUNDATIONS.values(), Whole))


def _prefixed(name: str, grads: Arrays) -> Arrays:
    """The gradients of a part under the composition's names, but for its input's."""
    found = {}
    for key, array in grads.items():
        if key != "x":
            of_state = key.startswith("state ")
            found[f"state {name}.{key.removeprefix('state ')}" if of_state else f"{name}.{key}"] = array
    return found
