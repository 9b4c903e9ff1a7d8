"""The public door: every array a user hands over is checked here, once, before any kernel sees it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.errors import DtypeError, NotFiniteError, OptionError, ParameterError, PlacementError, ShapeError

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def float_array(
    name: str, value: object, *, longdouble: bool = False, adopt: Callable[[object], Array] | None = None
) -> Array:
    """``value`` as a C-contiguous real floating-point array; the caller's array is never modified.

    Parameters
    ----------
    name : str
        How the message calls the argument.
    value : array_like
        float32 or float64 (longdouble too where ``longdouble`` is set); any memory layout.
    adopt : callable, optional
        If given, ``value`` lies in the memory of a device, and this is how the backend takes it as an array of its own.
        What it holds is not looked at: the host would have to wait for it. Its PlacementError goes on after ``name``.

    Raises
    ------
    DtypeError
        Integers, objects, complex numbers, float16, or longdouble where it is not supported.
    NotFiniteError
        NaN or infinity.
    PlacementError
        An array of a device where one of the host is expected, or the reverse; or one of another device.
    """
    if adopt is not None:
        return _adopted(name, value, adopt)
    # As it should be, which the rest takes its time to find out: where the sum of all squares is finite, so is every
    # entry. It takes half the time of ``np.isfinite(value).all()``, or less, but may overflow.
    if (
        type(value) is np.ndarray
        and value.dtype in FLOATS
        and value.flags.carray
        and math.isfinite(np.vdot(value, value))
    ):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise DtypeError(f"{name} is a masked array, whose mask would be lost; expected a plain one.")
    if lies_on_device(value):  # NumPy would ask it for a host array, or see an object
        raise PlacementError(
            f"{name} is a {_kind(value)} in the memory of a CUDA device; expected an array on the host, such as "
            ".copy_to_host(), .get() or .cpu() give. backend='cuda' takes x, its state and their gradients on the "
            "device if all of them lie there, and params if all of those do; a direction of params never; an "
            "optimizer takes params, grads and state on one side."
        )
    try:
        array = np.asarray(value)
    except ValueError as error:  # ragged lists
        raise DtypeError(f"{name} is not an array: {error}.") from error
    native = array.dtype.newbyteorder("=")
    allowed = (*FLOATS, np.dtype(np.longdouble)) if longdouble else FLOATS
    if native not in allowed:
        raise DtypeError(f"{name} has dtype {array.dtype}; expected {_names(allowed)}.")
    if not np.isfinite(array).all():
        bad = int(np.size(array) - np.count_nonzero(np.isfinite(array)))
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(np.atleast_1d(array)))[0])
        raise NotFiniteError(f"{name} holds {bad} NaN or infinite value(s), the first at index {first}.")
    return np.require(array, dtype=native, requirements=["C", "A", "W"])


def _adopted(name: str, value: Any, adopt: Callable[[object], Array]) -> Array:
    """An array of a device as a backend's own."""
    if not lies_on_device(value):
        raise PlacementError(
            f"{name} is a {_kind(value)} on the host; expected an array in the memory of the device, as its "
            "companions are."
        )
    try:
        interface: dict[str, Any] = value.__cuda_array_interface__
    except RuntimeError as error:  # a tensor of PyTorch whose gradient is wanted
        raise PlacementError(f"{name} does not hand out its memory: {error}; expected what .detach() gives.") from error
    if interface.get("mask") is not None:
        raise DtypeError(f"{name} is a masked array, whose mask would be lost; expected a plain one.")
    dtype = np.dtype(interface["typestr"])
    if dtype not in FLOATS:
        raise DtypeError(f"{name} has dtype {dtype}; expected {_names(FLOATS)}.")
    try:
        return adopt(value)
    except PlacementError as error:  # on another device than the backend's
        raise PlacementError(f"{name} {error}") from None


def lies_on_device(value: object) -> bool:
    """Whether a value is an array in the memory of a CUDA device."""
    try:
        return not isinstance(value, np.ndarray) and hasattr(value, "__cuda_array_interface__")
    except RuntimeError:  # a tensor of PyTorch whose gradient is wanted does not hand it out
        return True


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__name__}"


def float_dtype(dtype: object, *, longdouble: bool = False) -> np.dtype[Any]:
    """``dtype`` as a NumPy dtype if it is float32 or float64 (or longdouble where supported); DtypeError otherwise."""
    allowed = (*FLOATS, np.dtype(np.longdouble)) if longdouble else FLOATS
    kind: np.dtype[Any] | None = None
    if dtype is not None:
        with contextlib.suppress(TypeError):
            kind = np.dtype(dtype)  # type: ignore[call-overload]
    if kind is None or kind not in allowed:  # None == np.dtype(float) is true
        came = repr(dtype) if kind is None else str(kind)
        raise DtypeError(f"dtype is {came}; expected {_names(allowed)}.")
    return kind


