"""check_gradient: every planted mistake is called by its name, and a right gradient never."""

import numpy as np
import pytest

from enrnn_ref.errors import DtypeError, EnrnnError, NotFiniteError, OptionError, ParameterError
from enrnn_ref.verify import Verdict, check_gradient

X = np.random.default_rng(3).uniform(-1, 1, (4, 3))


def affine_tanh(W, b):
    return np.tanh(X @ W.T + b)


def affine_tanh_pullback(arguments, cotangent):
    dz = cotangent * (1 - affine_tanh(*arguments) ** 2)
    return dz.T @ X, dz.sum(axis=0)


def affine_tanh_tangent(arguments, directions):
    dW, db = directions
    return (X @ dW.T + db) * (1 - affine_tanh(*arguments) ** 2)


def point(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, 3)), rng.standard_normal(2)


def scalar(function, derivative, at, **options):
    """Check an elementwise function of one array."""
    at = np.atleast_1d(np.asarray(at, float))
    return check_gradient(function, lambda a, u: (u * derivative(a[0]),), (at,), **options)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("tangent", [None, affine_tanh_tangent])
def test_right_gradient_passes(seed, tangent):
    report = check_gradient(affine_tanh, affine_tanh_pullback, point(seed), tangent=tangent, seed=seed)
    assert report.passed, report
    assert {row.verdict for row in report.rows} == {Verdict.PASSED}


def test_dict_arguments_travel_as_one_dict():
    W, b = point()

    def pullback(p, u):
        return dict(zip(("W", "b"), affine_tanh_pullback((p["W"], p["b"]), u), strict=True))

    report = check_gradient(lambda p: affine_tanh(p["W"], p["b"]), pullback, {"W": W, "b": b})
    assert report.passed, report
    assert {"W", "b"} <= {row.name for row in report.rows}


def test_scalar_output():
    report = check_gradient(lambda x: float(x @ x), lambda a, u: [2 * u * a[0]], (np.array([0.3, -2.0]),))
    assert report.passed, report


@pytest.mark.parametrize("index", [(0, 0), (1, 2), (0, 1)])
@pytest.mark.parametrize("tangent", [None, affine_tanh_tangent])
def test_one_entry_wrong_by_a_millionth_is_found_and_pointed_at(index, tangent):
    def pullback(arguments, cotangent):
        dW, db = affine_tanh_pullback(arguments, cotangent)
        dW[index] *= 1 + 1e-6
        return dW, db

    report = check_gradient(affine_tanh, pullback, point(), tangent=tangent)
    assert report["0"].verdict is Verdict.WRONG
    assert report["0"].index == index
    assert report["0"].error == pytest.approx(1e-6, rel=1e-2)
    assert report["1"].verdict is Verdict.PASSED


@pytest.mark.parametrize("unit", [1e-30, 1e-12, 1.0, 1e20])
def test_zeros_are_wrong_at_any_scale_of_the_function(unit):
    assert scalar(lambda x: unit * np.sin(x), lambda x: unit * np.cos(x), [1.0, 2.0])["0"].verdict is Verdict.PASSED
    assert scalar(lambda x: unit * np.sin(x), lambda x: 0 * x, [1.0, 2.0])["0"].verdict is Verdict.WRONG


