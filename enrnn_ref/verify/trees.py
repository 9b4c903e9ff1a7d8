"""Nested tuples, lists and dicts of arrays as one flat dict of named real arrays, and back.

A complex array counts as a real one with a last axis of size two: real part, imaginary part. So the gradient of a real
L by a complex z is ∂L/∂Re z + i ∂L/∂Im z, which is PyTorch's convention (JAX returns the conjugate).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays

PARTS = ("real part", "imaginary part")


@dataclass(frozen=True)
class Leaf:
    """An array of a tree: its path, shape and dtype."""

    path: tuple[object, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def name(self) -> str:
        """The path, joined by dots; empty for a tree that is one array."""
        return ".".join(map(str, self.path))

    @property
    def complex(self) -> bool:
        """Whether it has imaginary parts."""
        return self.dtype.kind == "c"

    def real(self, array: Array) -> Array:
        """The array as a real one."""
        if not self.complex:
            return array
        return np.ascontiguousarray(array).reshape(*self.shape, 1).view(np.float64)

    def restored(self, real: Array) -> Array:
        """The inverse of :meth:`real`, in the same memory; any precision."""
        if not self.complex:
            return real
        restored: Array = real.view(np.result_type(real, np.complex64))[..., 0]
        return restored


class Tree:
    """The structure of a nest of arrays.

    Parameters
    ----------
    value : nested tuple, list or dict of arrays, or one array
    convert : callable
        (name, leaf) → the leaf as an array, or an exception.
    """

    def __init__(self, value: object, convert: Callable[[str, object], Array]) -> None:
        self._form = value
        found = [(path, convert(".".join(map(str, path)), leaf)) for path, leaf in _walk(value)]
        # Paths are unique, and so are their names, but for keys that hold a dot themselves.
        self.leaves = {leaf.name: leaf for leaf in (Leaf(path, array.shape, array.dtype) for path, array in found)}
        self.arrays = {
            leaf.name: leaf.real(array) for leaf, (_, array) in zip(self.leaves.values(), found, strict=True)
        }

    @staticmethod
    def walk(value: object) -> Iterator[tuple[tuple[object, ...], object]]:
        """Every leaf of a nest, with its path."""
        return _walk(value)

    def build(self, real: Arrays) -> Any:
        """The nest with the named real arrays in it."""
        return self.fill({name: leaf.restored(real[name]) for name, leaf in self.leaves.items()})

    def fill(self, values: Mapping[str, object]) -> Any:
        """The nest with ``values`` as its leaves."""
        return _rebuild(self._form, (), values)


def leaves_of(value: object, form: Tree) -> tuple[dict[str, object], list[str]]:
    """The leaves of ``value`` under the names of ``form``, and the names of those that ``form`` does not have."""
    found = {".".join(map(str, path)): leaf for path, leaf in _walk(value)}
    return {name: found[name] for name in form.leaves if name in found}, [n for n in found if n not in form.leaves]


def _walk(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], object]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _walk(part, (*path, key))
    elif isinstance(value, (tuple, list)):
        for position, part in enumerate(value):
            yield from _walk(part, (*path, position))
    else:
        yield path, value


def _rebuild(form: object, path: tuple[object, ...], values: Mapping[str, object]) -> Any:
    if isinstance(form, Mapping):
        return {key: _rebuild(part, (*path, key), values) for key, part in form.items()}
    if isinstance(form, (tuple, list)):
        parts = [_rebuild(part, (*path, position), values) for position, part in enumerate(form)]
        return parts if isinstance(form, list) else tuple(parts)
    return values[".".join(map(str, path))]
