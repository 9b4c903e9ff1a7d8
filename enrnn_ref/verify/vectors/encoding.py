"""Golden vectors as JSON text: one array a line, so that a difference of two versions can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from enrnn_ref.verify.vectors.oracle.draw import Tensor
from enrnn_ref.verify.vectors.oracle.evaluate import Point, Values
from enrnn_ref.verify.vectors.recipe import Recipe

FORMAT = "enrnn_ref golden vectors"
VERSION = 1


def file_text(model: str, cases: list[dict[str, Any]]) -> str:
    """The file of one model."""
    head = f'{{"format": {json.dumps(FORMAT)}, "version": {VERSION}, "model": {json.dumps(model)}, "cases": ['
    return head + ",".join("\n" + "\n".join(_lines(case, 0)) for case in cases) + "\n]}\n"


def encode(recipe: Recipe, point: Point, values: Mapping[tuple[str, ...], Values]) -> dict[str, Any]:
    """One case."""
    expected: dict[str, Any] = {"gradients": {"params": {}, "state": {}}, "tangent": {}}
    for path, value in values.items():
        node = expected
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = _array(value.shape, value.entries) | {"sensitivity": [_short(s) for s in value.sensitivity]}
    return {
        "id": recipe.id,
        "comment": recipe.comment,
        "flags": list(recipe.flags),
        "options": recipe.options,
        "inputs": {
            "params": _arrays(point.params),
            "x": _array(point.x.shape, point.x.entries),
            "state": _arrays(point.state),
            "dy": _array(point.dy.shape, point.dy.entries),
            "dstate": _arrays(point.dstate),
        },
        "directions": {
            "params": _arrays(point.dparams),
            "x": _array(point.dx.shape, point.dx.entries),
            "state": _arrays(point.dinitial),
        },
        "expected": {key: expected[key] for key in ("y", "h", "state", "gradients", "tangent") if key in expected},
    }


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: _array(tensor.shape, tensor.entries) for name, tensor in tensors.items()}


def _array(shape: tuple[int, ...], entries: tuple[float, ...]) -> dict[str, Any]:
    return {"shape": list(shape), "decimal": list(entries), "hex": [hexadecimal(entry) for entry in entries]}


def _short(value: float) -> float | int:
    """A whole number of few digits without ".0"."""
    return int(value) if value.is_integer() and abs(value) < 1e6 else value


def hexadecimal(value: float) -> str:
    """As ``float.hex`` writes it, without the zeros at the end of the fraction."""
    mantissa, exponent = value.hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}"


def _lines(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    """An object line by line; an array, a list or the options on one."""
    yield " " * depth + "{"
    last = len(node) - 1
    for k, (key, child) in enumerate(node.items()):
        comma = "," if k < last else ""
        if isinstance(child, dict) and child and "shape" not in child and key != "options":
            first, *rest, end = _lines(child, depth + 1)
            yield f"{' ' * (depth + 1)}{json.dumps(key)}: {first.strip()}"
            yield from rest
            yield end + comma
        else:
            text = json.dumps(child, ensure_ascii=False, allow_nan=False, separators=_SEPARATORS.get(key, (",", ":")))
            yield f"{' ' * (depth + 1)}{json.dumps(key)}: {text}{comma}"
    yield " " * depth + "}"


_SEPARATORS = {"options": (", ", ": "), "flags": (", ", ": ")}
