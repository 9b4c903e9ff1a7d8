"""Arrays on the device, as the models see them, and what is done to all entries of one at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array
from enrnn_ref.backends.cuda.arithmetic import Arithmetic
from enrnn_ref.backends.cuda.crossing import send
from enrnn_ref.backends.cuda.entries import grid_over, place_of
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.target import cuda, device_errors, device_function, interface_of, kernel, view_of
from enrnn_ref.backends.tuples import scattering
from enrnn_ref.errors import PlacementError
from enrnn_ref.linalg.algebra import Algebra


class DeviceArray(Arithmetic):
    """An array in the device's memory: its form, its slices and its operators, on a device as on the simulator.

    Whatever takes ``__cuda_array_interface__`` (CuPy, PyTorch, Numba) takes it without a copy; ``copy_to_host()`` makes
    one of NumPy's.

    Attributes
    ----------
    data
        Numba's array, which kernels are given.
    """

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        interface: dict[str, Any] = interface_of(self.data)
        return interface

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def contiguous(self) -> bool:
        """Whether the entries stand one after the other, the last axis running fastest."""
        return bool(self.data.is_c_contiguous())

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"DeviceArray(shape={self.shape}, dtype={self.dtype})"

    __iter__ = None  # an entry is a kernel's to read

    def __array__(self, *_: object, **__: object) -> Array:
        """Refused: NumPy asks for it wherever it is handed one of these.

        Raises
        ------
        PlacementError
            Always.
        """
        raise PlacementError(f"{self!r} is in the memory of a CUDA device; expected what its .copy_to_host() gives.")

    @device_errors()
    def __getitem__(self, key: Any) -> DeviceArray:
        """A view: of integers and slices without a step, one for each axis from the first on, or from ``...`` on.

        Raises
        ------
        IndexError
            Another key, or one beyond the array.
        """
        given = key if isinstance(key, tuple) else (key,)
        plain = [k for k in given if k is not Ellipsis]
        if len(plain) > self.ndim or len(given) - len(plain) > 1 or not all(map(_is_plain, plain)):
            raise IndexError(f"{self!r} has no [{key!r}]; expected integers and slices without a step.")
        rest: list[Any] = [slice(None)] * (self.ndim - len(plain))
        before = next((place for place, k in enumerate(given) if k is Ellipsis), len(given))
        keys = [*plain[:before], *rest, *plain[before:]]
        first, shape, strides = 0, [], []
        for k, length, stride in zip(keys, self.shape, self.data.strides, strict=True):
            place = range(length)[k]
            if isinstance(place, range):
                shape.append(len(place))
                strides.append(stride)
            first += stride * (place.start if isinstance(place, range) else place)
        if tuple(shape) == self.shape:
            return self
        if 0 in shape:  # there is no memory of which this could be a view
            return DeviceArray(device_array(tuple(shape), self.dtype))
        return DeviceArray(view_of(self.data, first, tuple(shape), tuple(strides)))

    @property
    def algebra(self) -> Algebra:
        """What formulas over such arrays are written with beside their operators (linalg/algebra.py)."""
        from enrnn_ref.backends.cuda.algebra import DEVICE  # noqa: PLC0415 (made of these arrays)

        return DEVICE

    @device_errors()
    def astype(self, dtype: npt.DTypeLike) -> DeviceArray:
        """A new contiguous array of another dtype, or of the same."""
        converted = device_array(self.shape, dtype)
        copy(converted, self.data)
        return DeviceArray(converted)

    def copy(self) -> DeviceArray:
        """A new contiguous array."""
        return self.astype(self.dtype)

    def __float__(self) -> float:
        """An entry by itself; waits for all that is queued."""
        return float(self.copy_to_host())

    def reshape(self, *shape: int) -> DeviceArray:
        """A view in another form; of a contiguous array, which nothing has to be copied for."""
        assert self.contiguous
        return DeviceArray(self.data.reshape(shape))

    @device_errors()
    def copy_to_host(self) -> Array:
        """A copy as a NumPy array.

        Raises
        ------
        DeviceError
            The device was lost.
        """
        copied: Array = self.data.copy_to_host()
        return np.require(copied, requirements="C")


def _is_plain(key: object) -> bool:
    """Whether a key is an integer, or a slice without a step."""
    if isinstance(key, slice):
        return key.step in (None, 1)
    return isinstance(key, (int, np.integer)) and not isinstance(key, bool)


def to_device(array: Array) -> Any:
    """A copy of a NumPy array on the device, as Numba has it."""
    contiguous = np.asarray(array, order="C")
    # An axis of one entry may have any stride, 0 after np.newaxis: to NumPy contiguous, to Numba an array that is
    # broadcast, which it does not reshape. There and back makes the strides anew.
    there = device_array(contiguous.shape, contiguous.dtype)
    if contiguous.size:
        send(there, contiguous.reshape(-1).reshape(contiguous.shape))
    return there


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
    """An array of zeros, as Numba has it."""
    array = device_array(shape, dtype)
    clear(array.reshape(math.prod(shape)))
    return array


def clear(target: Any) -> None:
    """target = 0."""
    fill(target, 0)


def fill(target: Any, value: float) -> None:
    """target = value, in all entries."""
    size = math.prod(target.shape)
    if size:
        filling(len(target.shape))[grid_over(size)](target, target.dtype.type(value), size)


def copy(target: Any, source: Any) -> None:
    """target = source, of the same shape, in the target's dtype."""
    _over_all(target, source, adding=False)


