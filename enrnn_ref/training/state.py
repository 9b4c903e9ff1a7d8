"""Where a training run stands between two steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from enrnn_ref.arrays import Arrays, lies_on_device
from enrnn_ref.backends.base import Backend


@dataclass(frozen=True)
class TrainingState:
    """All that the next step depends on, besides the configuration.

    With ``backend="cuda"`` its arrays lie on the device, but for buffers and the optimiser's counters.

    Attributes
    ----------
    step : int
        Optimiser steps taken.
    params, optimizer : dict of ndarray
        Parameters, and what the optimiser remembers.
    buffers : dict of ndarray or None
        Untrained state of the parametrization; None before the first step.
    carried : dict of ndarray or None
        Final recurrent state of the last batch, for a batch that continues it (truncated BPTT).
    degeneracies : dict
        How often each kind of degenerate leading eigenvalue was met so far.
    """

    step: int
    params: Arrays
    optimizer: Arrays
    buffers: Arrays | None = None
    carried: Arrays | None = None
    degeneracies: Mapping[str, int] = field(default_factory=dict)

    def brought(self, engine: Backend) -> TrainingState:
        """This state with its arrays where a backend computes."""
        if engine.adopt is None:
            return self

        def there(arrays: Arrays) -> Arrays:
            return {
                key: array if lies_on_device(array) or array.dtype.kind != "f" else engine.take(array)
                for key, array in arrays.items()
            }

        carried = None if self.carried is None else there(self.carried)
        return replace(self, params=there(self.params), optimizer=there(self.optimizer), carried=carried)

    def fetched(self, engine: Backend) -> TrainingState:
        """This state on the host, as a checkpoint holds it."""
        if engine.adopt is None:
            return self

        def here(arrays: Arrays) -> Arrays:
            return {key: engine.give(array) if lies_on_device(array) else array for key, array in arrays.items()}

        buffers, carried = (None if arrays is None else here(arrays) for arrays in (self.buffers, self.carried))
        return replace(self, params=here(self.params), optimizer=here(self.optimizer), buffers=buffers, carried=carried)
