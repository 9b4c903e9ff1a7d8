"""Arrays in JSON: ``{"shape": [2, 3], "data": [...]}``, row after row."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.verify.vectors.answer import Node, Unusable
from enrnn_ref.verify.vectors.schema import Path
from enrnn_ref.verify.verdicts import Verdict


def parse(text: str | bytes) -> Any:
    """The value that ``text`` spells, NaN and Infinity included, which JSON lacks and many writers emit.

    Raises
    ------
    ValueError
        ``text`` is not JSON, or nested too deeply for the parser.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def encoded(array: Array) -> dict[str, Any]:
    """``array`` as JSON-ready built-in types; decimals that name one float64."""
    return {"shape": list(array.shape), "data": array.ravel().tolist()}


def encoded_all(arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Each array of a dictionary."""
    return {key: encoded(array) for key, array in arrays.items()}


def decoded(node: object, misfits: Mapping[Path, str], path: Path = ()) -> Node:
    """``node`` with arrays in place of their JSON form, :class:`Unusable` where ``misfits`` tells of one.

    ``misfits`` are those of :func:`enrnn_ref.verify.vectors.schema.misfits`, ``path`` the place of ``node`` in the
    document they are about. Missing and unknown keys are left to the judge, who knows what a case expects.
    """
    if not isinstance(node, dict):
        return Unusable(Verdict.SHAPE, f"is {_kind(node)}; expected an object")
    if not {"shape", "data"} & node.keys():
        return {key: decoded(child, misfits, (*path, key)) for key, child in node.items()}
    for place, message in misfits.items():
        if place[: len(path)] == path:
            inside = "".join(f"[{step!r}]" for step in place[len(path) :])
            return Unusable(Verdict.SHAPE, f"does not fit the schema{inside and f' at {inside}'}: {message}")
    shape, data = tuple(int(size) for size in node["shape"]), node["data"]
    if math.prod(shape) != len(data):
        return Unusable(Verdict.SHAPE, f"has shape {list(shape)} but {len(data)} entries in data")
    try:
        return np.array([_number(entry) for entry in data], np.float64).reshape(shape)
    except ValueError as error:  # more axes, or longer ones, than NumPy has; only empty or tiny arrays get here
        return Unusable(Verdict.SHAPE, f"has shape {list(shape)}: {error}")


def _number(entry: float | str | None) -> float:
    if entry is None:
        return math.nan  # what JavaScript and several C++ libraries write for NaN
    try:
        return float.fromhex(entry) if isinstance(entry, str) else float(entry)  # fromhex knows nan and inf as well
    except OverflowError:
        return math.inf


def _kind(node: object) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", type(None): "null", int: "a number", float: "a number"}
    return names[type(node)]