def _names(dtypes: tuple[np.dtype[Any], ...]) -> str:
    return " or ".join(str(dtype) for dtype in dtypes)


def require_shape(name: str, array: Array, shape: tuple[int | None, ...], axes: str, hint: str = "") -> None:
    """Raise ShapeError unless ``array.shape`` equals ``shape`` (``None`` matches any size); ``axes`` explains it."""
    if array.shape == shape:
        return
    if array.ndim != len(shape) or any(s is not None and s != a for s, a in zip(shape, array.shape, strict=True)):
        expected = str(tuple(shape)).replace("None", "any")
        raise ShapeError(f"{name} has shape {array.shape}; expected {expected}, that is {axes}.{hint}")


def require_keys(name: str, given: object, expected: Mapping[str, object], *, partial: bool = False) -> None:
    """Raise ParameterError unless ``given`` is a mapping with exactly the expected keys (a subset if ``partial``)."""
    if not isinstance(given, Mapping):
        raise ParameterError(f"{name} is a {type(given).__name__}; expected a dict with the keys {sorted(expected)}.")
    if given.keys() == expected.keys():
        return
    unknown = [key for key in given if key not in expected]
    missing = [] if partial else [key for key in expected if key not in given]
    if unknown or missing:
        found = "; ".join(
            part
            for part in (f"unknown: {unknown}" if unknown else "", f"missing: {missing}" if missing else "")
            if part
        )
        raise ParameterError(f"{name} has the wrong keys ({found}); expected {list(expected)}.")


def array_dict(
    name: str,
    given: object,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    dtype: npt.DTypeLike | None = None,
    partial: bool = False,
    longdouble: bool = False,
    adopt: Callable[[object], Array] | None = None,
    axes: str = "the declared shape",
    hint: str = "",
) -> Arrays:
    """A checked dictionary of arrays in the order of ``shapes``: keys, dtypes, shapes, finiteness.

    ``axes`` and ``hint`` explain the shapes in a message. With ``partial`` a missing key is left out of the result. All
    arrays share one dtype: ``dtype``, or the first one's.
    """
    require_keys(name, given, shapes, partial=partial)
    assert isinstance(given, Mapping)
    checked: Arrays = {}
    for key, shape in shapes.items():
        if key not in given:
            continue
        label = f"{name}[{key!r}]"
        array = float_array(label, given[key], longdouble=longdouble, adopt=adopt)
        if array.shape != shape:
            require_shape(label, array, shape, axes, hint)
        if dtype is None or array.dtype != dtype:  # None, compared, is float64 to NumPy
            dtype = require_dtype(label, array, dtype)
        checked[key] = array
    return checked


def require_dtype(name: str, array: Array, dtype: npt.DTypeLike | None) -> np.dtype[Any]:
    """Raise DtypeError unless ``array`` has ``dtype`` (``None`` accepts any); returns the dtype in force."""
    if dtype is not None and array.dtype != np.dtype(dtype):
        raise DtypeError(
            f"{name} has dtype {array.dtype} but its companions are {np.dtype(dtype)}; convert one side with .astype()."
        )
    return array.dtype


def integer(name: str, value: object, *, least: int = 1) -> int:
    """``value`` as an int not below ``least``; booleans and floats are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise OptionError(f"{name} is {value!r}; expected an integer of at least {least}.")
    if value < least:
        raise OptionError(f"{name} is {value}; expected an integer of at least {least}.")
    return int(value)


def choice(name: str, value: object, options: tuple[str, ...]) -> str:
    """``value`` if it is one of ``options``; OptionError otherwise."""
    if not isinstance(value, str) or value not in options:
        raise OptionError(f"{name} is {value!r}; expected one of {', '.join(map(repr, options))}.")
    return value


def number(name: str, value: object, *, least: float = 0.0, open_: bool = False) -> float:
    """``value`` as a finite float not below ``least`` (above it when ``open_``; -inf: any)."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise OptionError(f"{name} is {value!r}; expected a number.")
    try:
        result = float(value)
    except OverflowError:  # an integer beyond float64
        result = float("inf")
    if not np.isfinite(result) or result < least or (open_ and result == least):
        bound = "" if least == -np.inf else f" above {least:g}" if open_ else f" of at least {least:g}"
        raise OptionError(f"{name} is {value}; expected a finite number{bound}.")
    return result
