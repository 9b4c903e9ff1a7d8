"""Answers in a file: what is wrong with the file is one error, what is wrong with an answer concerns its case."""

import json
import sys

import numpy as np
import pytest

from enrnn_ref.errors import DataError, DependencyError, OptionError
from enrnn_ref.verify.vectors import AnswersFile, Program, Suite
from enrnn_ref.verify.vectors.schema import validator
from enrnn_ref.verify.vectors.sources import judged
from enrnn_ref.verify.verdicts import Verdict
from tests.verify.vectors.golden import encoded, right, small

pytestmark = pytest.mark.usefixtures("undiagnosed")

VICTIM = "gru-small"


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return small(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def document(cases):
    return {
        "format": "enrnn_ref answers",
        "version": 1,
        "dtype": "float64",
        "answers": {case.id: encoded(right(case)) for case in cases},
    }


@pytest.fixture
def judge(tmp_path, cases):
    def judge(document, models=None):
        path = tmp_path / "answers.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return Suite("file", tuple(judged(AnswersFile(path), cases, models)))

    return judge


def only_failure(suite):
    (report,) = [report for report in suite.reports if not report.passed]
    (row,) = [row for row in report.rows if not row.passed]
    return report, row


def test_right_answers_pass(judge, document, cases):
    suite = judge(document)
    assert suite.passed, str(suite)
    assert [report.title for report in suite.reports] == [case.id for case in cases]


def test_hexadecimal_numbers_are_exact(judge, document):
    entries = document["answers"][VICTIM]["y"]["data"]
    document["answers"][VICTIM]["y"]["data"] = [float(entry).hex() for entry in entries]
    suite = judge(document)
    assert suite.passed
    assert suite[VICTIM]["y"].error == 0.0


def test_float32_has_its_own_tolerance(judge, document):
    answer = document["answers"][VICTIM]
    answer["y"]["data"] = [float(np.float32(entry)) for entry in answer["y"]["data"]]
    _, row = only_failure(judge(document))
    assert row.verdict is Verdict.WRONG
    assert judge(document | {"dtype": "float32"}).passed


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is not JSON"),
        ("{'y': 1}", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "has format None, version None; expected 'enrnn_ref answers', version 1"),
        ("null", "has format None"),
        ({"format": "enrnn_ref golden vectors"}, "has format 'enrnn_ref golden vectors'"),
        ({"version": 2}, "version 2; expected"),
        ({"dtype": "float16"}, "at dtype: 'float16' is not one of"),
        ({"answers": []}, "at answers:"),
        ({"answers": None}, "at answers:"),
        ({"precision": 53}, "does not fit answers.schema.json: Additional properties"),
    ],
)
def test_a_file_that_is_none_is_one_error(judge, document, content, told):
    with pytest.raises(DataError) as caught:
        judge(content if isinstance(content, str) else document | content)
    assert "answers.json" in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        AnswersFile(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "name", "verdict", "told"),
    [
        (lambda a: a.pop("y"), "y", Verdict.SHAPE, "is missing"),
        (lambda a: a.update(Y=a["y"]), "Y", Verdict.SHAPE, "is unknown"),
        (lambda a: a.update(y=3), "y", Verdict.SHAPE, "is a number"),
        (lambda a: a.update(gradients=None), "gradients", Verdict.SHAPE, "is null"),
        (lambda a: a["y"].pop("shape"), "y", Verdict.SHAPE, "'shape' is a required property"),
        (lambda a: a["y"].update(order="F"), "y", Verdict.SHAPE, "'order' was unexpected"),
        (lambda a: a["y"].update(shape=[-1]), "y", Verdict.SHAPE, "['shape'][0]: -1 is less than the minimum"),
        (lambda a: a["y"].update(shape=a["y"]["shape"][::-1]), "y", Verdict.SHAPE, "has shape [2, 3, 6]; expected"),
        (lambda a: a["y"]["data"].pop(), "y", Verdict.SHAPE, "but 35 entries"),
        (lambda a: a["y"]["data"].insert(5, True), "y", Verdict.SHAPE, "['data'][5]: True is not of type"),
        (lambda a: a["y"]["data"].insert(5, "10"), "y", Verdict.SHAPE, "['data'][5]: '10' does not match"),
        (lambda a: a["gradients"]["params"].update(bias=[]), "bias", Verdict.SHAPE, "is a list"),
        (lambda a: a["y"]["data"].__setitem__(5, "-inf"), "y", Verdict.NOT_FINITE, "[0, 2, 1]"),
        (lambda a: a["y"]["data"].__setitem__(5, None), "y", Verdict.NOT_FINITE, "[0, 2, 1]"),
        (lambda a: a["y"]["data"].__setitem__(5, float("nan")), "y", Verdict.NOT_FINITE, "[0, 2, 1]"),
        (lambda a: a["y"]["data"].__setitem__(5, 0), "y", Verdict.WRONG, "1 of 36 entries differ"),
    ],
)
def test_a_bad_part_concerns_itself_alone(judge, document, change, name, verdict, told):
    change(document["answers"][VICTIM])
    suite = judge(document)
    report, row = only_failure(suite)
    assert (report.title, row.name, row.verdict) == (VICTIM, name, verdict)
    assert told in row.detail
    assert len(report.rows) > 1


@pytest.mark.parametrize("answer", [None, 3, [], "none", True])
def test_a_bad_answer_concerns_its_case_alone(judge, document, answer):
    document["answers"][VICTIM] = answer
    report, row = only_failure(judge(document))
    assert (report.title, row.name, row.verdict) == (VICTIM, "answer", Verdict.SHAPE)


def test_a_missing_answer_is_reported_unless_nobody_asked(judge, document):
    del document["answers"][VICTIM]
    report, row = only_failure(judge(document))
    assert (report.title, row.verdict) == (VICTIM, Verdict.NO_ANSWER)
    assert judge(document, ["rnn", "enrnn"]).passed
    assert not judge(document, ["gru"]).passed


def test_an_answer_to_no_case_is_reported(judge, document, cases):
    document["answers"]["gru-smal"] = document["answers"].pop(VICTIM)
    suite = judge(document)
    assert not suite.passed
    assert len(suite.reports) == len(cases) + 1
    assert suite["gru-smal"]["answer"].verdict is Verdict.SHAPE
    assert suite[VICTIM]["answer"].verdict is Verdict.NO_ANSWER
    assert "gru-smal" in suite.to_junit()


def test_a_model_without_golden_vectors(judge, document):
    with pytest.raises(OptionError, match="lstm"):
        judge(document, ["lstm"])


def test_without_jsonschema_the_extra_is_named(judge, document, monkeypatch):
    validator.cache_clear()
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(DependencyError, match=r"enrnn-ref\[vectors\]"):
        judge(document)
    with pytest.raises(DependencyError):
        Program("cat")


def test_the_published_schemas_are_schemas(document):
    for name, definition in (("answers", "file"), ("protocol", "reply"), ("protocol", "request")):
        check = validator(name, definition)
        check.check_schema(check.schema)
    assert validator("answers", "file").is_valid(document)
