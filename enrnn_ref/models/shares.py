"""The batch in shares of some sequences each: their part of named states, and the states of all put together again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from enrnn_ref.arrays import Array, Arrays


def of_sequences(named: Mapping[str, Array], sequences: slice) -> Arrays:
    """Some sequences of named states (B, width)."""
    return {name: array[sequences] for name, array in named.items()}


def joined_states(parts: Sequence[Mapping[str, Array]]) -> Arrays:
    """Named states of all sequences."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def read_only(array: Array) -> Array:
    """A view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
