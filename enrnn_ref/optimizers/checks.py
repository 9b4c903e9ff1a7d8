"""The door of the optimisers: arrays that fit each other, all on one side.

Whether they are finite is asked of results only, which are not unless all that led to them was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from enrnn_ref import backends
from enrnn_ref.arrays import (
    Array,
    Arrays,
    float_array,
    lies_on_device,
    require_dtype,
    require_keys,
    require_shape,
)
from enrnn_ref.backends.base import Backend
from enrnn_ref.errors import DtypeError, OptionError, ParameterError, PlacementError, ShapeError


def side_of(name: str, given: Mapping[str, Array]) -> Backend:
    """The backend on whose side the first array lies, and so must all others."""
    if not isinstance(given, Mapping):
        raise ParameterError(f"{name} is a {type(given).__name__}; expected a dict of arrays.")
    return backends.at(next(iter(given.values()), None))


def float_arrays(name: str, given: Mapping[str, Array], engine: Backend) -> Arrays:
    """Arrays of any shapes and of one dtype."""
    arrays: Arrays = {}
    dtype = None
    for key, value in given.items():
        array = value
        if not (engine.owns(value) and (dtype is None or value.dtype == dtype)):
            label = f"{name}[{key!r}]"
            array = float_array(label, value, adopt=engine.adopt)
            require_dtype(label, array, dtype)
        arrays[key], dtype = array, array.dtype
    return arrays


def fitting(name: str, given: Mapping[str, Array], expected: Arrays, engine: Backend, axes: str) -> Arrays:
    """Arrays with the keys, shapes and dtypes of the expected ones; ``axes`` explains the shapes in a message."""
    _require_same_keys(name, given, expected)
    arrays: Arrays = {}
    for key, like in expected.items():
        array = given[key]
        if not (engine.owns(array) and array.shape == like.shape and array.dtype == like.dtype):
            label = f"{name}[{key!r}]"
            array = float_array(label, array, adopt=engine.adopt)
            require_shape(label, array, like.shape, axes)
            require_dtype(label, array, like.dtype)
        arrays[key] = array
    return arrays


def fitting_state(
    state: Mapping[str, Array], slots: Arrays, counters: Collection[str], engine: Backend
) -> tuple[Arrays, dict[str, int]]:
    """What is remembered, each with the shape and dtype of the parameter in ``slots``, and the counts of steps."""
    _require_same_keys("state", state, dict.fromkeys((*slots, *counters)))
    remembered = fitting("state", {key: state[key] for key in slots}, slots, engine, "as after init")
    return remembered, {key: _count(f"state[{key!r}]", state[key]) for key in counters}


def require_finite(name: str, arrays: Arrays, engine: Backend) -> None:
    """Raise NotFiniteError unless all entries are finite; from a device the arrays are fetched to be looked at."""
    for key, array in arrays.items():
        float_array(f"{name}[{key!r}]", engine.give(array))


def _require_same_keys(name: str, given: object, expected: Mapping[str, object]) -> None:
    if not isinstance(given, dict) or given.keys() != expected.keys():
        require_keys(name, given, expected)


def _count(label: str, value: object) -> int:
    """A step counter, always the host's."""
    if lies_on_device(value):
        raise PlacementError(f"{label} lies in the memory of a CUDA device; expected a count of steps on the host.")
    try:
        array = np.asarray(value)
    except ValueError as error:  # ragged lists
        raise DtypeError(f"{label} is not an array: {error}.") from error
    if array.shape != ():
        raise ShapeError(f"{label} has shape {array.shape}; expected (), as after init.")
    if array.dtype != np.int64:
        raise DtypeError(f"{label} has dtype {array.dtype}; expected int64, as after init.")
    if array < 0:
        raise OptionError(f"{label} is {array}; expected a count of steps, at least 0.")
    return int(array)
