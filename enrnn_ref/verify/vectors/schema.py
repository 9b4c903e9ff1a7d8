"""The published JSON Schemas of answers and of the protocol, compiled once."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

from enrnn_ref.errors import DependencyError

Path = tuple[str | int, ...]
_LONGEST = 160


@functools.cache
def validator(schema: str, definition: str) -> Any:
    """A validator of one definition of ``data/{schema}.schema.json``.

    Raises
    ------
    DependencyError
        jsonschema is not installed.
    """
    try:
        from jsonschema import Draft202012Validator  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise DependencyError(
            "Answers in JSON need jsonschema; install the extra: pip install 'enrnn-ref[vectors]'."
        ) from error
    text = (resources.files(__package__) / "data" / f"{schema}.schema.json").read_text(encoding="utf-8")
    document = json.loads(text)
    return Draft202012Validator({"$defs": document["$defs"], "$ref": f"#/$defs/{definition}"})


def misfits(schema: str, definition: str, document: object) -> dict[Path, str]:
    """Where ``document`` does not fit, and how; empty if it fits. The first misfit of a place is kept."""
    found: dict[Path, str] = {}
    for error in validator(schema, definition).iter_errors(document):
        found.setdefault(tuple(error.absolute_path), shortened(error.message))
    return found


def shortened(text: str) -> str:
    """``text`` on one line, its middle left out where it is long: a message may quote a whole array."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"
