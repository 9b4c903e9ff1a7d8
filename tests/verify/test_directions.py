"""Structured directions keep their structure, and the laws along them find what an entry-by-entry check cannot see."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.errors import OptionError, ParameterError, ShapeError
from enrnn_ref.parametrizations import EigenvalueNormalized
from enrnn_ref.verify import Verdict, laws
from enrnn_ref.verify.laws import directions
from tests.strategies import with_spectrum
from tests.verify.test_invariants import circulant_blocks

RNG = np.random.default_rng(5)
T = with_spectrum([0.9, -0.5 + 0.3j, 0.2], 4.0, RNG)
W = np.linalg.qr(RNG.standard_normal((4, 4)))[0]
A = RNG.standard_normal((4, 4))
A = A - A.T
C = circulant_blocks(RNG, 2, 3, 4)
V = RNG.standard_normal(4)

KINDS = {
    "skew": (directions.skew, A, 6, lambda m: np.abs(m + m.T).max()),
    "orthogonal": (directions.orthogonal, W, 6, lambda m: np.abs(m.T @ m - np.eye(4)).max()),
    "similar": (directions.similar, T, 15, lambda m: np.abs(np.poly(m) - np.poly(T)).max()),
    "scaling": (directions.scaling, T, 1, lambda m: np.abs(m * T[0, 0] - T * m[0, 0]).max()),
    "circulant": (directions.circulant(4), C, 24, lambda m: laws.circulant(m, 4).error),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_move_keeps_the_structure_and_starts_along_the_tangent(name):
    kind, matrix, count, broken = KINDS[name]
    found = list(kind(matrix))
    assert len({direction.index for direction in found}) == len(found) == count
    for direction in found:
        np.testing.assert_array_equal(direction.move(0.0), matrix)
        for h in (0.3, -1.1):
            assert broken(direction.move(h)) <= 1e-13
        h = 2.0**-18
        slope = (direction.move(h) - direction.move(-h)) / (2 * h)
        np.testing.assert_allclose(slope, direction.tangent, rtol=0, atol=1e-9)
        assert np.abs(direction.tangent).max() > 0


@pytest.mark.parametrize(("name", "rank"), [("skew", 6), ("orthogonal", 6), ("similar", 12), ("circulant", 24)])
def test_the_directions_of_a_kind_are_all_there_are(name, rank):
    """Commutators with T span n² − n dimensions, because what commutes with T is spanned by its n powers."""
    kind, matrix, _, _ = KINDS[name]
    tangents = np.array([direction.tangent.ravel() for direction in kind(matrix)])
    assert np.linalg.matrix_rank(tangents) == rank


def of_one(function, pullback, matrix):
    """The problem of a function of one matrix."""
    return laws.problem(function, lambda a, u: (pullback(a[0], u),), (matrix,), None)


def smooth(m):
    return np.tanh(m @ V)[: len(m)]


def smooth_pullback(m, u):
    return np.outer(u * (1 - smooth(m) ** 2), V)


def smooth_of(name):
    matrix = KINDS[name][1]
    v = np.linspace(-1, 1, matrix.shape[1])

    def function(m):
        return np.tanh(m @ v)

    return of_one(function, lambda m, u: np.outer(u * (1 - function(m) ** 2), v), matrix)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_right_gradient_passes_along_every_kind(name, seed):
    row = laws.structured(smooth_of(name), "0", KINDS[name][0], seed=seed)
    assert row.passed, row
    assert row.tolerance < 1e-9
    assert len(row.worst) == min(5, KINDS[name][2])


@pytest.mark.parametrize("name", KINDS)
def test_a_mistake_along_one_direction_is_found(name):
    problem = smooth_of(name)
    wrong = list(KINDS[name][0](KINDS[name][1]))[-1]

    def pullback(m, u):
        gradient = smooth_pullback_of(problem, m, u)
        return gradient + 1e-7 * wrong.tangent / np.linalg.norm(wrong.tangent)

    def smooth_pullback_of(problem, m, u):
        return problem.pullback({"0": m}, u)["0"]

    broken = of_one(lambda m: problem.function({"0": m}), pullback, KINDS[name][1])
    row = laws.structured(broken, "0", KINDS[name][0])
    assert row.verdict is Verdict.WRONG
    if name in ("skew", "orthogonal", "circulant"):  # orthogonal directions: no other sees it
        assert row.index == wrong.index
        assert row.detail.startswith("1 of")


def test_a_function_of_the_group_alone_is_judged_on_the_group():
    """W v = W⁻ᵀ v for an orthogonal W only: the gradient of the one is that of the other along the group."""

    def function(m):
        return np.tanh(np.linalg.inv(m).T @ V)

    problem = of_one(function, smooth_pullback, W)
    assert laws.structured(problem, "0", directions.orthogonal).passed
    assert laws.structured(problem, "0", directions.scaling).verdict is Verdict.WRONG


def test_eigenvalues_do_not_change_along_similar_directions():
    pair = er.dominant_eigenpair
    radius = of_one(lambda m: pair(m).modulus, lambda m, u: u * pair(m).modulus_gradient, T)
    for law in (laws.structured, laws.invariance):
        assert law(radius, "0", directions.similar).passed
    assert laws.structured(radius, "0", directions.scaling).passed
    assert laws.invariance(radius, "0", directions.scaling).verdict is Verdict.WRONG  # but it does change along T
    left_out = of_one(  # only one of the two eigenvectors
        lambda m: pair(m).modulus, lambda m, u: u * np.outer(pair(m).right.real, pair(m).right.real), T
    )
    for law in (laws.structured, laws.invariance):
        assert law(left_out, "0", directions.similar).verdict is Verdict.WRONG


def normalized(*, constant):
    """T / ρ(T), with ρ treated as a constant in the gradient or not."""
    p = EigenvalueNormalized(4, 0.0)

    def pullback(m, u):
        if constant:
            return u.reshape(4, 4) / er.dominant_eigenpair(m).modulus
        return p.pullback(p.evaluate({"free": m}), u.reshape(4, 4))["free"]

    return of_one(lambda m: p.evaluate({"free": m}).matrix.ravel(), pullback, T)


def test_what_is_divided_by_its_radius_does_not_change_with_scale():
    assert laws.invariance(normalized(constant=False), "0", directions.scaling).passed
    assert laws.structured(normalized(constant=False), "0", directions.scaling).passed
    row = laws.invariance(normalized(constant=True), "0", directions.scaling)
    assert row.verdict is Verdict.WRONG
    assert row.numeric == 0.0
    assert laws.structured(normalized(constant=True), "0", directions.scaling).verdict is Verdict.WRONG
    assert laws.structured(normalized(constant=True), "0", directions.similar).passed  # along which ρ is one


def test_a_model_of_this_package_along_its_scale():
    model = er.ENRNN(3, 4, 5, 2, eps=0.0)
    problem = laws.sample(model, backend="reference", steps=3, batch=2).problem()
    assert laws.invariance(problem, "short", directions.scaling).passed
    assert laws.invariance(problem, "short", directions.similar).verdict is Verdict.WRONG


def test_a_kink_is_no_mistake_between_its_sides():
    def function(m):
        return np.maximum(m - m.T, 0.0)

    def pullback(m, u, slope=0.5):
        inner = u * np.where(m - m.T > 0, 1.0, np.where(m == m.T, slope, 0.0))
        return inner - inner.T

    between = of_one(function, pullback, np.zeros((3, 3)))
    row = laws.structured(between, "0", directions.skew)
    assert (row.verdict, row.passed) == (Verdict.KINK, True)
    outside = of_one(function, lambda m, u: 5 * pullback(m, u), np.zeros((3, 3)))
    row = laws.structured(outside, "0", directions.skew)
    assert (row.verdict, row.passed) == (Verdict.KINK, False)


def test_what_differences_cannot_see_is_not_passed():
    tiny = of_one(lambda m: V + 1e-22 * smooth(m), lambda m, u: 1e-22 * smooth_pullback(m, u), W)
    assert laws.structured(tiny, "0", directions.orthogonal).verdict is Verdict.VANISHED
    silent = of_one(lambda m: V.copy(), lambda m, u: np.zeros((4, 4)), W)
    assert laws.structured(silent, "0", directions.orthogonal).verdict is Verdict.VANISHED


def test_a_function_that_is_infinite_nearby():
    problem = of_one(lambda m: np.where(m == W, 1.0, np.inf).ravel(), lambda m, u: np.ones((4, 4)), W)
    row = laws.structured(problem, "0", directions.orthogonal)
    assert row.verdict in (Verdict.NOT_FINITE, Verdict.KINK)
    assert not row.passed


def test_of_many_directions_some_are_drawn():
    row = laws.structured(smooth_of("similar"), "0", directions.similar, most=4)
    assert row.detail == "4 directions"
    assert row == laws.structured(smooth_of("similar"), "0", directions.similar, most=4)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": "1"}, ParameterError),
        ({"kind": "skew"}, OptionError),
        ({"kind": directions.circulant(3)}, ShapeError),
        ({"most": 0}, OptionError),
        ({"seed": -1}, OptionError),
    ],
)
def test_bad_input(change, error):
    arguments = {"name": "0", "kind": directions.skew, **change}
    for law in (laws.structured, laws.invariance):
        with pytest.raises(error):
            law(smooth_of("orthogonal"), **arguments)


def test_shapes_that_leave_nothing_to_move():
    flat = laws.problem(np.sin, lambda a, u: (u * np.cos(a[0]),), (np.ones((2, 3)),), None)
    for kind in (directions.skew, directions.orthogonal, directions.similar):
        with pytest.raises(ShapeError):
            laws.structured(flat, "0", kind)
    single = laws.problem(np.sin, lambda a, u: (u * np.cos(a[0]),), (np.ones((1, 1)),), None)
    with pytest.raises(ShapeError, match="no direction"):
        laws.structured(single, "0", directions.skew)
    with pytest.raises(OptionError, match="block"):
        directions.circulant(0)