class TestAbsorbed:
    """A dependence of 1e-30 beside 1 is invisible to differences: undecided without a tangent, decided with one."""

    point = np.array([1.0, 2.0])

    @staticmethod
    def function(x):
        return 1 + 1e-30 * np.sin(x)

    def check(self, factor, tangent=None):
        pullback = lambda a, u: (factor * 1e-30 * u * np.cos(a[0]),)  # noqa: E731
        return check_gradient(opaque(self.function), pullback, (self.point,), tangent=tangent)

    @pytest.mark.parametrize(("factor", "verdict"), [(0, "WRONG"), (1, "PASSED"), (-1, "WRONG"), (1 + 1e-6, "WRONG")])
    def test_two_exact_ways_that_agree_decide(self, factor, verdict):
        """Dual numbers and the complex step: no difference can confirm either."""
        report = check_gradient(self.function, lambda a, u: (factor * 1e-30 * u * np.cos(a[0]),), (self.point,))
        assert report["0"].verdict is Verdict[verdict], report

    def test_one_of_them_alone_does_not(self):
        """The complex step takes this for a constant, and dual numbers do not."""
        function = lambda x: 1 + 1e-30 * np.sin(x.real)  # noqa: E731
        report = check_gradient(function, lambda a, u: (1e-30 * u * np.cos(a[0]),), (self.point,))
        assert report["0"].verdict is Verdict.VANISHED

    @pytest.mark.parametrize("factor", [0, 1, -1])
    def test_without_any_nothing_is_decided(self, factor):
        report = self.check(factor)
        assert report["0"].verdict is Verdict.VANISHED
        assert not report.passed

    @pytest.mark.parametrize(("factor", "verdict"), [(0, "WRONG"), (1, "PASSED"), (-1, "WRONG"), (1 + 1e-6, "WRONG")])
    def test_the_tangent_decides(self, factor, verdict):
        report = self.check(factor, tangent=lambda a, d: 1e-30 * np.cos(a[0]) * d[0])
        assert report["0"].verdict is Verdict[verdict]


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize(("slope", "accepted"), [(0, True), (0.5, True), (1, True), (1.01, False), (-0.01, False)])
def test_at_a_kink_any_value_between_the_sides_is_accepted(slope, accepted):
    row = scalar(lambda x: relu(x) + np.sin(x), lambda x: slope + np.cos(x), [0.0, 0.0])["0"]
    assert row.verdict is Verdict.KINK
    assert row.passed is accepted
    assert "left" in row.detail


def test_away_from_the_kink_a_mistake_stays_wrong():
    """Two entries sit on the kink, the wrong one does not."""
    row = scalar(relu, lambda x: np.where(x > 0.5, 1.001, x > 0), [0.0, 0.7, 0.0])["0"]
    assert row.verdict is Verdict.WRONG
    assert row.index == (1,)


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-7])
def test_beside_a_kink_right_is_right_and_wrong_is_wrong(distance):
    at = np.array([0.7 - distance, 0.7 + distance])
    assert scalar(lambda x: x + relu(x - 0.7), lambda x: 1.0 + (x > 0.7), at)["0"].verdict is Verdict.PASSED
    assert scalar(lambda x: x + relu(x - 0.7), lambda x: 1.5 + 0 * x, at)["0"].verdict is Verdict.WRONG


@pytest.mark.parametrize("slope", [0.0, 1.0, -7.0])
def test_the_jump_of_modrelu_with_positive_bias_is_a_kink_and_named(slope):
    row = scalar(lambda z: np.sign(z) * relu(abs(z) + 0.5), lambda z: slope, 0.0)["0"]
    assert row.verdict is Verdict.KINK
    assert "jump" in row.detail
    assert not row.passed


def test_dead_units_do_not_spoil_a_passing_row():
    """Units that are off have exact zeros; with some alive the argument is seen, and the zeros are right."""
    assert scalar(lambda x: 1 + relu(x), lambda x: x > 0, [0.5, -0.4, -3.0]).passed


def test_stationary_point_passes():
    assert scalar(lambda x: 1 + x**3 + x**2, lambda x: 3 * x**2 + 2 * x, 0.0).passed


def opaque(function):
    """The same function, with nothing to see of its inside: it takes plain float64 arrays only."""

    def closed(*arguments):
        return function(*(np.frombuffer(a.tobytes()).reshape(a.shape) for a in arguments))

    return closed


def test_argument_without_visible_effect_is_not_called_right_by_differences():
    function, pullback, at = (lambda x, y: x + 0 * y), (lambda a, u: (u, 0 * u)), (np.ones(2), np.ones(2))
    report = check_gradient(opaque(function), pullback, at)
    assert report["0"].verdict is Verdict.PASSED
    assert report["1"].verdict is Verdict.VANISHED
    assert check_gradient(function, pullback, at).passed  # an exact derivative sees that there is none


def logistic(x, steps):
    for _ in range(steps):
        x = 3.99 * x * (1 - x)
    return x


