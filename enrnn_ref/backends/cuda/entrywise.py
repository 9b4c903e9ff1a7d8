"""Functions of scalars over all entries of arrays on the device: the source is the host's, a kernel is made of it."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from enrnn_ref.backends.cuda import arrays
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.crossing import Later
from enrnn_ref.backends.cuda.entries import grid_over
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.target import cuda, device_function, kernel
from enrnn_ref.backends.cuda.units import on_device
from enrnn_ref.backends.entrywise import Entrywise, Found
from enrnn_ref.backends.tuples import gathering, scattering

TOGETHER = 64
"""Arrays that one launch is handed at most: what a kernel is handed has to fit into four kilobytes."""


def over_all(tasks: Sequence[Entrywise]) -> Found:
    """The results of all tasks; which hold NaN or infinity is noted on the device, and waited for when asked for."""
    found: list[Any] = []
    broken = DeviceArray(arrays.zeros((len(tasks),), np.int32))
    for alike in _alike(tasks):
        function, given, settings, results = tasks[alike.start]
        first: Any = given[0]
        with np.errstate(over="ignore"):
            numbers = tuple(first.dtype.type(value) for value in settings)
        there: list[Any] = [task.arrays for task in tasks[alike]]
        new = [tuple(DeviceArray(device_array(a[0].shape, first.dtype)) for _ in range(results)) for a in there]
        largest = max(a[0].size for a in there)
        if largest:
            work = applying(function, len(there), len(given), results)
            work[grid_over(largest)](_flat(new), _flat(there), numbers, broken.data, alike.start)
        found += new

    later = Later(broken)

    def first_broken() -> int | None:
        return next(iter(np.flatnonzero(later.read()).tolist()), None)

    return Found(found, first_broken)


def _alike(tasks: Sequence[Entrywise]) -> Iterator[slice]:
    """Neighbours that do the same with arrays of one dtype, so many as may share a launch."""
    kinds = [(task.function, task.settings, task.arrays[0].dtype) for task in tasks]
    for _, numbers in itertools.groupby(range(len(tasks)), kinds.__getitem__):
        first, *others = numbers
        end = first + 1 + len(others)
        at_once = max(1, TOGETHER // (len(tasks[first].arrays) + tasks[first].results))
        for start in range(first, end, at_once):
            yield slice(start, min(start + at_once, end))


def _flat(there: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(map(arrays.flat, there))


@functools.cache
def applying(function: Callable[..., Any], tasks: int, arguments: int, results: int) -> Any:
    """``work(results, arrays, settings, broken, first)``: for each of some tasks a tuple of arrays; a tuple of numbers.

    Where a result of the k-th of them is NaN or infinite, ``broken[first + k]`` becomes 1; whoever writes, writes that.
    """
    entry = on_device(function)
    gather = device_function(gathering("arrays, k", [f"arrays[{i}][k]" for i in range(arguments)]))
    statements = [f"results[{i}][k] = values[{i}]" for i in range(results)]
    check = " and ".join(f"isfinite(values[{i}])" for i in range(results))
    statements.append(f"if not ({check}): broken[number] = 1")
    scatter = device_function(scattering("results, k, values, broken, number", statements, {"isfinite": math.isfinite}))
    over_each = [
        f"for k in range(own, arrays[{t}][0].shape[0], step):"
        f" scatter(results[{t}], k, entry(gather(arrays[{t}], k), settings), broken, first + {t})"
        for t in range(tasks)
    ]
    names = {"scatter": scatter, "entry": entry, "gather": gather}
    apply = device_function(scattering("results, arrays, settings, broken, first, own, step", over_each, names))

    @kernel
    def work(results: Any, arrays: Any, settings: Any, broken: Any, first: int) -> None:
        apply(results, arrays, settings, broken, first, cuda.grid(1), cuda.gridsize(1))

    return work
