"""Parametrizations of arrays on the device: what the host's give, and no matrix crosses unless the host must decide.

[SC-6], [SC-7], [SC-8] and [EN-18], [EN-19], [EN-20], [EN-21], [EN-22] by kernels.
"""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends
from enrnn_ref.backends.cuda import algebra, arrays, inverse, leader, sums
from enrnn_ref.backends.cuda.algebra import DEVICE, ShiftedOnHost
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.crossing import Later
from enrnn_ref.backends.cuda.entries import grid_over
from enrnn_ref.linalg.algebra import ClaimedLeader
from enrnn_ref.parametrizations import (
    CoupledBlocks,
    EigenvalueNormalized,
    ExponentialOrthogonal,
    Free,
    NonNormalSchur,
    ScaledCayley,
    UnitaryCayley,
)

DTYPES = [np.float32, np.float64]
SIDE = inverse.SIDE


def there(array):
    return backends.get("cuda").take(array)


def all_there(named):
    return {key: there(array) for key, array in named.items()}


def here(array):
    assert isinstance(array, DeviceArray)
    return array.copy_to_host()


def drawn(p, dtype, seed=0):
    """A point off the initial draw, a cotangent and a direction."""
    rng = np.random.default_rng(seed)
    raw = {key: (a + 0.3 * rng.standard_normal(a.shape)).astype(dtype) for key, a in p.init(rng).items()}
    along = {key: rng.standard_normal(a.shape).astype(dtype) for key, a in raw.items()}
    return raw, rng.standard_normal(p.shape).astype(dtype), along


def assert_same(p, raw, cotangent, along=None, scale=1.0):
    """Matrix, gradients and derivative are the host's to rounding in float64, then in the dtype of the arrays."""
    expected, found = p.evaluate(raw), p.evaluate(all_there(raw))
    unit = 2 * np.finfo(cotangent.dtype).eps + 1e-13 * scale

    def assert_close(result, reference):
        result = here(result)
        assert result.dtype == reference.dtype
        assert result.shape == reference.shape
        size = np.abs(reference).max(initial=1.0)
        np.testing.assert_allclose(result, reference, rtol=0, atol=unit * size)

    assert_close(found.matrix, expected.matrix)
    gradients, references = p.pullback(found, there(cotangent)), p.pullback(expected, cotangent)
    assert gradients.keys() == references.keys()
    for key, reference in references.items():
        assert_close(gradients[key], reference)
    if along is not None:
        assert_close(p.tangent(found, all_there(along)), p.tangent(expected, along))
        assert_close(p.tangent(found, {}), np.zeros_like(expected.matrix))
    assert p.violation(found) <= p.violation(expected) + 100 * unit
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, SIDE, SIDE + 1, 2 * SIDE + 1, 3 * SIDE])
def test_scaled_cayley(n, dtype):
    p = ScaledCayley(n, n // 2)
    assert_same(p, *drawn(p, dtype))


@pytest.mark.parametrize("size", [1e2, 1e3, 1e4, 1e6])
def test_large_entries_keep_their_digits(size):
    """[SC-8]: without Newton's step as many more would be lost as the entries have, twice."""
    p = ScaledCayley(7, 3)
    raw, cotangent, _ = drawn(p, np.float64)
    found = assert_same(p, {"skew": size * raw["skew"]}, cotangent, scale=size)
    assert not isinstance(found.shifted, ShiftedOnHost)


def test_entries_too_large_for_the_device_are_the_hosts():
    p = ScaledCayley(3, 1)
    raw, cotangent, along = drawn(p, np.float64)
    found = assert_same(p, {"skew": 1e10 * raw["skew"]}, cotangent, along)
    assert isinstance(found.shifted, ShiftedOnHost)
    singular = 2.0**70 * np.random.default_rng(0).integers(1, 3, 10)  # in float64 I + A is A then
    with pytest.raises(er.errors.NotFiniteError, match=r"skew has entries .*so large that"):
        ScaledCayley(5, 1).evaluate({"skew": there(singular)})
    with pytest.raises(er.errors.NotFiniteError, match="the skew matrix holds"):
        p.evaluate({"skew": there(np.full(3, np.nan))})


@pytest.mark.parametrize("n", [1, SIDE - 1, 2 * SIDE - 1, 2 * SIDE, 2 * SIDE + 1])
def test_an_inverse_by_exchanges(n):
    """[SC-7], of a matrix that is not I + A."""
    rng = np.random.default_rng(n)
    matrix = rng.standard_normal((n, n))
    matrix += (1 + np.linalg.norm(matrix)) * np.eye(n)
    found = inverse.inverted(there(matrix).data).copy_to_host() if n else matrix
    np.testing.assert_allclose(found @ matrix, np.eye(n), rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 6])
