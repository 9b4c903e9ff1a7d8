"""Golden vectors as they are loaded: cases, each a model at a point with the values expected there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.errors import DataError

FORMAT = "enrnn_ref golden vectors"
VERSION = 1
_OTHER_FILES = ("flags.json", ".schema.json")


@dataclass(frozen=True, eq=False)
class Value:
    """An expected array.

    Attributes
    ----------
    value : ndarray
        float64, correctly rounded.
    sensitivity : ndarray
        How far each entry moves, divided by u, when every input and every operation is disturbed by a relative u.
    """

    value: Array
    sensitivity: Array


@dataclass(frozen=True, eq=False)
class Case:
    """A model at a point.

    Attributes
    ----------
    id : str
        ``"enrnn-largest-batch"``.
    model : str
        ``"enrnn"``, …, ``"stacked"``, ``"bidirectional"``.
    options : dict
        Of the model's constructor, as JSON has them.
    comment : str
    flags : tuple of str
        What the case looks at; ``flags.json`` says which bug each one catches.
    params, x, state : dict of ndarray, ndarray (T, B, I), dict of ndarray
        The point, float64.
    dy, dstate : ndarray, dict of ndarray
        Cotangents on the output and on the final state.
    directions : dict
        ``{"params": …, "x": …, "state": …}``: the direction of the tangents.
    expected : dict
        ``{"y": Value, "h": Value, "state": {name: Value}, "gradients": {"params": …, "x": …, "state": …},
        "tangent": {"y": Value, "state": …}}``; ``"h"`` only where a model has one sequence of hidden states.
    """

    id: str
    model: str
    options: Mapping[str, Any]
    comment: str
    flags: tuple[str, ...]
    params: Arrays
    x: Array
    state: Arrays
    dy: Array
    dstate: Arrays
    directions: Mapping[str, Any]
    expected: Mapping[str, Any]

    def inputs(self) -> Arrays:
        """All arrays an implementation is given, under one name each."""
        named = {"x": self.x, "dy": self.dy, "direction x": self.directions["x"]}
        for prefix, arrays in (
            ("params", self.params),
            ("state", self.state),
            ("dstate", self.dstate),
            ("direction params", self.directions["params"]),
            ("direction state", self.directions["state"]),
        ):
            named |= {f"{prefix}[{key!r}]": array for key, array in arrays.items()}
        return named


def load(directory: str | Path | None = None) -> tuple[Case, ...]:
    """The golden vectors of this package, or those in a folder to which they have been exported.

    Parameters
    ----------
    directory : path or None
        Every ``*.json`` in it is read, but ``flags.json`` and the schemas.

    Raises
    ------
    DataError
        There is none, or one is not a file of golden vectors of this version.
    """
    folder: Traversable = resources.files(__package__) / "data" if directory is None else Path(directory)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; expected one with golden vectors.")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".json") and not file.name.endswith(_OTHER_FILES)),
        key=lambda file: file.name,
    )
    cases = tuple(case for file in files for case in _cases(file))
    if not cases:
        raise DataError(f"{folder} holds no golden vectors.")
    return cases


def _cases(file: Traversable) -> Iterator[Case]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not JSON: {error}.") from error
    found = (document.get("format"), document.get("version")) if isinstance(document, dict) else (None, None)
    if found != (FORMAT, VERSION):
        raise DataError(
            f"{file} has format {found[0]!r}, version {found[1]!r}; expected {FORMAT!r}, version {VERSION}."
        )
    try:
        for entry in document["cases"]:
            yield _case(document["model"], entry)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file} does not fit vectors.schema.json: {type(error).__name__} {error}.") from error


def _case(model: str, entry: Mapping[str, Any]) -> Case:
    inputs = _tree(entry["inputs"])
    return Case(
        entry["id"],
        model,
        entry["options"],
        entry["comment"],
        tuple(entry["flags"]),
        inputs["params"],
        inputs["x"],
        inputs["state"],
        inputs["dy"],
        inputs["dstate"],
        _tree(entry["directions"]),
        _tree(entry["expected"]),
    )


def _tree(node: Mapping[str, Any]) -> Any:
    """Arrays and values where JSON has objects with a shape."""
    if "shape" not in node:
        return {key: _tree(child) for key, child in node.items()}
    # The decimals are the shortest that name one float64: what they parse to is what the hexadecimals say.
    value = np.array(node["decimal"], np.float64).reshape(node["shape"])
    if "sensitivity" not in node:
        return value
    return Value(value, np.array(node["sensitivity"], np.float64).reshape(node["shape"]))
