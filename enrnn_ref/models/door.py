"""Where a model's arrays come in, and go out again on the same side: that of the host, or that of a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from enrnn_ref.arrays import Array, Arrays, lies_on_device
from enrnn_ref.backends.base import Backend


class Door(NamedTuple):
    """One side of a backend; ``device``: not the host's, but that where the backend computes."""

    engine: Backend
    device: bool

    @classmethod
    def of(cls, engine: Backend, array: object) -> Door:
        """The side on which an array lies, as far as the backend knows of more than one."""
        return cls(engine, engine.adopt is not None and lies_on_device(array))

    @property
    def adopt(self) -> Callable[[object], Array] | None:
        """What an array is checked with (see :func:`~enrnn_ref.arrays.float_array`)."""
        return self.engine.adopt if self.device else None

    def take(self, array: Array) -> Array:
        """From this side to where the backend computes."""
        return array if self.device else self.engine.take(array)

    def give(self, array: Array) -> Array:
        """The way back."""
        return array if self.device else self.engine.give(array)

    def show(self, array: Array) -> Array:
        """As :meth:`give`, what is part of a tape: on a device a copy, for nothing there can be made read-only."""
        return array.copy() if self.device else self.engine.give(array)

    def fetch(self, array: Array) -> Array:
        """From this side to the host."""
        return self.engine.give(array) if self.device else array

    def take_all(self, named: Mapping[str, Array]) -> Arrays:
        return {name: self.take(array) for name, array in named.items()}

    def copies(self, named: Mapping[str, Array]) -> Arrays:
        """Copies on this side, of arrays of one dtype."""
        if self.device:
            return self.engine.copies(named, next(iter(named.values())).dtype)
        return {name: array.copy() for name, array in named.items()}

    def give_all(self, named: Mapping[str, Array]) -> Arrays:
        return {name: self.give(array) for name, array in named.items()}
