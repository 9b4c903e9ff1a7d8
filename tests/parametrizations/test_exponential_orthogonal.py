"""W = expm(A) W0: orthogonal, its printed golden numbers, and a base that moves without moving W or its gradient."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrnn_ref.errors import NotFiniteError, ParameterError
from enrnn_ref.linalg.exponential import BlockExponential, SkewExponential
from enrnn_ref.linalg.skew import skew_matrix, skew_vector
from enrnn_ref.parametrizations.exponential_orthogonal import ExponentialOrthogonal
from tests.parametrizations import laws
from tests.parametrizations.laws import assert_refuses
from tests.strategies import dtypes, normal, relative_error, seeds

UNIT = float(np.finfo(np.float64).eps)
METHODS = ("spectral", "block")
methods = st.sampled_from(METHODS)

# The printed numbers of the reference mathematics, section 5.1.
SKEW = np.array([0.5, -0.2, 0.3])
G = np.arange(1.0, 10.0).reshape(3, 3)
W = np.array(
    [
        [0.8595338985586631, 0.49799153700292204, -0.11491695393636675],
        [-0.43986763295823095, 0.8353156052067086, 0.3297943376922551],
        [0.26022671404809444, -0.2329211642844366, 0.937032437284918],
    ]
)
DSKEW = np.array([-1.8483187460444628, -6.126101948546517, -2.866759587036909])


class Started(ExponentialOrthogonal):
    """One that starts from a given base instead of the identity: the laws know no buffers."""

    def __init__(self, base, **options):
        super().__init__(len(base), rebase_every=4, **options)
        self.base = base

    def initial_buffers(self):
        return {"base": self.base, "updates": np.array(0)}


def random_orthogonal(rng, size):
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


@pytest.mark.parametrize("method", METHODS)
def test_golden_numbers(method):
    p = ExponentialOrthogonal(3, method=method)
    value = p.evaluate({"skew": SKEW})
    np.testing.assert_allclose(value.matrix, W, rtol=1e-12)
    np.testing.assert_allclose(p.pullback(value, G)["skew"], DSKEW, rtol=1e-12)


@st.composite
def points(draw, dtypes=dtypes):
    """With and without a base, either method, and a point."""
    rng, size, method = np.random.default_rng(draw(seeds)), draw(st.integers(1, 6)), draw(methods)
    if draw(st.booleans()):
        p = Started(random_orthogonal(rng, size), method=method)
    else:
        p = ExponentialOrthogonal(size, method=method)
    scale = draw(st.sampled_from((0.0, 0.3, 1.0, 10.0)))
    skew = normal(rng, p.shapes["skew"], draw(dtypes), scale)
    return p, {"skew": skew}, 1 + np.linalg.norm(skew_matrix(skew, size), 2), rng


@settings(max_examples=40)
@given(point=points())
def test_pullback_is_the_adjoint_of_the_tangent(point):
    p, raw, condition, rng = point
    laws.assert_pullback_is_adjoint_of_tangent(p, raw, rng, condition)


@given(point=points(dtypes=st.just(np.float64)))
def test_tangent_is_the_limit_of_differences(point):
    p, raw, condition, rng = point
    laws.assert_tangent_is_the_limit_of_differences(p, raw, rng, condition)


@given(point=points(dtypes=st.just(np.float64)))
def test_missing_directions_count_as_zero(point):
    p, raw, _, rng = point
    assert not p.tangent(p.evaluate(raw), {}).any()
    laws.assert_nothing_is_modified(p, raw, rng)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("angles", ["henaff", "cayley"])
@pytest.mark.parametrize("size", [0, 1, 4, 5])
def test_initialisation(size, angles, dtype):
    laws.assert_initialisation_is_declared(ExponentialOrthogonal(size, angles=angles), dtype)


@settings(max_examples=40)
@given(size=st.integers(1, 9), scale=st.sampled_from((0.0, 1e-3, 1.0, 1e3, 1e6)), dtype=dtypes, seed=seeds)
def test_is_a_rotation_of_its_base(size, scale, dtype, seed):
    """[EX-1]: orthogonal whatever A; the base alone decides the determinant."""
    rng = np.random.default_rng(seed)
    for base in (np.eye(size), random_orthogonal(rng, size)):
        p = Started(base)
        value = p.evaluate({"skew": normal(rng, p.shapes["skew"], dtype, scale)})
        wide = value.matrix.astype(np.float64)
        bound = 8 * size * (float(np.finfo(dtype).eps) + UNIT)
        assert np.abs(wide @ wide.T - np.eye(size)).max() <= bound
        assert p.violation(value) <= bound
        assert np.isclose(np.linalg.det(wide), np.linalg.det(base), rtol=1e-4)


def test_violation_measures_the_distance():
    p = ExponentialOrthogonal(3)
    value = p.evaluate({"skew": SKEW})
    assert np.isclose(p.violation(replace(value, matrix=1.1 * value.matrix)), 0.21, rtol=1e-12)


def test_the_method_is_the_one_asked_for():
    for method, route in (("spectral", SkewExponential), ("block", BlockExponential)):
        value = ExponentialOrthogonal(3, method=method).evaluate({"skew": SKEW})
        assert isinstance(value.exponential, route)


@given(size=st.integers(1, 7), seed=seeds)
def test_both_methods_agree(size, seed):
    rng = np.random.default_rng(seed)
    spectral, block = (ExponentialOrthogonal(size, method=method) for method in METHODS)
    raw, direction = ({"skew": rng.standard_normal(spectral.shapes["skew"])} for _ in range(2))
    dmatrix = rng.standard_normal((size, size))
    found = [
        (value.matrix, p.pullback(value, dmatrix)["skew"], p.tangent(value, direction))
        for p, value in ((p, p.evaluate(raw)) for p in (spectral, block))
    ]
    tolerance = 64 * size * UNIT * (1 + np.linalg.norm(skew_matrix(raw["skew"], size), 2))
    for one, other in zip(*found, strict=True):
        assert relative_error(one, other) <= tolerance * max(1.0, np.linalg.norm(dmatrix))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(size=st.integers(1, 6), seed=seeds)
def test_re_basing_moves_neither_the_matrix_nor_its_derivative(dtype, size, seed):
    """[EX-12] and [EX-13]: exact on the very step, and not what the published implementation applies there."""
    rng = np.random.default_rng(seed)
    p = ExponentialOrthogonal(size, rebase_every=1)
    first = {"base": random_orthogonal(rng, size), "updates": np.array(0)}
    raw = {"skew": normal(rng, p.shapes["skew"], dtype)}
    before = p.evaluate(raw, first)
    moved, buffers = p.after_update(raw, first)
    after = p.evaluate(moved, buffers)
    assert moved["skew"].dtype == dtype
    assert not moved["skew"].any()
    unit = float(np.finfo(dtype).eps)
    assert np.abs(after.matrix - before.matrix).max() <= 8 * size * unit

    dmatrix = normal(rng, p.shape, dtype)
    S = dmatrix.astype(np.float64) @ buffers["base"].T
    exact = skew_vector(S - S.T)
    found = p.pullback(after, dmatrix)["skew"]
    assert np.abs(found - exact).max(initial=0.0) <= 8 * size * unit * np.linalg.norm(dmatrix)
    if dtype == np.float64:
        laws.assert_tangent_is_the_limit_of_differences(Started(buffers["base"]), moved, rng)


def test_the_derivative_of_the_published_implementation_on_that_step_is_another():
    """[EX-13]: it takes the derivative at the old A, with the new base. Differences decide which is right."""
    rng, p = np.random.default_rng(0), ExponentialOrthogonal(4, rebase_every=1)
    raw, dmatrix = {"skew": rng.standard_normal(6)}, rng.standard_normal((4, 4))
    zero, buffers = p.after_update(raw)

    def loss(skew):
        return np.sum(dmatrix * p.evaluate({"skew": skew}, buffers).matrix)

    h = 1e-5
    differences = np.array([(loss(h * e) - loss(-h * e)) / (2 * h) for e in np.eye(6)])
    exact = p.pullback(p.evaluate(zero, buffers), dmatrix)["skew"]
    stale = p.pullback(p.evaluate(raw, buffers), dmatrix)["skew"]
    assert relative_error(exact, differences) <= 1e-8  # h^2, and u/h
    assert relative_error(stale, differences) > 0.1


@given(rebase=st.integers(1, 4), project=st.sampled_from((None, 1, 2, 3)))
def test_the_schedule(rebase, project):
    """A is zero after every K-th update and at no other; the base moves then, and nobody's argument is written to."""
    p = ExponentialOrthogonal(4, rebase_every=rebase, project_every=project)
    raw, buffers = p.init(np.random.default_rng(0), np.float64), p.initial_buffers()
    for number in range(1, 14):
        raw = {"skew": raw["skew"] + 0.1}
        given_raw, given_base = raw["skew"].copy(), buffers["base"].copy()
        expected = p.evaluate(raw, buffers).matrix
        new_raw, new = p.after_update(raw, buffers)
        np.testing.assert_array_equal(raw["skew"], given_raw)
        np.testing.assert_array_equal(buffers["base"], given_base)
        assert new["updates"].dtype == np.int64
        assert new["updates"].shape == ()
        assert new["updates"] == number
        moved = number % rebase == 0
        assert moved == (not new_raw["skew"].any())
        assert moved == (not np.array_equal(new["base"], given_base))
        assert relative_error(p.evaluate(new_raw, new).matrix, expected) <= 32 * 4 * UNIT
        raw, buffers = new_raw, new


