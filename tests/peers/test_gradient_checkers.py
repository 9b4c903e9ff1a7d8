"""The page that compares gradient checkers: ours still says what it shows, and the others are asked what it says."""

import importlib
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import enrnn_ref as er

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ROUNDING = 1e-14  # a pullback is copied, and conjugated: nothing is rounded but by sums in another order


def script(name):
    """A script imports its neighbours by their bare names."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


page = script("gradient_checkers")
LARGE = "one of 10 000 entries off by 1e-6 of itself"
RESULTS = {suffix: (BENCHMARKS / "results" / f"gradient_checkers.{suffix}") for suffix in ("json", "md")}
DOCUMENTATION = BENCHMARKS.parent / "docs" / "checkers.md"
every_case = pytest.mark.parametrize("case", [c for c in page.CASES if c.name != LARGE], ids=lambda case: case.name)


@every_case
def test_our_verdict(case):
    assert page.ours(case.make()).verdict == case.truth


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "right"), (1 + 1e-6, "wrong")])
def test_our_verdict_on_one_entry_of_many(factor, verdict):
    """The large case at a size that takes no seconds."""
    assert page.ours(page.layer(20, factor=factor)).verdict == verdict


@every_case
def test_a_mistake_is_one(case):
    """The two gradients of a wrong case differ, unless its mistake is one that no gradient shows."""
    found = page.mistake(case)
    assert (found is None) is (case.truth == page.RIGHT or not case.compared)
    assert found is None or found["distance"] > 0.0


def asked(problem):
    """A cotangent, the gradients by the pullback itself, and those that the wrappers must hand on."""
    shape = np.shape(problem.function(*problem.arguments))
    u = np.random.default_rng(0).standard_normal(shape)
    if np.iscomplexobj(problem.arguments[0]):
        u = u + 1j * np.random.default_rng(1).standard_normal(shape)
    return u, problem.pullback(problem.arguments, u.copy())


def assert_close(found, expected):
    for theirs, ours in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(theirs), ours, rtol=ROUNDING, atol=0)


@pytest.mark.parametrize("make", [page.enrnn, page.lstm_cell, page.complex_layer])
def test_pytorch_is_handed_the_same_gradient(make):
    torch = pytest.importorskip("torch")
    problem = make()
    function, tensors = page.torch_function(problem)
    u, expected = asked(problem)
    output = function(*tensors)
    np.testing.assert_array_equal(output.detach().numpy(), problem.function(*problem.arguments))
    assert_close(torch.autograd.grad(output, tensors, torch.from_numpy(u)), expected)


@pytest.mark.parametrize("make", [page.enrnn, page.lstm_cell, page.complex_layer])
def test_jax_is_handed_the_same_gradient(make):
    """Its cotangents and gradients of complex arrays are the conjugates of ours."""
    jax = pytest.importorskip("jax")
    problem = make()
    u, expected = asked(problem)
    output, pullback = jax.vjp(page.jax_function(problem), *problem.arguments)
    np.testing.assert_array_equal(np.asarray(output), problem.function(*problem.arguments))
    assert_close(map(np.conj, pullback(u.conj())), expected)


def test_scipy_is_handed_the_same_gradient():
    problem = page.lstm_cell()
    _, gradient, point = page.scipy_functions(problem)
    _, expected = asked(problem)
    np.testing.assert_array_equal(gradient(point), np.concatenate([part.ravel() for part in expected]))


@pytest.mark.parametrize(
    ("checker", "module"),
    [("gradcheck", "torch"), ("gradcheck, fast", "torch"), ("check_grads", "jax"), ("check_derivative", "scipy"),
     ("check_grad", "scipy")],
)  # fmt: skip
def test_others_tell_right_from_wrong(checker, module):
    """Each sees a plain mistake and passes the gradient without it, so what they miss is not the wrapper's doing."""
    pytest.importorskip(module)
    check = page.CHECKERS[checker][0]
    assert check(page.rnn()).verdict == page.RIGHT
    assert check(page.rnn(transposed=True)).verdict == page.WRONG


class TestPage:
    """What is committed belongs to the script as it is."""

    report = json.loads(RESULTS["json"].read_text(encoding="utf-8"))

    def test_cases(self):
        assert [(c["case"], c["truth"]) for c in self.report["cases"]] == [(c.name, c.truth) for c in page.CASES]

    def test_settings(self):
        assert self.report["settings"] == {name: settings for name, (_, settings) in page.CHECKERS.items()}

    def test_our_verdicts(self):
        for case, result in zip(page.CASES, self.report["cases"], strict=True):
            found = result["checkers"]["enrnn_ref"]
            assert found["verdict"] == case.truth, case.name
            on_right = None if case.right is None else page.RIGHT
            assert found["verdict_on_the_right_one"] == on_right, case.name

    def test_markdown(self):
        assert page.markdown(self.report) == RESULTS["md"].read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("row", "kinds"),
        [
            ("the answer is the truth", {"passed", "found"}),
            ("right, called wrong", {"false alarm"}),
            ("wrong, called right", {"missed"}),
            ("undecided, or not applicable", {"undecided", "not applicable"}),
        ],
    )
    def test_table_of_the_documentation(self, row, kinds):
        counts = [sum(page.outcome(c, name) in kinds for c in self.report["cases"]) for name in page.CHECKERS]
        assert f"| {row} | " + " | ".join(map(str, counts)) + " |\n" in DOCUMENTATION.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("truth", "verdict", "on_right", "expected"),
    [
        ("right", "right", None, "passed"),
        ("right", "wrong", None, "false alarm"),
        ("wrong", "wrong", "right", "found"),
        ("wrong", "wrong", "wrong", "blind"),
        ("wrong", "right", "right", "missed"),
        ("wrong", "undecided", "right", "undecided"),
        ("right", "not applicable", None, "not applicable"),
    ],
)
def test_outcome(truth, verdict, on_right, expected):
    found = {"verdict": verdict, "verdict_on_the_right_one": on_right}
    assert page.outcome({"truth": truth, "checkers": {"any": found}}, "any") == expected


def test_what_a_checker_raises_is_told_in_one_line():
    def check():
        raise AssertionError("\n\nnot equal\n Max absolute difference: 3\nmore")

    answer = page._raised_or_right(check)
    assert answer == page.Answer(page.WRONG, "AssertionError: not equal; Max absolute difference: 3")
    assert page._raised_or_right(partial(dict)).verdict == page.RIGHT


def test_few_entries_and_projections_find_one_of_many():
    """What docs/checkers.md offers where comparing all ten thousand takes too long."""
    for factor, passed in ((1.0, True), (1 + 1e-6, False)):
        problem = page.layer(100, factor=factor)
        report = er.verify.check_gradient(problem.function, problem.pullback, problem.arguments, entries=100)
        assert report.passed is passed
