"""What compositions of models share: prefixed names, and one door for all parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array, Arrays, float_dtype, require_keys
from enrnn_ref.errors import OptionError
from enrnn_ref.initializers import generator
from enrnn_ref.models.base import Model

if TYPE_CHECKING:
    from enrnn_ref.models.recurrence import Recurrence

T = TypeVar("T")


class Composition(Model):
    """A model made of others, its ``parts``; the names of a part's arrays are prefixed with the part's and a dot."""

    parts: dict[str, Model]

    def _adopt(self, parts: dict[str, Model]) -> None:
        for name, part in parts.items():
            if not isinstance(part, Model):
                raise OptionError(f"{name} is {part!r}; expected a model.")
        self.parts = parts
        self.longdouble = all(part.longdouble for part in parts.values())
        self.shapes = joined({name: part.shapes for name, part in parts.items()})

    def init(self, seed: int | np.random.Generator, dtype: npt.DTypeLike = np.float64) -> Arrays:
        """Draw the parameters of every part, one after the other."""
        kind = float_dtype(dtype, longdouble=self.longdouble)
        rng = generator(seed)
        return joined({name: part.init(rng, kind) for name, part in self.parts.items()})

    def state_shapes(self, batch: int) -> dict[str, tuple[int, int]]:
        """Names and shapes of the state for ``batch`` sequences."""
        return joined({name: part.state_shapes(batch) for name, part in self.parts.items()})

    def initial_buffers(self) -> Arrays:
        """The untrained state of all parts before the first step."""
        return joined({name: part.initial_buffers() for name, part in self.parts.items()})

    def recurrences(
        self, params: Arrays, buffers: Arrays | None = None
    ) -> Iterator[tuple[str, Recurrence, Arrays, Arrays | None]]:
        """Those of all parts."""
        for name, part in self.parts.items():
            own = None if buffers is None else taken(buffers, name)
            for prefix, recurrence, own_params, own_buffers in part.recurrences(taken(params, name), own):
                yield f"{name}.{prefix}", recurrence, own_params, own_buffers

    def after_update(
        self, params: Mapping[str, Array], buffers: Mapping[str, Array] | None = None
    ) -> tuple[Arrays, Arrays]:
        """Parameters and buffers to go on with after an optimiser step (see :class:`Model`)."""
        _, checked = self._params_in_place(params)
        known = self._checked_buffers(buffers)
        moved = {name: part.after_update(taken(checked, name), taken(known, name)) for name, part in self.parts.items()}
        after = joined({name: params for name, (params, _) in moved.items()})
        return checked | after, joined({name: buffers for name, (_, buffers) in moved.items()})

    def penalty(self, params: Mapping[str, Array]) -> tuple[float, Arrays]:
        """The sum of the parts' own terms of the loss, and its gradients with the keys of ``params``."""
        on, checked = self._params_in_place(params)
        terms = {name: part.penalty(taken(checked, name)) for name, part in self.parts.items()}
        grads = {key: on.zeros(array.shape, array.dtype) for key, array in checked.items()}
        grads |= joined({name: gradients for name, (_, gradients) in terms.items()})
        return sum(value for value, _ in terms.values()), grads

    def _checked_buffers(self, buffers: Mapping[str, Array] | None) -> Arrays:
        """All buffers; each part checks the arrays of its own."""
        expected = self.initial_buffers()
        if buffers is None:
            return expected
        require_keys("buffers", buffers, expected)
        return dict(buffers)


def joined(parts: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    """One dict of all parts' entries, each name behind its part's."""
    return {f"{name}.{key}": value for name, entries in parts.items() for key, value in entries.items()}


def taken(entries: Mapping[str, T], name: str) -> dict[str, T]:
    """The entries of one part, under the part's own names."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in entries.items() if key.startswith(prefix)}
