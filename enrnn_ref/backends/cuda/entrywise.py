"""Functions of scalars over all entries of arrays on the device: the source is the host's, a kernel is made of it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from enrnn_ref.backends.cuda import arrays
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.entries import grid_over
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.target import cuda, device_function, kernel
from enrnn_ref.backends.cuda.units import on_device
from enrnn_ref.backends.entrywise import Entrywise, Found
from enrnn_ref.backends.tuples import gathering, scattering


def over_all(tasks: Sequence[Entrywise]) -> Found:
    """The results of all tasks; whether they are finite is noted on the device, and fetched when it is asked for."""
    found: list[Any] = []
    first_broken = DeviceArray(arrays.zeros((1,), np.int32))
    for number, (function, given, settings, results) in enumerate(tasks, 1):
        like: Any = given[0]
        new = tuple(DeviceArray(device_array(like.shape, like.dtype)) for _ in range(results))
        if like.size:
            with np.errstate(over="ignore"):
                numbers = tuple(like.dtype.type(value) for value in settings)
            work = applying(function, len(given), results)
            work[grid_over(like.size)](_flat(new), _flat(given), numbers, first_broken.data, number, like.size)
        found.append(new)

    def broken() -> int | None:
        number = int(first_broken.copy_to_host()[0])
        return number - 1 if number else None

    return Found(found, broken)


def _flat(there: Sequence[Any]) -> tuple[Any, ...]:
    """Arrays as kernels take them, with one axis."""
    return tuple(array.reshape(array.size).data for array in there)


@functools.cache
def applying(function: Callable[..., Any], arguments: int, results: int) -> Any:
    """``work(results, arrays, settings, broken, number, size)``: tuples of arrays, and of numbers.

    Where a result is NaN or infinite and ``broken`` is 0, the ``number`` of the task goes there: of several threads all
    write the same, and kernels run one after the other.
    """
    entry = on_device(function)
    gather = device_function(gathering("arrays, k", [f"arrays[{i}][k]" for i in range(arguments)]))
    statements = [f"results[{i}][k] = values[{i}]" for i in range(results)]
    check = " and ".join(f"isfinite(values[{i}])" for i in range(results))
    statements.append(f"if not ({check}) and broken[0] == 0: broken[0] = number")
    scatter = device_function(scattering("results, k, values, broken, number", statements, {"isfinite": math.isfinite}))

    @kernel
    def work(results: Any, arrays: Any, settings: Any, broken: Any, number: int, size: int) -> None:
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            scatter(results, k, entry(gather(arrays, k), settings), broken, number)

    return work
