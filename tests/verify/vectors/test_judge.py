"""The tolerance of a golden vector follows from its sensitivity, entry by entry, and nothing else."""

import dataclasses
import functools
import json
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from enrnn_ref.errors import DataError, DtypeError
from enrnn_ref.verify import vectors
from enrnn_ref.verify.report import Report
from enrnn_ref.verify.vectors import Suite, Value, load
from enrnn_ref.verify.verdicts import Verdict
from tests.verify.vectors.golden import right, small

MARGIN = 32.0
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}
# The search for mistakes has tests of its own, and takes longer than all that is looked at here.
judge = functools.partial(vectors.judge, diagnose=False)
TINY = {"float64": 2.0**-1022, "float32": 2.0**-126}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return small(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def case(cases):
    return cases[0]


def with_gradient(case, name, value, sensitivity):
    """``case`` with another expected gradient, and the answer that has it exactly."""
    gradients = case.expected["gradients"]
    params = gradients["params"] | {name: Value(value, sensitivity)}
    expected = case.expected | {"gradients": gradients | {"params": params}}
    answer = right(case)
    answer["gradients"]["params"][name] = value.copy()
    return dataclasses.replace(case, expected=expected), answer


def verdicts(report):
    return {row.name: row.verdict for row in report.rows if row.verdict is not Verdict.PASSED}


def test_right_answers_pass_under_the_names_of_the_arrays(cases):
    for case in cases:
        report = judge(case, right(case))
        assert report.passed, str(report)
        assert report.title == case.id
        states = [f"final {key}" for key in case.state] + [f"state {key}" for key in case.state]
        assert {row.name for row in report.rows} == {"y", "x", *states, *case.params}
        assert {row.group for row in report.rows} == {"vector"}


def test_states_and_tangents_may_be_answered_too(case):
    expected = case.expected
    answer = right(case) | {
        "h": expected["h"].value,
        "tangent": {"y": expected["tangent"]["y"].value, "state": {"h": expected["tangent"]["state"]["h"].value}},
    }
    report = judge(case, answer)
    assert report.passed
    assert {"h", "tangent y", "tangent final h"} <= {row.name for row in report.rows}
    for node, name in ((answer["tangent"], "tangent y"), (answer, "h")):
        key = name.removeprefix("tangent ")
        right_one, node[key] = node[key], node[key] + 1e-6
        assert verdicts(judge(case, answer)) == {name: Verdict.WRONG}
        node[key] = right_one
    del answer["tangent"]["y"]
    assert verdicts(judge(case, answer)) == {"tangent y": Verdict.SHAPE}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("value", "sensitivity"), [(0.75, 0.0), (0.75, 1000.0), (0.0, 3.0), (-1e-200, 1e-199)])
def test_the_tolerance_is_that_of_the_specification(case, dtype, value, sensitivity):
    shape = case.params["bias"].shape
    expected = np.full(shape, value)
    bound = MARGIN * UNIT[dtype] * max(sensitivity, abs(value)) + TINY[dtype]
    inside, outside = value + 0.9 * bound, value + 1.1 * bound
    changed, answer = with_gradient(case, "bias", expected, np.full(shape, sensitivity))
    for entry in np.ndindex(shape):
        for found, wrong in ((inside, False), (outside, True)):
            answer["gradients"]["params"]["bias"] = expected.copy()
            answer["gradients"]["params"]["bias"][entry] = found
            row = judge(changed, answer, dtype)["bias"]
            assert (row.verdict is Verdict.WRONG) == wrong
            assert row.passed != wrong
            if wrong:
                assert row.index == entry
                assert (row.analytic, row.numeric) == (found, value)
                assert row.worst[0].tolerance == pytest.approx(bound)
                assert row.ratios[entry] == pytest.approx(1.1, rel=0.02)
                assert np.count_nonzero(row.ratios) == 1


def test_one_entry_in_ten_thousand_off_by_a_millionth_is_wrong(case):
    rng = np.random.default_rng(1)
    value = rng.uniform(-1.0, 1.0, 10_000)
    changed, answer = with_gradient(case, "bias", value, 100.0 * np.abs(value))
    answer["gradients"]["params"]["bias"][1234] *= 1.0 + 1e-6
    row = judge(changed, answer)["bias"]
    assert row.verdict is Verdict.WRONG
    assert row.index == (1234,)
    assert row.error == pytest.approx(1e-6, rel=1e-6)
    assert "1 of 10000 entries differ" in row.detail


