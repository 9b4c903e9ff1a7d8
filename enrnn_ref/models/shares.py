"""The batch in shares: some sequences each, and what their passes return put together again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.backends.memory import empty


def of_sequences(named: Mapping[str, Array], sequences: slice) -> Arrays:
    """Some sequences of named states (B, width)."""
    return {name: array[sequences] for name, array in named.items()}


def joined(parts: Sequence[Array], axis: int) -> Array:
    """Parts side by side along an axis; one part alone is no copy. Read-only where the parts are."""
    if len(parts) == 1:
        return parts[0]
    form = list(parts[0].shape)
    form[axis] = sum(part.shape[axis] for part in parts)
    whole = np.concatenate(parts, axis, out=empty(tuple(form), parts[0].dtype))
    whole.flags.writeable = all(part.flags.writeable for part in parts)
    return whole


def joined_states(parts: Sequence[Mapping[str, Array]]) -> Arrays:
    """Named states of all sequences."""
    return {name: joined([part[name] for part in parts], axis=0) for name in parts[0]}


def read_only(array: Array) -> Array:
    """A view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
