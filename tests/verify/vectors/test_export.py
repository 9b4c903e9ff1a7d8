"""The files: that they are reproduced byte for byte, fit their schema, and that our own models pass and only just."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from enrnn_ref.errors import DependencyError, OptionError
from enrnn_ref.verify.vectors import load
from enrnn_ref.verify.vectors.case import Case, Value
from enrnn_ref.verify.vectors.encoding import hexadecimal
from enrnn_ref.verify.vectors.explain import model_of
from enrnn_ref.verify.vectors.export import export
from enrnn_ref.verify.vectors.oracle.layout import MODELS

DATA = Path(str(resources.files("enrnn_ref.verify.vectors") / "data"))
MARGIN = 32


def tolerance(value: Value) -> Any:
    """That of SPECIFICATION.md for float64."""
    return MARGIN * 2.0**-53 * np.maximum(value.sensitivity, np.abs(value.value)) + 2.0**-1022


def values(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Value]]:
    if isinstance(node, Value):
        yield path, node
    else:
        for key, child in node.items():
            yield from values(child, (*path, key))


def ours(case: Case, backend: str) -> dict[tuple[str, ...], Any]:
    """What the package's own model says, by the paths of ``expected``."""
    model = model_of(case.model, case.options)
    start = {"state": case.state} if case.state else {}
    run = model.forward(case.params, case.x, backend=backend, **start)
    grads = model.backward(run, case.dy, case.dstate)
    along = {"dx": case.directions["x"], **start}
    if case.state:
        along["dstate"] = case.directions["state"]
    tangent = model.tangent(case.params, case.x, case.directions["params"], backend=backend, **along)
    found = {("y",): run.y, ("gradients", "x"): grads.x, ("tangent", "y"): tangent.y}
    if run.h is not None and case.model != "stacked":
        found[("h",)] = run.h
    for prefix, arrays in (
        (("state",), run.state),
        (("gradients", "params"), grads.params),
        (("gradients", "state"), grads.state if case.state else {}),
        (("tangent", "state"), tangent.state),
    ):
        found |= {(*prefix, name): array for name, array in arrays.items()}
    return found


@pytest.mark.parametrize("model", MODELS)
def test_our_model_passes_every_case_and_each_of_its_numbers(model: str) -> None:
    for case in (case for case in load() if case.model == model):
        found = ours(case, "reference")
        expected = dict(values(case.expected))
        assert found.keys() == expected.keys(), case.id
        for path, value in expected.items():
            assert found[path].shape == value.value.shape, (case.id, path)
            assert (np.abs(found[path] - value.value) <= tolerance(value)).all(), (case.id, path)


def test_a_relative_change_of_1e_9_fails_wherever_the_number_is_well_conditioned() -> None:
    """And most numbers are: the tolerance is no refuge."""
    well, total = 0, 0
    for case in load():
        if {"decayed-subnormal", "saturated"} & set(case.flags):
            continue
        for path, value in values(case.expected):
            nonzero = value.value != 0
            total += int(np.count_nonzero(nonzero))
            conditioned = nonzero & (value.sensitivity <= 1e4 * np.abs(value.value))
            well += int(np.count_nonzero(conditioned))
            wrong = value.value * (1 + 1e-9)
            assert (np.abs(wrong - value.value) > tolerance(value))[conditioned].all(), (case.id, path)
    assert well > 0.99 * total


def test_decimals_and_hexadecimals_name_the_same_numbers() -> None:
    def arrays(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if "hex" in node:
                yield node
            for child in node.values():
                yield from arrays(child)
        elif isinstance(node, list):
            for child in node:
                yield from arrays(child)

    for model in MODELS:
        for array in arrays(json.loads((DATA / f"{model}.json").read_text())):
            assert [float.fromhex(text) for text in array["hex"]] == array["decimal"]
            assert len(array["decimal"]) == np.prod(array["shape"])
            assert len(array.get("sensitivity", array["decimal"])) == len(array["decimal"])


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1.5, 2.0**-1074, 1e308, -3.0, 2.0**-1022])
def test_a_hexadecimal_reads_back(value: float) -> None:
    assert float.fromhex(hexadecimal(value)) == value


def test_the_files_are_small_enough_for_a_wheel() -> None:
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 5_000_000


def check_schema(model: str) -> None:
    schema = json.loads((DATA / "vectors.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(json.loads((DATA / f"{model}.json").read_text()))


def test_a_file_fits_the_schema() -> None:
    check_schema("rnn")


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_file_fits_the_schema(model: str) -> None:
    check_schema(model)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.update(version=2),
        lambda file: file.update(extra=1),
        lambda file: file["cases"][0].pop("flags"),
        lambda file: file["cases"][0]["inputs"].update(more={}),
        lambda file: file["cases"][0]["inputs"]["x"].pop("hex"),
        lambda file: file["cases"][0]["expected"]["y"].pop("sensitivity"),
        lambda file: file["cases"][0]["expected"]["y"].update(shape=[-1]),
        lambda file: file["cases"][0]["options"].update(activation="gelu"),
    ],
)
def test_the_schema_refuses_what_is_not_a_file_of_golden_vectors(spoil: Any) -> None:
    file = json.loads((DATA / "rnn.json").read_text())
    file["cases"] = file["cases"][:1]
    validator = jsonschema.Draft202012Validator(json.loads((DATA / "vectors.schema.json").read_text()))
    assert validator.is_valid(file)
    spoil(file)
    assert not validator.is_valid(file)


def check_export(folder: Path, models: tuple[str, ...]) -> None:
    said: list[tuple[str, int, int]] = []
    written = export(folder, models, lambda *progress: said.append(progress))
    assert sorted(written) == sorted(folder.iterdir())
    assert {path.name for path in written} == {
        path.name for path in DATA.iterdir() if path.stem not in MODELS or path.stem in models
    }
    for path in written:
        assert path.read_bytes() == (DATA / path.name).read_bytes(), path.name
    assert [done for _, done, _ in said] == list(range(said[-1][2] + 1))


def test_an_export_reproduces_a_model_byte_for_byte(tmp_path: Path) -> None:
    check_export(tmp_path / "new" / "folder", ("rnn",))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_an_export_reproduces_everything_byte_for_byte(tmp_path: Path, model: str) -> None:
    check_export(tmp_path, (model,))


def test_an_export_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(OptionError, match="exists already"):
        export(tmp_path, ["rnn"])
    with pytest.raises(OptionError, match="exists already"):
        export(tmp_path / "mine.txt", ["rnn"])
    with pytest.raises(OptionError, match="cannot be made"):
        export(tmp_path / "mine.txt" / "below", ["rnn"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_export_refuses_an_unknown_model(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'elman'"):
        export(tmp_path / "new", ["rnn", "elman"])
    assert not (tmp_path / "new").exists()


def test_an_export_without_mpmath_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpmath", None)
    with pytest.raises(DependencyError, match=r"enrnn-ref\[vectors\]"):
        export(tmp_path, ["rnn"])


def test_an_export_that_stops_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    def stop(case: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(tmp_path, ["rnn"], stop)
    assert not (tmp_path / "rnn.json").exists()
    assert not list(tmp_path.glob("*.tmp"))