def logistic_slope(x, steps):
    slope = np.ones_like(x)
    for _ in range(steps):
        slope, x = 3.99 * (1 - 2 * x) * slope, 3.99 * x * (1 - x)
    return slope


def test_chaos_is_ill_conditioned_and_its_beginning_is_not():
    at = [0.2, 0.37]
    assert scalar(lambda x: logistic(x, 8), lambda x: logistic_slope(x, 8), at)["0"].verdict is Verdict.PASSED
    row = scalar(lambda x: logistic(x, 90), lambda x: logistic_slope(x, 90), at)["0"]
    assert row.verdict is Verdict.ILL_CONDITIONED
    assert not row.passed


class Counter:
    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x + 1e-15 * self.calls


def overwrite(x):
    x += 1
    return x


def overwriting_pullback(arguments, cotangent):
    cotangent *= 2
    return (cotangent,)


NEST = {
    "cell": {"W": np.array([[0.4, -0.3, 0.8], [0.1, 0.5, -0.9]]), "z": np.array([0.3 + 0.4j, -1.2 + 0.1j])},
    "gains": (np.array(0.7), [np.ones(2)]),
}


def nested(p):
    """Nests and complex arrays go in, a nest comes out."""
    y = np.tanh(p["cell"]["W"] @ X[0]) * p["gains"][0]
    return {"y": y, "modes": (np.exp(p["cell"]["z"]) * p["cell"]["z"], p["gains"][1][0] * y)}


def nested_pullback(p, u, conjugate=True):
    W, z, (gain, (scale,)) = p["cell"]["W"], p["cell"]["z"], p["gains"]
    s = np.tanh(W @ X[0])
    dy = u["y"] + u["modes"][1] * scale
    slope = np.exp(z) * (1 + z)
    dz = u["modes"][0] * (np.conj(slope) if conjugate else slope)
    return {
        "cell": {"W": np.outer(dy * gain * (1 - s**2), X[0]), "z": dz},
        "gains": (np.asarray((dy * s).sum()), [u["modes"][1] * s * gain]),
    }


@pytest.mark.parametrize("seed", range(3))
def test_nests_of_real_and_complex_arrays(seed):
    report = check_gradient(nested, nested_pullback, NEST, seed=seed)
    assert report.passed, report
    assert {"cell.W", "cell.z", "gains.0", "gains.1.0"} <= {row.name for row in report.rows}


def test_the_conjugate_of_a_complex_gradient_is_wrong_and_the_rest_is_right():
    report = check_gradient(nested, lambda p, u: nested_pullback(p, u, conjugate=False), NEST)
    assert [row.name for row in report.rows if not row.passed] == ["cell.z"]
    assert "part of entry" in report["cell.z"].detail


def test_one_entry_of_ten_thousand_off_by_a_millionth():
    rng = np.random.default_rng(0)
    W, h = rng.uniform(-0.1, 0.1, (100, 100)), rng.uniform(-1, 1, 100)

    def pullback(arguments, u):
        dW = np.outer(u * (1 - np.tanh(arguments[0] @ h) ** 2), h)
        dW[31, 77] *= 1 + 1e-6
        return (dW,)

    row = check_gradient(lambda W: np.tanh(W @ h), pullback, (W,), directions=1)["0"]
    assert row.verdict is Verdict.WRONG
    assert row.index == (31, 77)
    assert [entry.index for entry in row.worst] == [(31, 77)]


def test_a_sample_of_the_entries_with_the_projections_of_all():
    function, at = (lambda W: np.tanh(W @ np.ones(50))), (np.random.default_rng(0).uniform(-0.1, 0.1, (40, 50)),)
    right = lambda a, u: (np.outer(u * (1 - np.tanh(a[0] @ np.ones(50)) ** 2), np.ones(50)),)  # noqa: E731

    def wrong(arguments, u):
        (dW,) = right(arguments, u)
        dW[0] *= 1.5
        return (dW,)

    report = check_gradient(function, right, at, entries=7)
    assert report.passed, report
    assert np.isfinite(report["0"].ratios).sum() == 7
    row = check_gradient(function, wrong, at, entries=7)["0"]
    assert row.verdict is Verdict.WRONG