def test_zeros_in_place_of_a_vanished_gradient_are_wrong(case):
    """The gradient of the first steps of a long sequence: every step is judged by its own scale."""
    steps, batch, width = case.x.shape
    decay = 10.0 ** -np.linspace(0.0, 300.0, steps)[::-1]
    value = np.random.default_rng(2).uniform(0.5, 1.5, case.x.shape) * decay[:, None, None]
    expected = case.expected | {"gradients": case.expected["gradients"] | {"x": Value(value, 50.0 * value)}}
    changed = dataclasses.replace(case, expected=expected)
    answer = right(case)
    for step in range(steps):
        answer["gradients"]["x"] = value.copy()
        assert judge(changed, answer).passed
        answer["gradients"]["x"][step] = 0.0
        row = judge(changed, answer)["x"]
        assert row.verdict is Verdict.WRONG
        assert row.time_axis == 0
        assert {entry.step for entry in row.worst} == {step}
        assert f"{batch * width} of {value.size} entries differ" in row.detail
        assert f"at time step {step}" in row.detail


def test_subnormal_numbers_may_be_flushed_and_are_told_apart_from_agreement(case):
    shape = case.params["bias"].shape
    changed, answer = with_gradient(case, "bias", np.full(shape, 1e-310), np.full(shape, 1e-309))
    answer["gradients"]["params"]["bias"] = np.zeros(shape)
    row = judge(changed, answer)["bias"]
    assert row.verdict is Verdict.ILL_CONDITIONED
    assert row.passed
    answer["gradients"]["params"]["bias"] = np.full(shape, 1e-307)
    assert judge(changed, answer)["bias"].verdict is Verdict.WRONG


def test_what_float32_cannot_determine_is_not_held_against_it(case):
    shape = case.params["bias"].shape
    changed, answer = with_gradient(case, "bias", np.ones(shape), np.full(shape, 1e7))
    answer["gradients"]["params"]["bias"] = np.full(shape, 3.0)
    assert verdicts(judge(changed, answer, np.float32)) == {"bias": Verdict.ILL_CONDITIONED}
    assert judge(changed, answer, np.float32).passed
    assert verdicts(judge(changed, answer, np.float64)) == {"bias": Verdict.WRONG}


def test_derivatives_at_a_kink_may_follow_another_convention(case):
    flagged = dataclasses.replace(case, flags=("kink-convention",))
    for path, name in ((["gradients"], "x"), (["gradients", "params"], "bias")):
        answer = right(case)
        node = answer
        for step in path:
            node = node[step]
        node[name] = 2.0 * node[name]
        report = judge(flagged, answer)
        assert verdicts(report) == {name: Verdict.KINK}
        assert report.passed
        assert "(" + name + ": kink)" in str(Suite("mine", (report,)))
        assert not judge(case, answer).passed
        node[name][...] = np.nan
        assert verdicts(judge(flagged, answer)) == {name: Verdict.NOT_FINITE}
    answer = right(case)
    answer["y"] = 2.0 * answer["y"]
    assert verdicts(judge(flagged, answer)) == {"y": Verdict.WRONG}, "the function itself has one value"


def test_a_true_zero_is_compared(case):
    shape = case.params["bias"].shape
    changed, answer = with_gradient(case, "bias", np.zeros(shape), np.zeros(shape))
    assert not verdicts(judge(changed, answer)), "agreement with a zero means something"
    answer["gradients"]["params"]["bias"][0] = 1e-300
    assert verdicts(judge(changed, answer)) == {"bias": Verdict.WRONG}