def test_eigenvalue_normalized(n, dtype):
    p = EigenvalueNormalized(n, 0.01)
    found = assert_same(p, *drawn(p, dtype, seed=3))
    assert not n or not found.eigenpair.fell_back


LEADERS = {
    "negative": np.diag([-1.0, 0.5, 0.3, 0.2]) + np.triu(np.ones((4, 4)), 1) / 4,
    "positive": np.ones((5, 5)) + np.diag([1.0, 2.0, 3.0, 4.0, 5.0]),
    "pair": np.array([[0.5, 1.0, 0.1], [-0.25, 0.75, 0.2], [0.1, 0.0, 0.2]]),
    "small": 1e-9 * np.array([[0.5, 1.0], [-0.25, 0.75]]),
    "large": 1e9 * np.array([[2.0, 1.0, 0.0], [0.0, -0.5, 0.3], [0.4, 0.0, 1.0]]),
}


@pytest.mark.parametrize("kind", LEADERS)
def test_every_kind_of_leader(kind):
    free = LEADERS[kind]
    p, expected = EigenvalueNormalized(len(free), 0.0), er.dominant_eigenpair(free)
    found = assert_same(p, {"free": free}, np.random.default_rng(1).standard_normal(free.shape)).eigenpair
    assert not found.fell_back
    assert abs(found.value - expected.value) <= 1e-13 * expected.modulus
    assert abs(found.condition - expected.condition) <= 1e-12 * expected.condition
    assert np.linalg.norm(free @ found.right - found.value * found.right) <= 1e-13 * np.linalg.norm(free)
    assert np.linalg.norm(found.left.conj() @ free - found.value * found.left.conj()) <= 1e-13 * np.linalg.norm(free)
    assert found.gap == expected.gap or 0 < found.gap <= expected.gap * (1 + 1e-12)


def test_what_is_left_without_a_leader():
    """[EN-18], entry by entry: N, the sum of its squares, and the gradient of rank two [EN-22]."""
    n, blocks = 5, sums.BLOCKS
    rng = np.random.default_rng(0)
    matrix, vectors, section, slope = (rng.standard_normal(shape) for shape in ((n, n), (4, n), (2, 2), (2, 2)))
    head = np.concatenate([np.zeros(3), section.ravel(), np.zeros(5)])
    result, parts = there(np.empty((n, n))), there(np.empty(blocks))
    leader.deflate[blocks, sums.THREADS](*(a.data for a in (result, *map(there, (matrix, head, vectors)), parts)))
    expected = matrix - vectors[:2].T @ section @ vectors[2:]
    np.testing.assert_allclose(here(result), expected, rtol=0, atol=1e-14)
    assert here(parts).sum() == pytest.approx(np.sum(expected**2), rel=1e-13)
    leader.rank_two[grid_over(n * n)](result.data, there(vectors).data, *slope.ravel().tolist())
    np.testing.assert_allclose(here(result), vectors[2:].T @ slope @ vectors[:2], rtol=0, atol=1e-14)


DEGENERATE = {
    "tied": np.diag([0.9, -0.9, 0.1]),
    "defective": np.array([[0.9, 1.0, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 0.1]]),
    "zero": np.array([[0.0, 1.0], [0.0, 0.0]]),
}