@pytest.mark.parametrize("rebase", [1, 2])
def test_the_base_is_projected_after_every_m_re_basings(rebase):
    """[EX-14] A base that is off by an allowed rounding error stays so until the M-th re-basing, K·M updates later."""
    size = 6
    p = ExponentialOrthogonal(size, rebase_every=rebase, project_every=2)
    off = 3 * size * UNIT  # of W, hence twice that of its Gram matrix
    raw = {"skew": np.zeros(p.shapes["skew"])}
    buffers = {"base": (1 + off) * np.eye(size), "updates": np.array(0)}
    gram_errors = []
    for _ in range(2 * rebase):
        raw, buffers = p.after_update({"skew": raw["skew"]}, buffers)
        gram_errors.append(np.abs(buffers["base"].T @ buffers["base"] - np.eye(size)).max())
    assert min(gram_errors[:-1]) > 1.5 * off
    assert gram_errors[-1] < off


@pytest.mark.parametrize(
    "options",
    [{}, {"rebase_every": 1, "project_every": 30}, {"rebase_every": 7}, {"rebase_every": 1}],
    ids=lambda options: ",".join(map(str, options.values())) or "static",
)
def test_stays_orthogonal_over_many_updates(options):
    """10^4 updates; without projection rounding errors add up, and even their sum is below the bound."""
    p, rng = ExponentialOrthogonal(5, **options), np.random.default_rng(0)
    raw, buffers = p.init(rng, np.float64), None
    for step in 0.05 * rng.standard_normal((10_000, 10)):
        raw, buffers = p.after_update({"skew": raw["skew"] + step}, buffers)
    assert p.violation(p.evaluate(raw, buffers)) <= 1e-12


