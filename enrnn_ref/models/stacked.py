"""Models on top of each other: the output sequence of one is the input of the next [CO-10]."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from enrnn_ref import backends
from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.errors import OptionError
from enrnn_ref.models.base import Model
from enrnn_ref.models.composition import Composition, joined, taken
from enrnn_ref.models.door import Door
from enrnn_ref.models.passes import read_only
from enrnn_ref.models.run import Gradients, Run, Tangent


class Stacked(Composition):
    """x → layer 0 → layer 1 → … → y [CO-10]. Names of parameters and states are those of the layers behind ``"0."``, …

    Parameters
    ----------
    layers : sequence of Model
        At least one. Each but the last gives its output for every step, and the next takes that many inputs.

    Raises
    ------
    OptionError
        Two layers do not fit together; the message says which.
    """

    def __init__(self, layers: Sequence[Model]) -> None:
        if isinstance(layers, Model) or not layers:
            raise OptionError(f"layers is {layers!r}; expected a list of at least one model.")
        self._adopt({str(k): layer for k, layer in enumerate(layers)})
        self.layers = tuple(layers)
        for k, (below, above) in enumerate(itertools.pairwise(self.layers)):
            if below.readout != "all":
                raise OptionError(f"layer {k} has readout {below.readout!r}; expected 'all', with a layer above it.")
            if above.input_size != below.output_width:
                raise OptionError(
                    f"layer {k + 1} has input_size {above.input_size}; expected {below.output_width}, the width of the "
                    f"output of layer {k}."
                )
        self.input_size, last = self.layers[0].input_size, self.layers[-1]
        self.output_width, self.readout = last.output_width, last.readout
        self.causal = all(layer.causal for layer in self.layers)

    def forward(
        self,
        params: Mapping[str, Array],
        x: Array,
        state: Mapping[str, Array] | None = None,
        *,
        buffers: Mapping[str, Array] | None = None,
        keep: bool = True,
        checkpoint_every: int | None = None,
        backend: str = "cpu",
    ) -> Run:
        """Run all layers [CO-10]; arguments and errors as those of :meth:`Recurrence.forward`.

        ``run.h`` is that of the last layer; ``run.degeneracy`` the first that a layer has.
        """
        engine = backends.get(backend)
        checked, _ = self._given_params(engine, params)
        door, x, start = self._checked_input(engine, x, state, next(iter(checked.values())).dtype)
        start = None if start is None else door.take_all(start)
        known, y = self._checked_buffers(buffers), door.take(x)  # the layers leave their outputs where they compute
        runs: dict[str, Run] = {}
        for name, layer in self.parts.items():
            runs[name] = layer.forward(
                taken(checked, name),
                y,
                None if start is None else taken(start, name),
                buffers=taken(known, name),
                keep=keep,
                checkpoint_every=checkpoint_every,
                backend=backend,
            )
            y = runs[name].y
        states = runs[name].states
        return Run(
            door.give(y),
            None if states is None else functools.partial(_given, door, states),
            door.give_all(joined({name: run.state for name, run in runs.items()})),
            joined({name: run.buffers for name, run in runs.items()}),
            next((run.degeneracy for run in runs.values() if run.degeneracy is not None), None),
            backend,
            self,
            _Tape(door, runs, x) if keep else None,
        )

    def backward(self, run: Run, dy: Array, dstate: Mapping[str, Array] | None = None) -> Gradients:
        """From the last layer to the first: dL/dx of a layer is dL/dy of the one below [CO-11]."""
        door, runs, x = self._own_tape(run)
        dy = door.take(self._like("dy", dy, "run.y", run.y, door))
        dfinal = door.take_all(self._checked_state("dstate", dstate, door, x))
        grads: dict[str, Gradients] = {}
        for name, layer in reversed(self.parts.items()):
            grads[name] = layer.backward(runs[name], dy, taken(dfinal, name))
            dy = grads[name].x
        return Gradients(
            joined({name: grads[name].params for name in self.parts}),
            door.give(dy),
            door.give_all(joined({name: grads[name].state for name in self.parts})),
        )

    def tangent(
        self,
        params: Mapping[str, Array],
        x: Array,
        dparams: Mapping[str, Array],
        *,
        dx: Array | None = None,
        state: Mapping[str, Array] | None = None,
        dstate: Mapping[str, Array] | None = None,
        buffers: Mapping[str, Array] | None = None,
        backend: str = "cpu",
    ) -> Tangent:
        """From the first layer to the last, values and derivatives side by side."""
        engine = backends.get(backend)
        checked, _ = self._given_params(engine, params)
        door, x, start = self._checked_input(engine, x, state, next(iter(checked.values())).dtype)
        start = None if start is None else door.take_all(start)
        known = self._checked_buffers(buffers)
        direction = self._checked_direction(dparams, x, longdouble=engine.longdouble)
        dstart = door.take_all(self._checked_state("dstate", dstate, door, x))
        dy = engine.zeros(x.shape, x.dtype) if dx is None else door.take(self._like("dx", dx, "x", x, door))
        y = door.take(x)
        dfinal: dict[str, Arrays] = {}
        for name, layer in self.parts.items():
            own, own_start = taken(checked, name), None if start is None else taken(start, name)
            settings: dict[str, Any] = {"buffers": taken(known, name), "backend": backend}
            tangent = layer.tangent(
                own, y, taken(direction, name), dx=dy, state=own_start, dstate=taken(dstart, name), **settings
            )
            dy, dfinal[name] = tangent.y, tangent.state
            if layer is not self.layers[-1]:
                y = layer.forward(own, y, own_start, keep=False, **settings).y
        return Tangent(door.give(dy), door.give_all(joined(dfinal)))


class _Tape(NamedTuple):
    """What backward needs: where x lies, the layers' runs, and x."""

    door: Door
    runs: dict[str, Run]
    x: Array


def _given(door: Door, states: Callable[[], Array]) -> Array:
    """All states of a layer, on the side of the door."""
    return read_only(door.give(states()))