def add(target: Any, term: Any) -> None:
    """target += term, which has the last axes of its shape, or all."""
    _over_all(target, term, adding=True)


def reverse(target: Any, source: Any) -> None:
    """target = source (T, B, k) from the last time to the first."""
    size = math.prod(source.shape)
    if size:
        reversing[grid_over(size)](target, source, size)


def flat(there: Sequence[Any]) -> tuple[Any, ...]:
    """Contiguous arrays as kernels take several, with one axis."""
    return tuple(array.reshape(array.size).data for array in there)


TOGETHER = 16
"""Arrays that one launch copies at most: what a kernel is handed has to fit into four kilobytes."""


def copies(sources: list[DeviceArray], dtype: npt.DTypeLike) -> list[DeviceArray]:
    """Copies of contiguous arrays, which are of one dtype, in another or the same; so many as may share a launch do."""
    found = [DeviceArray(device_array(source.shape, dtype)) for source in sources]
    for first in range(0, len(sources), TOGETHER):
        part = slice(first, first + TOGETHER)
        targets, given = flat(found[part]), flat(sources[part])
        largest = max(len(target) for target in targets)
        if largest:
            copying_all(len(targets))[grid_over(largest)](targets, given)
    return found


def _over_all(target: Any, source: Any, *, adding: bool) -> None:
    size, period = math.prod(target.shape), math.prod(source.shape)
    if size:
        work = entrywise(len(target.shape), len(source.shape), adding)
        work[grid_over(size)](target, source, size, period)


_place_3 = place_of(3)


@kernel
def reversing(target: Any, source: Any, size: int) -> None:
    """``source`` (T, B, k), the last time first."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        t, b, j = _place_3(source.shape, k)
        target[source.shape[0] - 1 - t, b, j] = source[t, b, j]


@functools.cache
def filling(axes: int) -> Any:
    """``work(target, value, size)`` for an array of so many axes."""
    place = place_of(axes)

    @kernel
    def work(target: Any, value: Any, size: int) -> None:
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            target[place(target.shape, k)] = value

    return work


@functools.cache
def entrywise(axes: int, source_axes: int, adding: bool) -> Any:
    """``work(target, source, size, period)``: the source, of ``period`` entries, begins anew where it ends."""
    place, origin = place_of(axes), place_of(source_axes)

    @kernel
    def copying(target: Any, source: Any, size: int, period: int) -> None:
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            target[place(target.shape, k)] = source[origin(source.shape, k % period)]

    @kernel
    def summing(target: Any, source: Any, size: int, period: int) -> None:
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            target[place(target.shape, k)] += source[origin(source.shape, k % period)]

    return summing if adding else copying


@functools.cache
def copying_all(count: int) -> Any:
    """``work(targets, sources)``: tuples of so many arrays with one axis."""
    copied = (
        f"for k in range(first, targets[{i}].shape[0], step): targets[{i}][k] = sources[{i}][k]" for i in range(count)
    )
    copy_each = device_function(scattering("targets, sources, first, step", list(copied), {}))

    @kernel
    def work(targets: Any, sources: Any) -> None:
        copy_each(targets, sources, cuda.grid(1), cuda.gridsize(1))

    return work