def test_the_worst_entries_are_named_with_their_time_step():
    def pullback(arguments, u):
        dx = u * np.cos(arguments[0])
        dx[2, 1] *= 1.5
        dx[1, 0] *= 1.01
        return (dx,)

    at = np.random.default_rng(0).uniform(-1, 1, (4, 3))
    row = check_gradient(np.sin, pullback, (at,), time_axes={"0": 0}, directions=1)["0"]
    assert [(entry.index, entry.step) for entry in row.worst] == [((2, 1), 2), ((1, 0), 1)]
    for entry in row.worst:
        assert abs(entry.analytic - entry.numeric) > entry.tolerance >= entry.estimate
    assert np.count_nonzero(row.ratios > 1) == 2
    assert "worst entries of 0" in str(check_gradient(np.sin, pullback, (at,)))


def test_the_error_falls_with_the_step_for_a_right_gradient_and_levels_off_for_a_wrong_one():
    right = scalar(np.sin, np.cos, [0.7])["0"]
    wrong = scalar(np.sin, lambda x: 1.001 * np.cos(x), [0.7])["0"]
    assert min(error for _, error in right.curve) < 1e-8
    assert min(error for _, error in wrong.curve) == pytest.approx(1e-3, rel=1e-2)
    assert "Taylor order 2.0" in right.detail


def test_a_long_check_says_what_it_will_cost_and_how_far_it_is(monkeypatch):
    monkeypatch.setattr("enrnn_ref.verify.effort.WORTH_TELLING", 0.0)
    lines = []
    check_gradient(opaque(np.sin), lambda a, u: (u * np.cos(a[0]),), (np.ones(3),), progress=lines.append)
    assert lines[0].startswith("full check: 3 entries")
    assert lines[-1] == "0: 3 of 3 entries"


def raising(*_):
    raise RuntimeError("out of order")


