"""``enrnn-ref check``: tables, the JSON file, and the exit status."""

import json
import re

import pytest
from typer.testing import CliRunner

from enrnn_ref import models
from enrnn_ref.cli.app import app
from enrnn_ref.cli.check import CHECKED
from enrnn_ref.parametrizations import Free


def run(*arguments):
    return CliRunner().invoke(app, ["check", "--backend", "reference", *arguments], env={"COLUMNS": "200"})


def test_passes_and_shows_both_precisions():
    result = run("rnn")
    assert result.exit_code == 0, result.output
    for text in ("RNN in float64: passed", "RNN in float32: passed", "worst relative error", "recurrent", "tolerance"):
        assert text in result.output
    assert "ENRNN" not in result.output


def test_every_model_has_its_place_and_no_size_passes_for_another():
    assert set(CHECKED) == set(models.NAMED)
    for sizes in CHECKED.values():
        every = [*sizes.values(), 7, 6]  # the steps and the sequences of the check
        assert len(set(every)) == len(every)


@pytest.mark.slow
def test_several_models_are_reported_in_the_order_asked_for():
    result = run("gru", "rnn")
    assert result.exit_code == 0, result.output
    titles = [f"{name} in {kind}: passed" for name in ("GRU", "RNN") for kind in ("float64", "float32")]
    assert re.findall(r"\w+ in float\d\d: passed", result.output) == titles


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in models.NAMED if name != "rnn"])
def test_every_model_passes(name):
    result = run(name)
    assert result.exit_code == 0, result.output
    title = models.NAMED[name].__name__
    assert f"{title} in float64: passed" in result.output
    assert f"{title} in float32: passed" in result.output


def test_the_table_can_be_read_on_a_narrow_screen():
    result = CliRunner().invoke(app, ["check", "--backend", "reference", "exprnn"], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert all(len(line) <= 80 for line in lines)
    for parameter in models.build("exprnn", **CHECKED["exprnn"]).shapes:
        assert sum(parameter in line.split("│")[1] for line in lines if line.count("│") > 2) >= 2


def test_writes_json(tmp_path):
    path = tmp_path / "report.json"
    assert run("rnn", "--json", str(path)).exit_code == 0
    reports = json.loads(path.read_text())
    assert [report["title"] for report in reports] == ["RNN in float64", "RNN in float32"]
    assert all(report["passed"] for report in reports)
    assert {"recurrent", "x", "state h"} <= {row["name"] for row in reports[0]["rows"]}


def test_writes_a_page(tmp_path):
    path = tmp_path / "report.html"
    assert run("rnn", "--html", str(path)).exit_code == 0
    text = path.read_text(encoding="utf-8")
    for shown in ("RNN in float64", "RNN in float32", "recurrent", "2 of 2 reports passed"):
        assert shown in text


def test_a_failed_check_is_status_1_and_says_where(monkeypatch, tmp_path):
    right = Free.pullback

    def transposed(self, value, dmatrix):
        return {key: gradient.T.copy() for key, gradient in right(self, value, dmatrix).items()}

    monkeypatch.setattr(Free, "pullback", transposed)
    path = tmp_path / "report.json"
    result = run("rnn", "--json", str(path))
    assert result.exit_code == 1
    assert "NOT passed" in result.output
    assert "entries differ" in result.output
    row = next(row for row in json.loads(path.read_text())[0]["rows"] if row["name"] == "recurrent")
    assert row["verdict"] == "wrong"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["lstn"], ["MODEL", "lstn", "enrnn"]),
        (["rnn", "--backend", "gpu"], ["backend", "gpu"]),
        (["rnn", "--backend", "cuda"], ["cuda"]),
        (["rnn", "--json", "no/such/folder/report.json"], ["--json", "no/such/folder"]),
        (["rnn", "--html", "no/such/folder/report.html"], ["--html", "no/such/folder"]),
    ],
)
def test_bad_use_is_status_2_in_one_line(arguments, names):
    result = run(*arguments)
    assert result.exit_code == 2
    line = result.stderr.strip()
    assert "\n" not in line
    assert "Traceback" not in result.output
    for name in names:
        assert name in line
