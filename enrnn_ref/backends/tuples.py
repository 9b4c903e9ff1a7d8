"""Tuples of a length that is known when a kernel is compiled.

Numba wants tuples of a fixed length, and a loop cannot build one. So the function that gathers the values of one unit
from arrays, and the one that puts such a tuple back, are written out, entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def gathering(arguments: str, entries: list[str]) -> Callable[..., Any]:
    """A function of ``arguments`` that returns the tuple of ``entries``."""
    return _define(f"def function({arguments}):\n    return ({''.join(entry + ', ' for entry in entries)})", {})


def scattering(arguments: str, statements: list[str], names: Mapping[str, Any]) -> Callable[..., Any]:
    """A function of ``arguments`` that does ``statements``, which may call what ``names`` has."""
    body = "\n    ".join(statements or ["pass"])
    return _define(f"def function({arguments}):\n    {body}", names)


def _define(source: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    namespace = dict(names)
    exec(source, namespace)  # source is one of the forms above
    function: Callable[..., Any] = namespace["function"]
    return function