def test_an_enormous_error_is_one(case):
    answer = right(case)
    answer["y"][0, 0, 0] = -1.7e308
    row = judge(case, answer)["y"]
    assert row.verdict is Verdict.WRONG
    json.loads(judge(case, answer).to_json())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(case, bad):
    answer = right(case)
    answer["gradients"]["x"][3, 1, 0] = bad
    report = judge(case, answer)
    assert verdicts(report) == {"x": Verdict.NOT_FINITE}
    assert report["x"].index == (3, 1, 0)
    assert "at time step 3" in report["x"].detail
    assert not report["x"].passed
    json.loads(report.to_json())


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        (lambda a: a.pop("y"), "y", "is missing"),
        (lambda a: a.pop("state"), "state", "is missing"),
        (lambda a: a.pop("gradients"), "gradients", "is missing"),
        (lambda a: a["gradients"].pop("x"), "x", "is missing"),
        (lambda a: a["gradients"]["params"].pop("bias"), "bias", "is missing"),
        (lambda a: a["gradients"]["state"].pop("h"), "state h", "is missing"),
        (lambda a: a["state"].pop("h"), "final h", "is missing"),
        (lambda a: a.update(why=1), "why", "is unknown; expected 'y'"),
        (lambda a: a["gradients"]["params"].update(W=np.ones(2)), "gradients params W", "is unknown"),
        (lambda a: a["gradients"].update({3: 1}), "gradients 3", "is unknown"),
        (lambda a: a.update(y=None), "y", "is a NoneType"),
        (lambda a: a.update(y={}), "y", "is a dict"),
        (lambda a: a.update(y="much"), "y", "is a str"),
        (lambda a: a.update(y=[[1.0], [2.0, 3.0]]), "y", "cannot be read as an array: ValueError"),
        (lambda a: a.update(y=a["y"][:-1]), "y", "has shape"),
        (lambda a: a.update(y=a["y"][..., None]), "y", "has shape"),
        (lambda a: a.update(y=a["y"].astype(int)), "y", "has dtype int64; expected float64"),
        (lambda a: a.update(y=a["y"] > 0), "y", "has dtype bool"),
        (lambda a: a.update(y=a["y"] + 0j), "y", "has dtype complex128"),
        (lambda a: a.update(y=a["y"].astype(object)), "y", "has dtype object"),
        (lambda a: a.update(y=a["y"].astype(np.float32)), "y", "has dtype float32; expected float64"),
        (lambda a: a.update(gradients=[]), "gradients", "is a list; expected a dict with ['params', 'x', 'state']"),
    ],
)
def test_a_misshapen_part_leaves_the_others_judged(case, change, name, told):
    answer = right(case)
    change(answer)
    report = judge(case, answer)
    assert verdicts(report) == {name: Verdict.SHAPE}
    assert told in report[name].detail
    assert not report.passed


def test_where_no_state_is_given_none_is_expected_back(case):
    gradients = case.expected["gradients"] | {"state": {}}
    expected = case.expected | {"gradients": gradients}
    unstarted = dataclasses.replace(case, state={}, expected=expected)
    answer = right(case)
    assert verdicts(judge(unstarted, answer)) == {"gradients state h": Verdict.SHAPE}
    answer["gradients"]["state"] = {}
    assert judge(unstarted, answer).passed


def test_states_where_a_model_has_not_one_sequence_of_them_are_nobodys_business(case):
    compound = dataclasses.replace(case, expected={key: value for key, value in case.expected.items() if key != "h"})
    report = judge(compound, right(case) | {"h": np.ones(3)})
    assert report.passed
    assert "h" not in [row.name for row in report.rows]


@pytest.mark.parametrize("answer", [None, 3, [], "y", np.ones(3)])
def test_an_answer_that_is_none(case, answer):
    report = judge(case, answer)
    assert verdicts(report) == {"answer": Verdict.SHAPE}


def test_wider_arrays_are_fine(case):
    answer = right(case)
    answer["y"] = answer["y"].astype(np.longdouble)
    assert judge(case, answer).passed
    answer["y"] = answer["y"].astype(np.float32)
    assert judge(case, answer, np.float32).passed, "some in float64, some in float32, all computed in float32"


@pytest.mark.parametrize("dtype", ["float16", int, None])
def test_a_precision_there_is_no_rule_for(case, dtype):
    with pytest.raises(DtypeError):
        judge(case, right(case), dtype)