def test_stays_orthogonal_in_single_precision():
    """The base is kept in float64, so all the error is the rounding of W itself."""
    p, rng = ExponentialOrthogonal(5, rebase_every=2, project_every=30), np.random.default_rng(0)
    raw, buffers = p.init(rng, np.float32), None
    for step in 0.05 * rng.standard_normal((500, 10)).astype(np.float32):
        raw, buffers = p.after_update({"skew": raw["skew"] + step}, buffers)
    assert p.violation(p.evaluate(raw, buffers)) <= 8 * 5 * np.finfo(np.float32).eps


def test_an_evaluation_never_moves_the_base():
    p = ExponentialOrthogonal(4, rebase_every=1)
    raw = p.init(np.random.default_rng(0), np.float64)
    _, buffers = p.after_update(raw)
    value = p.evaluate(raw, buffers)
    for key, array in buffers.items():
        np.testing.assert_array_equal(value.buffers[key], array)
        assert not np.shares_memory(value.buffers[key], array)


def test_without_re_basing_there_are_no_buffers():
    p = ExponentialOrthogonal(4)
    raw = p.init(np.random.default_rng(0), np.float64)
    assert p.initial_buffers() == {}
    assert p.evaluate(raw).buffers == {}
    after, buffers = p.after_update(raw)
    assert buffers == {}
    np.testing.assert_array_equal(after["skew"], raw["skew"])


