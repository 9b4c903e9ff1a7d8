"""A Python callable: whatever it does is reported for the case it concerns, and the others run."""

import sys

import numpy as np
import pytest

from enrnn_ref.errors import DtypeError, OptionError
from enrnn_ref.verify.vectors import Function, Suite, sources
from enrnn_ref.verify.vectors.sources import judged, source_of
from enrnn_ref.verify.verdicts import Verdict
from tests.verify.vectors.golden import right, small

pytestmark = pytest.mark.usefixtures("undiagnosed")

VICTIM = "gru-small"


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return small(tmp_path_factory.mktemp("golden"))


def judge(function, cases, dtype=np.float64):
    return Suite("function", tuple(judged(Function(function, dtype), cases)))


def spoilt(change):
    """Right, but for ``change`` of the answer to one case."""

    def answer(case):
        found = right(case)
        return found if case.id != VICTIM else change(case, found)

    return answer


def raising(case, found):
    raise ZeroDivisionError("nothing to divide")


def writing(case, found):
    case.params["recurrent"][0, 0] += 1e-9
    return found


def writing_the_cotangent(case, found):
    case.dstate["h"][...] = 0.0
    return found


def removing(case, found):
    case.params.pop("bias")
    return found


def set_to(*path):
    *parents, key = path

    def put(value):
        def change(case, found):
            node = found
            for parent in parents:
                node = node[parent]
            node[key] = value(case, node[key])
            return found

        return change

    return put


y, x = set_to("y"), set_to("gradients", "x")


@pytest.mark.parametrize(
    ("change", "name", "verdict", "told"),
    [
        (raising, "answer", Verdict.NO_ANSWER, "raised ZeroDivisionError: nothing to divide ("),
        (lambda case, found: None, "answer", Verdict.SHAPE, "is a NoneType"),
        (lambda case, found: tuple(found.values()), "answer", Verdict.SHAPE, "is a tuple"),
        (writing, "answer", Verdict.MUTATED_INPUT, "params['recurrent'] was changed"),
        (writing_the_cotangent, "answer", Verdict.MUTATED_INPUT, "dstate['h'] was changed"),
        (removing, "answer", Verdict.MUTATED_INPUT, "params['bias'] was changed"),
        (y(lambda case, right: case.dy), "y", Verdict.MUTATED_INPUT, "shares its memory with the given dy"),
        (x(lambda case, right: case.x[::-1]), "x", Verdict.MUTATED_INPUT, "shares its memory with the given x"),
        (y(lambda case, right: right.astype(int)), "y", Verdict.SHAPE, "has dtype int64"),
        (y(lambda case, right: right.astype(np.float32)), "y", Verdict.SHAPE, "has dtype float32"),
        (y(lambda case, right: right * np.nan), "y", Verdict.NOT_FINITE, "36 of 36 entries"),
        (y(lambda case, right: 0.0), "y", Verdict.SHAPE, "has shape []"),
        (x(lambda case, right: -right), "x", Verdict.WRONG, "entries differ"),
    ],
)
def test_what_goes_wrong_concerns_its_case(cases, change, name, verdict, told):
    suite = judge(spoilt(change), cases)
    for report in suite.reports:
        assert report.passed == (report.title != VICTIM), str(suite)
    (row,) = [row for row in suite[VICTIM].rows if not row.passed]
    assert (row.name, row.verdict) == (name, verdict)
    assert told in row.detail


def test_the_place_where_it_raised_is_named(cases):
    detail = judge(spoilt(raising), cases)[VICTIM]["answer"].detail
    assert "test_function.py, line" in detail


def test_lists_will_do(cases):
    assert judge(lambda case: right(case) | {"y": right(case)["y"].tolist()}, cases).passed


def test_float32_is_judged_as_such(cases):
    def narrow(case):
        found = right(case)
        return found | {"y": found["y"].astype(np.float32)}

    assert judge(narrow, cases, np.float32).passed
    assert not judge(narrow, cases).passed


def test_a_few_failures_of_a_model_are_explained_and_no_more(cases, monkeypatch):
    explained = []

    def explain(case, found, dtype):
        explained.append(case.id)
        return ("so it is",)

    monkeypatch.setattr(sys.modules["enrnn_ref.verify.vectors.judge"], "explain", explain)
    monkeypatch.setattr(sources, "DIAGNOSED", 1)
    suite = judge(lambda case: right(case) | {"y": -right(case)["y"]}, cases)
    assert explained == ["enrnn-small", "gru-small", "rnn-small"]
    assert [report.diagnosis for report in suite.reports] == [("so it is",)] * 3 + [()]
    assert "   3  so it is" in str(suite)


def test_an_interrupt_is_no_answer(cases):
    def interrupted(case):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(interrupted, cases)


def test_bad_subjects():
    with pytest.raises(OptionError, match="subject is 3"):
        source_of(3)
    with pytest.raises(DtypeError):
        Function(right, int)
    assert source_of(right).name == "right"