def test_the_diagnosis_names_a_mistake(case):
    ignored = dataclasses.replace(case, dstate={name: np.zeros_like(array) for name, array in case.dstate.items()})
    report = vectors.judge(case, right(ignored))
    assert not report.passed
    assert any("final state ignored" in sentence for sentence in report.diagnosis), report.diagnosis
    assert not judge(case, right(ignored)).diagnosis, "only where it is asked for"


def suite_of(cases):
    """One case passed, one wrong, one unanswered."""
    answers = [right(case) for case in cases[:3]]
    answers[1]["y"] = -answers[1]["y"]
    answers[2] = None
    return Suite("mine", tuple(judge(case, answer) for case, answer in zip(cases, answers, strict=False)))


def test_a_suite_is_a_line_a_case_and_what_failed(cases):
    suite = suite_of(cases)
    lines = str(suite).splitlines()
    for line, case, verdict in zip(lines[1:4], cases, ("passed", "wrong", "shape"), strict=False):
        assert line.split()[:2] == [case.id, verdict]
    assert lines[-1] == "1 of 3 cases passed; 1 wrong, 1 shape"
    assert "  y: wrong: " in str(suite)
    assert "WRONG: " in str(suite)
    assert not suite.passed
    assert Suite("mine", suite.reports[:1]).passed
    assert not Suite("mine", ()).passed
    assert suite[cases[1].id] is suite.reports[1]
    with pytest.raises(KeyError):
        suite["other"]
    with pytest.raises(AssertionError, match="1 of 3 cases passed"):
        suite.require()
    Suite("mine", suite.reports[:1]).require()


def test_a_text_of_many_failures_stays_readable(cases):
    report = suite_of(cases).reports[1]
    reports = [dataclasses.replace(report, title=f"case-{k}") for k in range(50)]
    text = str(Suite("mine", tuple(reports)))
    assert text.count("  y: wrong: ") == 20
    assert "and 30 more cases" in text
    assert text.endswith("0 of 50 cases passed; 50 wrong")


def test_a_suite_as_json(cases):
    found = json.loads(suite_of(cases).to_json())
    assert [report["passed"] for report in found["reports"]] == [True, False, False]
    assert (found["title"], found["passed"]) == ("mine", False)


def test_a_suite_as_junit_xml(cases):
    suite = suite_of(cases)
    noise = dataclasses.replace(suite.reports[2].rows[0], detail="a\x00b\x1bc <&> \ud800")
    suite = Suite("mine \x07", (*suite.reports[:2], Report(cases[2].id, (noise,), {"model": cases[2].model})))
    root = ET.fromstring(suite.to_junit())
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures")) == ("3", "2")
    suites = {element.get("name"): element for element in root}
    assert set(suites) == {case.model for case in cases[:3]}
    for report, case in zip(suite.reports, cases, strict=False):
        (element,) = [e for e in suites[case.model] if e.get("name") == case.id]
        assert element.get("classname") == f"vectors.{case.model}"
        failures = element.findall("failure")
        assert len(failures) == (not report.passed)
        for failure in failures:
            assert failure.get("message").startswith(report.rows[0].name)
            assert report.title in failure.text


def test_a_suite_as_html(cases):
    text = suite_of(cases).to_html()
    assert text.lower().startswith("<!doctype html>")
    for case in cases[:3]:
        assert case.id in text
    assert not re.search(r"(src|href)=.http", text), "self-contained"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is not JSON"),
        ("[]", "has format None"),
        ('{"format": "enrnn_ref golden vectors", "version": 2}', "version 2; expected"),
        ('{"format": "enrnn_ref golden vectors", "version": 1}', "does not fit vectors.schema.json: KeyError 'cases'"),
        ('{"format": "enrnn_ref golden vectors", "version": 1, "model": "rnn", "cases": [3]}', "TypeError"),
    ],
)
def test_broken_files_of_golden_vectors_are_named(tmp_path, content, told):
    path = tmp_path / "rnn.json"
    path.write_text(content)
    with pytest.raises(DataError, match=f"rnn.json.*{told}"):
        load(tmp_path)


def test_a_folder_without_golden_vectors(tmp_path):
    (tmp_path / "flags.json").write_text("{}")
    with pytest.raises(DataError, match="holds no golden vectors"):
        load(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        load(tmp_path / "flags.json")