@pytest.mark.parametrize(
    ("function", "pullback", "verdict"),
    [
        (Counter(), lambda a, u: (u,), Verdict.NONDETERMINISTIC),
        (lambda x: x / 0.0, lambda a, u: (u,), Verdict.NOT_FINITE),
        (np.copy, lambda a, u: (u, u), Verdict.SHAPE),
        (np.copy, lambda a, u: {"x": u}, Verdict.SHAPE),
        (np.copy, lambda a, u: (), Verdict.SHAPE),
        (np.copy, lambda a, u: None, Verdict.SHAPE),
        (lambda x: x.astype(np.float32), lambda a, u: (u,), Verdict.SHAPE),
        (lambda x: x.astype(int), lambda a, u: (u,), Verdict.SHAPE),
        (lambda x: None, lambda a, u: (u,), Verdict.SHAPE),
        (raising, lambda a, u: (u,), Verdict.NO_ANSWER),
        (np.copy, raising, Verdict.NO_ANSWER),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_where_nothing_can_be_compared_the_contract_says_why(function, pullback, verdict):
    report = check_gradient(function, pullback, (np.array([0.5, -1.5]),))
    assert [row.verdict for row in report.rows] == [verdict]
    assert not report.passed


def test_an_exception_is_told_with_its_place():
    detail = check_gradient(np.copy, raising, (np.ones(2),)).rows[0].detail
    assert "the pullback raised RuntimeError: out of order (test_gradient.py, line" in detail


@pytest.mark.parametrize(
    ("gradient", "verdict"),
    [
        (None, Verdict.SHAPE),
        (lambda u: u[:1], Verdict.SHAPE),
        (lambda u: u.astype(np.float32), Verdict.SHAPE),
        (lambda u: u.astype(int), Verdict.SHAPE),
        (lambda u: [u, u], Verdict.SHAPE),
        (lambda u: u * np.nan, Verdict.NOT_FINITE),
    ],
)
@pytest.mark.parametrize("other", [Verdict.PASSED, Verdict.WRONG])
def test_a_gradient_that_is_no_gradient_costs_only_its_own_argument_the_check(gradient, verdict, other):
    """Missing, of another form, or not finite: the other argument is judged all the same."""
    factor = 1.0 if other is Verdict.PASSED else 1.001

    def pullback(p, u):
        found = {"b": factor * u * p["a"], "a": gradient(u * p["b"]) if gradient else None}
        return found if gradient else {"b": found["b"]}

    report = check_gradient(
        lambda p: p["a"] * p["b"], pullback, {"a": np.array([0.5, 2.0]), "b": np.array([3.0, -1.0])}
    )
    assert report["a"].verdict is verdict
    assert report["b"].verdict is other


@pytest.mark.parametrize(
    ("function", "pullback", "told"),
    [
        (overwrite, lambda a, u: (u,), "the function changed its input"),
        (np.copy, overwriting_pullback, "the pullback changed its input"),
        (lambda x: x[::-1], lambda a, u: (u[::-1],), "in the memory of argument 0"),
    ],
)
def test_side_effects_are_reported_and_the_numbers_are_judged_all_the_same(function, pullback, told):
    report = check_gradient(function, pullback, (np.array([0.5, -1.5]),))
    assert report["contract"].verdict is Verdict.MUTATED_INPUT
    assert told in report["contract"].detail
    wrong = pullback is overwriting_pullback  # it returns twice the cotangent
    assert report["0"].verdict is (Verdict.WRONG if wrong else Verdict.PASSED)


@pytest.mark.parametrize(("tolerance", "passed"), [(0.0, False), (1e-9, False), (1e-3, True)])
def test_results_may_differ_from_call_to_call_within_a_stated_tolerance(tolerance, passed):
    rng = np.random.default_rng(0)
    function = lambda x: np.sin(x) * (1 + 1e-6 * rng.uniform(-1, 1))  # noqa: E731
    report = check_gradient(function, lambda a, u: (u * np.cos(a[0]),), (np.array([0.5]),), repeat_tolerance=tolerance)
    assert (report["contract"].verdict is Verdict.PASSED) is passed


def test_no_derivative_where_the_function_ends():
    row = scalar(lambda x: x**1.5, lambda x: 1.5 * x**0.5, 0.0)["0"]
    assert row.verdict is Verdict.NOT_FINITE


def test_tangent_of_the_wrong_shape():
    report = check_gradient(np.copy, lambda a, u: (u,), (np.ones(2),), tangent=lambda a, d: d[0][:1])
    assert report.rows[0].verdict is Verdict.SHAPE


def test_a_report_can_be_repeated():
    reports = [check_gradient(affine_tanh, affine_tanh_pullback, point(), seed=5).to_json() for _ in range(2)]
    assert reports[0] == reports[1]
    assert reports[0] != check_gradient(affine_tanh, affine_tanh_pullback, point(), seed=6).to_json()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"arguments": np.ones(3)}, ParameterError),
        ({"arguments": ()}, ParameterError),
        ({"arguments": (np.ones(3, np.float32),)}, DtypeError),
        ({"arguments": (np.ones(3, int),)}, DtypeError),
        ({"arguments": (np.array([1.0, np.nan]),)}, NotFiniteError),
        ({"function": 3}, OptionError),
        ({"pullback": None}, OptionError),
        ({"tangent": "no"}, OptionError),
        ({"directions": 0}, OptionError),
        ({"entries": 0}, OptionError),
        ({"repeat_tolerance": -1.0}, OptionError),
        ({"time_axes": {"x": 0}}, OptionError),
        ({"time_axes": {"0": 1}}, OptionError),
    ],
)
def test_bad_use_is_one_typed_error(change, error):
    use = {"function": np.copy, "pullback": lambda a, u: (u,), "arguments": (np.ones(3),)} | change
    with pytest.raises(error) as caught:
        check_gradient(use.pop("function"), use.pop("pullback"), use.pop("arguments"), **use)
    assert isinstance(caught.value, EnrnnError)
    assert str(caught.value).endswith(".")


def test_inputs_are_not_modified():
    arguments = point()
    copies = [a.copy() for a in arguments]
    check_gradient(affine_tanh, affine_tanh_pullback, arguments)
    for array, copy in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