@pytest.mark.parametrize("kind", DEGENERATE)
def test_what_is_degenerate_is_the_hosts(kind):
    free = DEGENERATE[kind]
    p = EigenvalueNormalized(len(free), 0.1)
    found = p.evaluate({"free": there(free)})
    assert found.eigenpair.fell_back
    assert found.degeneracy.kind == kind
    with pytest.raises(er.errors.DegenerateEigenvalueError, match=kind):
        p.pullback(found, there(free))
    p = EigenvalueNormalized(len(free), 0.1, on_degenerate="proceed")
    assert_same(p, {"free": free}, np.random.default_rng(1).standard_normal(free.shape))
    zero = EigenvalueNormalized(2, 0.0)
    if kind == "zero":
        with pytest.raises(er.errors.DegenerateEigenvalueError, match="zero"):
            zero.evaluate({"free": there(free)})


@pytest.mark.parametrize("exponent", [-530, -1000, 480])
def test_a_matrix_whose_squares_underflow_or_overflow_is_the_hosts(exponent):
    p = EigenvalueNormalized(3, 0.0)
    free = np.ldexp(np.array([[1.0, 0.3, 0.1], [0.2, 0.4, 0.05], [0.0, 0.1, -0.3]]), exponent)
    expected, found = p.evaluate({"free": free}), p.evaluate({"free": DEVICE.bring(free)})
    assert found.eigenpair.fell_back
    np.testing.assert_array_equal(found.matrix.copy_to_host(), expected.matrix)


def test_what_is_no_number_is_said():
    with pytest.raises(er.errors.NotFiniteError, match=r"raw\['free'\] holds 1 NaN"):
        EigenvalueNormalized(2).evaluate({"free": there(np.array([[1.0, np.nan], [0.0, 1.0]]))})


def test_the_switch_and_the_rules():
    free = LEADERS["pair"]
    p, buffers = EigenvalueNormalized(3, 0.0, "switch"), None
    for factor, switched in ((0.5, False), (2.0, True), (0.5, True)):
        rho = er.dominant_eigenpair(free).modulus
        value = p.evaluate({"free": there(free * factor / rho)}, buffers)
        buffers = value.buffers
        assert buffers["switched"] == switched
        expected = free / rho * (1 if switched else factor)
        np.testing.assert_allclose(here(value.matrix), expected, rtol=1e-13)
    never = EigenvalueNormalized(3, normalize="never")
    np.testing.assert_array_equal(here(never.evaluate({"free": there(free)}).matrix), free)


def test_the_dense_method_is_always_the_hosts(monkeypatch):
    monkeypatch.setattr(algebra, "leading_pair", None)
    p = EigenvalueNormalized(3, 0.1, eigenpair="dense")
    found = assert_same(p, {"free": LEADERS["pair"]}, np.eye(3))
    assert not found.eigenpair.fell_back


def test_what_falls_back_is_counted(monkeypatch):
    """By the buffer of the tracked method, which the host then goes on with."""
    unproved = ClaimedLeader(there(np.array(np.nan)), lambda: None)
    monkeypatch.setattr(algebra, "leading_pair", lambda matrix: unproved)
    n = 32
    p = EigenvalueNormalized(n, eigenpair="tracked")
    raw = p.init(np.random.default_rng(0))
    first = p.evaluate(all_there(raw))
    assert first.buffers["basis"].any()
    second = p.evaluate(all_there(raw), first.buffers)
    assert (first.buffers["fallbacks"], second.buffers["fallbacks"]) == (1, 2)
    np.testing.assert_allclose(here(second.matrix), p.evaluate(raw).matrix, rtol=1e-12)


@pytest.mark.parametrize(("coupled", "dtype"), [(True, np.float64), (False, np.float32)])
def test_coupled_blocks(coupled, dtype):
    p = CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(2), coupled=coupled)
    assert_same(p, *drawn(p, dtype))


UNPROVED = {
    "leader": {"short": 0.9 * np.roll(np.eye(3), 1, axis=1)},  # three tie, and two columns do not hold them
    "inverse": {"skew": 1e10 * np.arange(1.0, 7.0)},
}


