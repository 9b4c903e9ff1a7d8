"""``enrnn-ref vectors``: the judge from outside, its files and its exit status."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from typer.testing import CliRunner

from enrnn_ref.cli.app import app
from enrnn_ref.verify import vectors
from tests.verify.vectors.golden import encoded, right, small

CLIENT = Path(__file__).parents[2] / "examples" / "clients" / "python" / "client.py"


def run(*arguments):
    return CliRunner().invoke(app, ["vectors", "verify", *map(str, arguments)])


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return small(tmp_path_factory.mktemp("golden"))


@pytest.fixture(autouse=True)
def few(monkeypatch, cases):
    """A few small cases in place of the golden vectors, which have tests of their own."""
    monkeypatch.setattr(vectors, "load", lambda: cases)


@pytest.fixture
def document(cases):
    answers = {case.id: encoded(right(case)) for case in cases}
    return {"format": "enrnn_ref answers", "version": 1, "dtype": "float64", "answers": answers}


@pytest.fixture
def file(tmp_path, document):
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(document))
    return path


def spoil(file, document):
    """The file with the gradient of one recurrent matrix transposed."""
    form = document["answers"]["rnn-small"]["gradients"]["params"]["recurrent"]
    form["data"] = np.reshape(form["data"], form["shape"]).T.ravel().tolist()
    file.write_text(json.dumps(document))


def test_right_answers_are_status_0(file, cases):
    result = run(file)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.split()[:2] for line in lines[1 : len(cases) + 1]] == [[case.id, "passed"] for case in cases]
    assert lines[-1] == "4 of 4 cases passed"


def test_a_wrong_answer_is_status_1_and_says_where(file, document):
    spoil(file, document)
    result = run(file)
    assert result.exit_code == 1
    assert "rnn-small    wrong" in result.output
    assert "recurrent: wrong: " in result.output
    assert "3 of 4 cases passed; 1 wrong" in result.output


def test_only_some_models(file, document):
    spoil(file, document)
    result = run(file, "--model", "gru", "--model", "enrnn")
    assert result.exit_code == 0, result.output
    assert "2 of 2 cases passed" in result.output
    assert run(file, "--model", "rnn").exit_code == 1


def test_reports_as_files(file, document, tmp_path):
    spoil(file, document)
    junit, json_file, html = tmp_path / "junit.xml", tmp_path / "report.json", tmp_path / "report.html"
    assert run(file, "--junit", junit, "--json", json_file, "--html", html).exit_code == 1
    root = ET.parse(junit).getroot()
    assert (root.get("tests"), root.get("failures")) == ("4", "1")
    assert json.loads(json_file.read_text())["passed"] is False
    assert "rnn-small" in html.read_text(encoding="utf-8")


def test_a_program():
    result = run("--command", f"{sys.executable} '{CLIENT}'", "--timeout", "60", "--model", "rnn")
    assert result.exit_code == 0, result.output
    assert "2 of 2 cases passed" in result.output


def test_a_program_that_is_none_is_status_1():
    result = run("--command", "no/such/program")
    assert result.exit_code == 1
    assert "cannot be started" in result.output
    assert "0 of 4 cases passed; 4 no answer" in result.output


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], ["FILE", "--command", "neither"]),
        (["a.json", "--command", "cat"], ["a.json", "'cat'", "both"]),
        (["no/such/answers.json"], ["no/such/answers.json", "cannot be read"]),
        (["--command", ""], ["command"]),
        (["--command", "cat", "--timeout", "0"], ["timeout"]),
        (["a.json", "--timeout", "3"], ["--timeout 3", "--command"]),
        (["--command", "cat", "--junit", "no/such/folder/junit.xml"], ["--junit", "no/such/folder"]),
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


@pytest.mark.parametrize("content", ["{", "{}", '{"format": "enrnn_ref answers", "version": 3}'])
def test_a_file_that_is_none_is_status_2(file, content):
    file.write_text(content)
    result = run(file, "--model", "rnn")
    assert result.exit_code == 2
    assert str(file) in result.stderr
    assert "\n" not in result.stderr.strip()


def test_an_unknown_model_is_status_2(file):
    result = run(file, "--model", "rnm")
    assert result.exit_code == 2
    assert "'rnm'" in result.stderr