def test_initial_angles():
    """Henaff: from all of the circle; Cayley: tan(t/2), t up to a right angle; a unit without a partner stays."""
    for angles, low, high, mean in (("henaff", -np.pi, np.pi, 0.0), ("cayley", 0.0, 1.0, 2 * np.log(2) / np.pi)):
        p = ExponentialOrthogonal(1001, angles=angles)
        A = skew_matrix(p.init(np.random.default_rng(0), np.float64)["skew"], 1001)
        turns = np.diag(A, 1)[::2]
        assert low <= turns.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < turns.max() <= high
        assert abs(turns.mean() - mean) < 5 * (high - low) / np.sqrt(12 * turns.size)
        assert np.count_nonzero(A) == 1000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": -1}, ["size", "-1"]),
        ({"size": 2.5}, ["size", "2.5"]),
        ({"method": "pade"}, ["method", "pade", "spectral", "block"]),
        ({"angles": 3}, ["angles", "3", "henaff", "cayley"]),
        ({"rebase_every": 0}, ["rebase_every", "0"]),
        ({"rebase_every": True}, ["rebase_every", "True"]),
        ({"rebase_every": 2, "project_every": 0}, ["project_every", "0"]),
        ({"rebase_every": 2, "project_every": -3}, ["project_every", "-3"]),
        ({"project_every": 3}, ["project_every", "3", "rebase_every"]),
    ],
)
def test_bad_settings(options, words):
    assert_refuses(lambda: ExponentialOrthogonal(**{"size": 3, **options}), *words)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"base": 1.001 * np.eye(4)}, ParameterError, "not orthogonal"),
        ({"base": np.zeros((4, 4))}, ParameterError, "not orthogonal"),
        ({"base": np.eye(4) + np.eye(4, k=1)}, ParameterError, "not orthogonal"),
        ({"base": np.eye(3)}, ParameterError, "base"),
        ({"base": np.eye(4, dtype=np.float32)}, ParameterError, "float32"),
        ({"base": np.full((4, 4), np.nan)}, NotFiniteError, "base"),
        ({"updates": np.array(-1)}, ParameterError, "updates"),
        ({"updates": 3}, ParameterError, "updates"),
        ({"updates": np.array(3.0)}, ParameterError, "updates"),
        ({"other": np.eye(4)}, ParameterError, "other"),
    ],
)
def test_bad_buffers(change, error, word):
    p = ExponentialOrthogonal(4, rebase_every=2)
    raw = p.init(np.random.default_rng(0), np.float64)
    for use in (p.evaluate, p.after_update):
        with pytest.raises(error, match=word):
            use(raw, {**p.initial_buffers(), **change})


def test_a_base_may_be_as_far_from_orthogonal_as_its_re_basings_explain():
    """And no further: projection resets what counts."""
    raw = {"skew": np.zeros(6)}
    base = (1 + 100 * UNIT) * np.eye(4)  # Gram off by 200 u; 8 n u = 32 u for each product
    for options, updates, accepted in (
        ({"rebase_every": 1}, 5, False),
        ({"rebase_every": 1}, 6, True),
        ({"rebase_every": 2}, 11, False),
        ({"rebase_every": 2}, 12, True),
        ({"rebase_every": 1, "project_every": 10}, 16, True),
        ({"rebase_every": 1, "project_every": 10}, 20, False),
    ):
        p, buffers = ExponentialOrthogonal(4, **options), {"base": base, "updates": np.array(updates)}
        if accepted:
            p.evaluate(raw, buffers)
        else:
            with pytest.raises(ParameterError, match="not orthogonal"):
                p.evaluate(raw, buffers)


def test_entries_beyond_the_reach_of_float64_are_named():
    with pytest.raises(NotFiniteError, match="skew has entries"):
        ExponentialOrthogonal(5).evaluate({"skew": np.full(10, 1.5e308)})