@pytest.mark.parametrize("how", [{}, {"keep": False}, {"checkpoint_every": 2}], ids=str)
@pytest.mark.parametrize("kind", UNPROVED)
def test_a_pass_whose_matrix_may_not_stand_is_done_again(kind, how):
    """It was queued before that was known; nothing of it is left in what is returned."""
    rng = np.random.default_rng(0)
    model = er.ENRNN(2, 4, 3, 5, on_degenerate="proceed")
    params = {key: array + 0.1 * rng.standard_normal(array.shape) for key, array in model.init(rng).items()}
    params |= UNPROVED[kind]
    x, state = rng.standard_normal((5, 3, 2)), {"h": rng.standard_normal((3, 7))}
    expected = model.forward(params, x, state, backend="reference", keep="keep" not in how)
    found = model.forward(all_there(params), x, state, backend="cuda", **how)
    np.testing.assert_allclose(found.y, expected.y, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.state["h"], expected.state["h"], rtol=1e-11, atol=1e-11)
    if "keep" not in how:
        dy = rng.standard_normal(expected.y.shape)
        grads, references = model.backward(found, dy).params, model.backward(expected, dy).params
        for key, reference in references.items():
            digits = 1e-5 if kind == "inverse" and key == "skew" else 1e-10  # [SC-8]: as many are lost as A has
            tolerance = digits * np.abs(reference).max()
            np.testing.assert_allclose(here(grads[key]), reference, rtol=0, atol=tolerance, err_msg=key)


@pytest.mark.parametrize(("long", "short"), [(0, 2), (3, 0)])
def test_a_block_may_be_empty(long, short):
    p = CoupledBlocks(ScaledCayley(long, 0), EigenvalueNormalized(short))
    assert_same(p, *drawn(p, np.float64))


@pytest.mark.parametrize("dtype", DTYPES)
def test_free(dtype):
    p = Free(3, 5)
    assert_same(p, *drawn(p, dtype))


OTHERS = [
    UnitaryCayley(3),
    ExponentialOrthogonal(4, rebase_every=1),
    NonNormalSchur(4),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", OTHERS, ids=lambda p: type(p).__name__)
def test_all_others_are_evaluated_on_the_host(p, dtype):
    """To the last bit; every array that belongs to the device comes from there and goes back."""
    raw, cotangent, along = drawn(p, dtype)
    expected, found = p.evaluate(raw), p.evaluate(all_there(raw))
    np.testing.assert_array_equal(here(found.matrix), expected.matrix)
    np.testing.assert_array_equal(here(p.tangent(found, all_there(along))), p.tangent(expected, along))
    assert p.violation(found) == p.violation(expected)

    def assert_equal(there_, here_):
        assert there_.keys() == here_.keys()
        for key, array in here_.items():
            np.testing.assert_array_equal(here(there_[key]), array)

    assert_equal(p.pullback(found, there(cotangent)), p.pullback(expected, cotangent))
    value, draw = p.penalty(all_there(raw))
    reference, gradient = p.penalty(raw)
    assert value == reference
    assert_equal(draw, gradient)
    after, buffers = p.after_update(all_there(raw), found.buffers)
    expected_after, expected_buffers = p.after_update(raw, expected.buffers)
    assert_equal(after, expected_after)
    for key, array in expected_buffers.items():
        np.testing.assert_array_equal(buffers[key], array)


def test_an_update_and_a_penalty_that_are_none_leave_arrays_alone():
    p, raw = ScaledCayley(3, 1), all_there({"skew": np.ones(3, np.float32)})
    after, _ = p.after_update(raw)
    assert after["skew"] is raw["skew"]
    value, draw = p.penalty(raw)
    assert value == 0.0
    assert not here(draw["skew"]).any()


def test_no_matrix_crosses(monkeypatch):
    crossed = []
    to_device, to_host = arrays.to_device, DeviceArray.copy_to_host
    n = 11
    p = CoupledBlocks(ScaledCayley(n, 2), EigenvalueNormalized(n), coupled=False)
    raw, cotangent, _ = drawn(p, np.float64)
    raw, cotangent = all_there(raw | {"short": np.ones((n, n)) + np.diag(np.arange(n) / n)}), there(cotangent)
    monkeypatch.setattr(arrays, "to_device", lambda array: crossed.append(array.size) or to_device(array))
    monkeypatch.setattr(DeviceArray, "copy_to_host", lambda array: crossed.append(array.size) or to_host(array))
    read = Later.read
    monkeypatch.setattr(Later, "read", lambda later: crossed.append(later._numbers.size) or read(later))
    monkeypatch.setattr(leader, "SQUARINGS", 3)
    value = p.evaluate(raw)
    p.pullback(value, cotangent)
    assert not value.eigenpair.fell_back
    assert max(crossed) < n * n * 2 // 3


def test_arrays_that_change_are_seen():
    """No value is kept: whether an array of the device has changed is not looked at."""
    p, skew = ScaledCayley(2, 0), there(np.array([1.0]))
    np.testing.assert_allclose(here(p.evaluate({"skew": skew}).matrix), [[0, -1], [1, 0]], atol=1e-15)
    backends.get("cuda").clear(skew)
    np.testing.assert_array_equal(here(p.evaluate({"skew": skew}).matrix), np.eye(2))


def test_the_same_bits_from_run_to_run():
    p = CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(3))
    raw, cotangent, _ = drawn(p, np.float64)
    values = [p.evaluate(all_there(raw)) for _ in range(2)]
    found = [{"R": v.matrix, **p.pullback(v, there(cotangent))} for v in values]
    for key, array in found[0].items():
        assert here(array).tobytes() == here(found[1][key]).tobytes()


