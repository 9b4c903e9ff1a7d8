"""What the passes of a recurrence hand to each other; every pass is over some sequences of the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.backends.base import Backend, SequenceTape, Step
from enrnn_ref.models.door import Door
from enrnn_ref.models.time_blocks import Sums
from enrnn_ref.parametrizations.base import Value


class Held(NamedTuple):
    """The tapes of the recurrence and of the filter, if there is one, over a stretch of time."""

    sequence: SequenceTape
    filtered: SequenceTape | None


class Segment(NamedTuple):
    """A stretch of time, the named states before it, and what is held of it; None: it is to be run again."""

    times: slice
    start: Arrays
    held: Held | None


class Pass(NamedTuple):
    """What a forward pass over some ``sequences`` of the batch leaves behind: the final named states, and its segments
    if a tape is kept."""

    sequences: slice
    final: Arrays
    segments: list[Segment]

    @property
    def states(self) -> Array:
        """h (T+1, B, W), where the tape of all times is held."""
        ((_, _, held),) = self.segments
        assert held is not None
        return held.sequence.h


class Point(NamedTuple):
    """Where a pass is taken, or a direction from there: weights, what a step multiplies by, input, named states."""

    weights: Arrays
    step: Step
    x: Array
    start: Arrays

    def of(self, sequences: slice) -> Point:
        """The same for some sequences of the batch."""
        return self._replace(x=self.x[:, sequences], start=of_sequences(self.start, sequences))


class Share(NamedTuple):
    """What a backward pass over some sequences of the batch leaves behind: the sums of the parameters' gradients, and
    the gradients of the named initial states."""

    sums: Sums
    initial: Arrays


@dataclass(frozen=True, eq=False)
class Tape:
    """What the backward pass needs of the forward pass.

    ``home`` is where the parameters lie, as ``value`` does, and ``door`` where x does; here x and ``weights``, the
    parameters other than those of R, are the engine's.
    """

    home: Door
    door: Door
    weights: Arrays
    step: Step
    x: Array
    value: Value
    passes: list[Pass]
    learned_start: bool


def of_sequences(named: Mapping[str, Array], sequences: slice) -> Arrays:
    """Some sequences of named states (B, width)."""
    return {name: array[sequences] for name, array in named.items()}


def joined_states(engine: Backend, parts: Sequence[Mapping[str, Array]]) -> Arrays:
    """Named states of all sequences: copies."""
    return {name: engine.joined([part[name] for part in parts]) for name in parts[0]}


def read_only(array: Array) -> Array:
    """A view that cannot be written to; an array of a device itself."""
    if not isinstance(array, np.ndarray):
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def states_shown(door: Door, passes: Sequence[Pass]) -> Array:
    """All states of passes that hold them, on the side of the door."""
    parts = [part.states for part in passes]
    return read_only(door.show(parts[0]) if len(parts) == 1 else door.give(door.engine.joined(parts, axis=1)))
