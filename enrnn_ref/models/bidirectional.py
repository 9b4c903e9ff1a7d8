"""One model that reads the sequence forwards and one that reads it backwards [CO-12] [CO-13]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from enrnn_ref import backends
from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.backends.base import Backend
from enrnn_ref.errors import OptionError
from enrnn_ref.initializers import generator
from enrnn_ref.models.base import Model
from enrnn_ref.models.composition import Composition, joined, taken
from enrnn_ref.models.door import Door
from enrnn_ref.models.readout import Readout
from enrnn_ref.models.run import Gradients, Run, Tangent


class Bidirectional(Composition):
    """f_t = [f→_t ; f←_t], where f← comes from the reversed sequence and is put back in order [CO-12].

    The summary (``readout="last"``) is [f→_T ; f←_1]: what each direction has seen at its own end, all of the sequence
    in both cases [CO-13]. (The last entry of the *sequence* is [f→_T ; f←_T], and f←_T has seen one step.)

    Names of parameters and states are those of the two models behind ``"forward."`` and ``"backward."``, and
    ``readout``, ``readout_bias`` of the readout over both.

    Parameters
    ----------
    forward_model, backward_model : Model
        Both give their output for every step. Without the second, the first serves for both directions, with
        parameters of its own for each.
    output_size : int or None
        O of the readout; None: the features go out as they are.
    readout : {"all", "last"}

    Raises
    ------
    OptionError
        The two do not fit together.
    """

    causal = False

    def __init__(
        self,
        forward_model: Model,
        backward_model: Model | None = None,
        output_size: int | None = None,
        *,
        readout: str = "all",
    ) -> None:
        self._adopt({"forward": forward_model, "backward": forward_model if backward_model is None else backward_model})
        ahead, back = self.parts["forward"], self.parts["backward"]
        for name, part in self.parts.items():
            if part.readout != "all":
                raise OptionError(f"the {name} model has readout {part.readout!r}; expected 'all'.")
        if ahead.input_size != back.input_size:
            raise OptionError(
                f"the backward model has input_size {back.input_size}; expected {ahead.input_size}, as the forward one."
            )
        self.input_size, self._split = ahead.input_size, ahead.output_width
        self._readout = Readout(ahead.output_width + back.output_width, output_size, readout)
        self.readout, self.output_size, self.output_width = readout, self._readout.output_size, self._readout.width
        self.shapes |= self._readout.shapes

    def init(self, seed: int | np.random.Generator, dtype: npt.DTypeLike = np.float64) -> Arrays:
        """Draw the parameters of both directions and of the readout."""
        rng = generator(seed)
        params = super().init(rng, dtype)
        return params | self._readout.init(rng, next(iter(params.values())).dtype)

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
        """Run both directions [CO-12]; arguments and errors as those of :meth:`Recurrence.forward`.

        The state of the backward model is what it holds before x_T and, finally, after x_1. ``run.h`` is None.
        """
        engine, checked, home, door, x, start, known = self._given(params, x, state, buffers, backend)
        weights = self._weights(home, checked)
        runs = {
            name: part.forward(
                taken(checked, name),
                _in_order(engine, name, x),
                None if start is None else taken(start, name),
                buffers=taken(known, name),
                keep=keep,
                checkpoint_every=checkpoint_every,
                backend=backend,
            )
            for name, part in self.parts.items()
        }
        features = self._features(engine, {name: run.y for name, run in runs.items()})
        return Run(
            door.give(self._readout.apply(engine, weights, features)),
            None,
            door.give_all(joined({name: run.state for name, run in runs.items()})),
            joined({name: run.buffers for name, run in runs.items()}),
            next((run.degeneracy for run in runs.values() if run.degeneracy is not None), None),
            backend,
            self,
            _Tape(home, door, runs, weights, x, features) if keep else None,
        )

    def backward(self, run: Run, dy: Array, dstate: Mapping[str, Array] | None = None) -> Gradients:
        """Each direction's own backward pass; the two gradients of x add up [CO-14]."""
        home, door, runs, weights, x, features = self._own_tape(run)
        engine = backends.get(run.backend)
        dy = door.take(self._like("dy", dy, "run.y", run.y, door))
        dfinal = door.take_all(self._checked_state("dstate", dstate, door, x))
        readout, dfeatures = self._readout.pullback(engine, weights, features, dy)
        steps = {name: part.y for name, part in runs.items()}
        grads = {
            name: part.backward(runs[name], cotangent, taken(dfinal, name))
            for (name, part), cotangent in zip(
                self.parts.items(), self._cotangents(engine, dfeatures, steps).values(), strict=True
            )
        }
        dx = _in_order(engine, "backward", grads["backward"].x)
        engine.add(dx, grads["forward"].x)
        found = joined({name: gradient.params for name, gradient in grads.items()})
        found |= home.give_all({name: total.astype(dy.dtype) for name, total in readout.items()})
        return Gradients(
            {key: found[key] for key in self.shapes},
            door.give(dx),
            door.give_all(joined({name: gradient.state for name, gradient in grads.items()})),
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
        """Derivatives of both directions, joined as their values are."""
        engine, checked, home, door, x, start, known = self._given(params, x, state, buffers, backend)
        given = self._checked_direction(dparams, x, longdouble=engine.longdouble)
        dstart = door.take_all(self._checked_state("dstate", dstate, door, x))
        dx = engine.zeros(x.shape, x.dtype) if dx is None else door.take(self._like("dx", dx, "x", x, door))
        values, derivatives, final = {}, {}, {}
        for name, part in self.parts.items():
            own, own_start = taken(checked, name), None if start is None else taken(start, name)
            settings: dict[str, Any] = {"buffers": taken(known, name), "backend": backend}
            ordered = _in_order(engine, name, x)
            tangent = part.tangent(
                own, ordered, taken(given, name), dx=_in_order(engine, name, dx), state=own_start,
                dstate=taken(dstart, name), **settings,
            )  # fmt: skip
            values[name] = part.forward(own, ordered, own_start, keep=False, **settings).y
            derivatives[name], final[name] = tangent.y, tangent.state
        direction = {
            key: engine.take(given.get(key, np.zeros(shape, x.dtype))) for key, shape in self._readout.shapes.items()
        }
        features, along = (self._features(engine, outputs) for outputs in (values, derivatives))
        dy = self._readout.tangent(engine, self._weights(home, checked), direction, features, along)
        return Tangent(door.give(dy), door.give_all(joined(final)))

    def _given(
        self,
        params: Mapping[str, Array],
        x: Array,
        state: Mapping[str, Array] | None,
        buffers: Mapping[str, Array] | None,
        backend: str,
    ) -> tuple[Backend, Arrays, Door, Door, Array, Arrays | None, Arrays]:
        """The arguments, checked: the parameters where they lie, x and state where they are needed."""
        engine = backends.get(backend)
        checked, home = self._given_params(engine, params)
        door, x, start = self._checked_input(engine, x, state, next(iter(checked.values())).dtype)
        start = None if start is None else door.take_all(start)
        return engine, checked, home, door, door.take(x), start, self._checked_buffers(buffers)

    def _weights(self, home: Door, params: Arrays) -> Arrays:
        """The readout's parameters, where the backend computes."""
        return home.take_all({name: params[name] for name in self._readout.shapes})

    def _features(self, engine: Backend, outputs: Mapping[str, Array]) -> Array:
        """[CO-12], or [CO-13], from the outputs of both directions, each in the order in which it was read."""
        if self.readout == "last":
            return engine.joined([output[-1:] for output in outputs.values()], axis=2)
        return engine.joined([_in_order(engine, name, output) for name, output in outputs.items()], axis=2)

    def _cotangents(self, engine: Backend, dfeatures: Array, outputs: Mapping[str, Array]) -> Arrays:
        """The transpose of :meth:`_features`."""
        halves = dict(zip(outputs, (dfeatures[..., : self._split], dfeatures[..., self._split :]), strict=True))
        if self.readout == "all":
            return {name: _in_order(engine, name, half) for name, half in halves.items()}
        cotangents = {name: engine.zeros(output.shape, output.dtype) for name, output in outputs.items()}
        for name, half in halves.items():
            engine.copy(cotangents[name][-1], half[0])
        return cotangents


class _Tape(NamedTuple):
    """What backward needs: where parameters and x lie, both runs, the readout's weights, x, and what it read."""

    home: Door
    door: Door
    runs: dict[str, Run]
    weights: Arrays
    x: Array
    features: Array


def _in_order(engine: Backend, name: str, sequence: Array) -> Array:
    """A sequence in the order in which that direction reads it, or back."""
    return engine.reversed(sequence) if name == "backward" else sequence