def test_arguments_are_checked_but_not_looked_at():
    p = CoupledBlocks(ScaledCayley(2, 0), EigenvalueNormalized(2))
    raw = p.init(np.random.default_rng(0))
    with pytest.raises(er.errors.PlacementError, match=r"raw\['short'\] is a .* on the host"):
        p.evaluate({**raw, "skew": there(raw["skew"])})
    with pytest.raises(er.errors.PlacementError, match=r"raw\['short'\] is a .* in the memory of a CUDA device"):
        p.evaluate({**raw, "short": there(raw["short"])})
    with pytest.raises(er.errors.ShapeError, match=r"raw\['skew'\]"):
        p.evaluate({**all_there(raw), "skew": there(np.ones(2))})
    with pytest.raises(er.errors.DtypeError, match=r"raw\['short'\]"):
        p.evaluate({**all_there(raw), "short": there(np.ones((2, 2), np.float32))})
    value = Free(2, 2).evaluate({"matrix": there(np.eye(2))})
    with pytest.raises(er.errors.PlacementError, match=r"dmatrix is a .* on the host"):
        value.source.pullback(value, np.eye(2))
    with pytest.raises(er.errors.ShapeError, match="dmatrix"):
        value.source.pullback(value, there(np.eye(3)))


class TestOperators:
    RNG = np.random.default_rng(0)
    A, B, ROW = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 4)), RNG.standard_normal(4)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_as_numpy_has_them(self, dtype):
        a, b, row = (array.astype(dtype) for array in (self.A, self.B, self.ROW))
        at, bt, rowt = map(there, (a, b, row))
        pairs = [
            (at + bt, a + b), (at - bt, a - b), (at * bt, a * b), (at / bt, a / b), (-at, -a), (at * rowt, a * row),
            (at - rowt, a - row), (at * 0.1, a * 0.1), (at / 3, a / 3), (at.T, a.T), (at.T - bt.T, a.T - b.T),
            (at[:, 1:3] + bt[:, :2], a[:, 1:3] + b[:, :2]), (at.copy(), a), (at[1:, 1:].copy(), a[1:, 1:]),
        ]  # fmt: skip
        for found, expected in pairs:
            assert found.dtype == dtype
            np.testing.assert_array_equal(here(found), expected)
        for found, expected in ((at @ bt.T, a @ b.T), (at.T @ bt, a.T @ b), (at[:, :3].T @ bt, a[:, :3].T @ b)):
            np.testing.assert_allclose(here(found), expected, rtol=0, atol=40 * np.finfo(dtype).eps)

    def test_an_inner_product_multiplies_matrices(self):
        factor = DEVICE.inner(there(self.A), there(self.B))
        assert factor.shape == ()
        assert here(factor) == pytest.approx(np.sum(self.A * self.B), rel=1e-14)
        for found in (factor * there(self.B), there(self.B) * factor):
            np.testing.assert_allclose(here(found), np.sum(self.A * self.B) * self.B, rtol=1e-14)

    def test_an_array_of_another_dtype(self):
        found = there(self.A.astype(np.float32)).T.astype(np.float64)
        assert found.contiguous
        np.testing.assert_array_equal(here(found), self.A.astype(np.float32).T.astype(np.float64))
