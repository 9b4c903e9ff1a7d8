"""The tracked leader: the same as the dense one along a path, and never one that does not lead."""

import numpy as np
import pytest
from scipy.linalg import block_diag

import enrnn_ref as er
from enrnn_ref.linalg import tracking
from enrnn_ref.linalg.tracking import columns, tracked_leader

SIZE = 40


def rotation(angle, modulus=1.0):
    c, s = modulus * np.cos(angle), modulus * np.sin(angle)
    return np.array([[c, s], [-s, c]])


def real(value):
    return np.array([[value]])


def surrounded(*leaders, size=SIZE, seed=0, bulk=0.8, coupling=0.05, basis_condition=3.0):
    """A matrix with these leading blocks and a triangular rest within ``bulk``, in a basis that is not orthonormal."""
    rng = np.random.default_rng(seed)
    rest = size - sum(len(block) for block in leaders)
    small = np.diag(rng.uniform(-bulk, bulk, rest)) + coupling * np.triu(rng.standard_normal((rest, rest)), 1)
    first, second = (np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(2))
    stretch = np.geomspace(1.0, basis_condition, size)
    turn = (first * stretch) @ second
    return turn @ block_diag(*leaders, small) @ np.linalg.inv(turn)


def tracked(matrix, start, on_degenerate="proceed"):
    return er.dominant_eigenpair(matrix, method="tracked", start=start, on_degenerate=on_degenerate)


def up_to_a_factor(found, expected):
    overlap = np.vdot(found, expected)
    return np.linalg.norm(found * overlap / abs(overlap) - expected)


def assert_same(found, dense, tolerance=1e-10):
    """All that an Eigenpair says, relative to the modulus."""
    assert abs(found.value - dense.value) <= tolerance * dense.modulus
    assert abs(found.modulus - dense.modulus) <= tolerance * dense.modulus
    assert found.gap == dense.gap or abs(found.gap - dense.gap) <= tolerance * dense.modulus
    assert abs(found.condition - dense.condition) <= tolerance * dense.condition
    assert up_to_a_factor(found.right, dense.right) <= tolerance
    assert up_to_a_factor(found.left, dense.left) <= tolerance
    error = np.linalg.norm(found.modulus_gradient - dense.modulus_gradient)
    assert error <= tolerance * np.linalg.norm(dense.modulus_gradient)
    assert (found.degeneracy is None) == (dense.degeneracy is None)


LEADERS = {
    "real": [real(1.0)],
    "negative": [real(-1.0)],
    "pair": [rotation(0.7)],
    "pair whose power is real": [rotation(np.pi / 2)],  # i and -i have one and the same power
    "pair whose power is negative": [rotation(np.pi / 16)],
    "real beside a pair": [real(1.0), rotation(0.4, 0.97)],
    "pair beside its opposite": [rotation(0.4), rotation(np.pi - 0.4, 0.98)],
    "three that contend for the second modulus": [real(1.0), rotation(0.5, 0.95), real(-0.95), rotation(2.0, 0.95)],
    "outlier": [real(1.0), real(0.3), rotation(1.0, 0.2)],
}


@pytest.mark.parametrize("name", LEADERS)
@pytest.mark.parametrize("exponent", [0, -600, 600])
def test_same_as_dense_along_a_path(name, exponent):
    rng = np.random.default_rng(1)
    bulk, coupling = (0.1, 0.01) if name == "outlier" else (0.8, 0.05)
    matrix, pair = surrounded(*LEADERS[name], bulk=bulk, coupling=coupling), None
    for step in range(8):
        scaled = np.ldexp(matrix, exponent)
        pair = tracked(scaled, pair)
        assert pair.fell_back is False
        assert_same(pair, er.dominant_eigenpair(scaled))
        assert pair.basis.shape == (SIZE, columns(SIZE))
        if step:
            assert pair.right[np.argmax(np.abs(pair.right))].imag == pytest.approx(0.0, abs=1e-15)
        matrix = matrix + 1e-4 * rng.standard_normal(matrix.shape)


@pytest.mark.parametrize("seed", range(12))
def test_same_as_dense_on_matrices_nobody_prepared(seed):
    """Dense random matrices: eigenvalues close to the circle, badly conditioned ones among them."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(32, 90))
    matrix, pair, fallbacks = rng.standard_normal((size, size)), None, 0
    for _ in range(12):
        pair = tracked(matrix, pair)
        assert_same(pair, er.dominant_eigenpair(matrix))
        fallbacks += pair.fell_back
        matrix = matrix + 1e-3 * rng.standard_normal((size, size))
    assert fallbacks <= 3


EXCHANGES = {
    "real to real": (real(1.0), real(-1.0)),
    "real to pair": (real(1.0), rotation(0.9)),
    "pair to real": (rotation(2.0), real(1.0)),
    "pair to pair": (rotation(0.3), rotation(1.1)),
    "same power": (rotation(np.pi / 8), rotation(3 * np.pi / 8)),  # powers of 16 coincide on the way
}


@pytest.mark.parametrize("name", EXCHANGES)
@pytest.mark.parametrize("width", [1e-1, 1e-3, 1e-6])
def test_an_exchange_of_leaders_is_noticed(name, width):
    """One falls while the other rises; the step on which they change places may be as large as it likes."""
    falling, rising = EXCHANGES[name]
    pair, answers = None, []
    for s in np.linspace(-1.0, 1.0, 12):
        matrix = surrounded((1 - s * width) * falling, (1 + s * width) * rising)
        pair = tracked(matrix, pair)
        dense = er.dominant_eigenpair(matrix)
        assert_same(pair, dense, 1e-9)
        answers.append(pair.fell_back)
    assert answers.count(True) <= (12 if width < 1e-5 else 1)


@pytest.mark.parametrize("hidden", [real(1.2), real(-1.001), rotation(1.0, 1.5)])
@pytest.mark.parametrize("amount", [0.0, 1e-17, 1e-6])
def test_a_leader_hidden_from_the_basis_is_never_missed(hidden, amount):
    """Out of nowhere something larger appears, orthogonal or nearly so to all that was tracked."""
    rng = np.random.default_rng(2)
    plain = block_diag(real(1.0), rotation(0.4, 0.9), np.diag(rng.uniform(-0.5, 0.5, SIZE - 3)))
    start = tracked(plain, None).basis
    new = plain.copy()
    m = len(hidden)
    new[-m:, -m:] = hidden
    start = start + amount * rng.standard_normal(start.shape)
    start[-m:] *= amount > 0  # exactly nothing of the new one
    found, dense = tracked(new, start), er.dominant_eigenpair(new)
    assert_same(found, dense)
    assert abs(found.value) == pytest.approx(np.abs(np.linalg.eigvals(hidden)).max(), rel=1e-12)


def test_what_lies_outside_of_the_basis_blocks_the_proof():
    """The pair itself is perfect; only that it leads is false."""
    matrix = block_diag(real(1.0), np.diag(np.linspace(0.5, 0.0, SIZE - 2)), real(1.0001))
    start = np.eye(SIZE)[:, : columns(SIZE)]
    assert tracked_leader(matrix, start) is None
    matrix[-1, -1] = 0.1
    assert abs(tracked_leader(matrix, start).value - 1.0) <= 1e-14


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["random", "eigenvectors of others"])
def test_a_useless_start_never_gives_a_wrong_leader(seed, kind):
    rng = np.random.default_rng(seed)
    matrix = surrounded(rotation(0.5), real(0.98), seed=seed)
    if kind == "random":
        start = rng.standard_normal((SIZE, columns(SIZE)))
    else:
        values, right = np.linalg.eig(matrix)
        start = right[:, np.argsort(np.abs(values))[: columns(SIZE)]].real.copy()
    dense = er.dominant_eigenpair(matrix)
    found = tracked_leader(matrix, np.linalg.qr(start)[0])
    if found is not None:
        assert abs(found.value - dense.value) <= 1e-10
        assert abs(found.second - (dense.modulus - dense.gap)) <= 1e-10


@pytest.mark.parametrize("start", [np.zeros((SIZE, 16)), np.full((SIZE, 16), 1e300), np.ones((SIZE, 16))])
def test_a_senseless_start_is_dense_or_right(start):
    matrix = surrounded(rotation(0.5))
    assert_same(tracked(matrix, start), er.dominant_eigenpair(matrix))


def near_jordan(height):
    return np.array([[1.0, 1.0], [height, 1.0]])


DEGENERATE = {
    "tied": surrounded(real(1.0), real(-1.0), basis_condition=1.0),
    "tied pairs": surrounded(rotation(0.4), rotation(1.9), basis_condition=1.0),
    "same pair twice": block_diag(rotation(0.4), rotation(0.4), np.diag(np.linspace(-0.5, 0.5, SIZE - 4))),
    "identity": np.eye(SIZE),
    "nearly tied": surrounded(real(1.0), real(-1.0 + 1e-9), basis_condition=1.0),
    "defective": surrounded(near_jordan(0.0), basis_condition=1.0),
    "nearly defective": surrounded(near_jordan(1e-14), basis_condition=1.0),
    "nearly defective pair": surrounded(near_jordan(-1e-14), basis_condition=1.0),
    "zero": np.zeros((SIZE, SIZE)),
    "nilpotent": np.diag(np.ones(SIZE - 1), 1),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_what_may_be_degenerate_is_left_to_the_dense_method(name):
    matrix = DEGENERATE[name]
    start = tracked(matrix, None)
    found, dense = tracked(matrix, start), er.dominant_eigenpair(matrix, on_degenerate="proceed")
    assert found.fell_back
    assert found.value == dense.value
    assert found.degeneracy == dense.degeneracy
    np.testing.assert_array_equal(found.modulus_gradient, dense.modulus_gradient)
    if dense.degeneracy is not None:
        with pytest.raises(er.errors.DegenerateEigenvalueError):
            tracked(matrix, start, on_degenerate="raise")


def test_the_same_call_gives_the_same_bits():
    matrix = surrounded(rotation(0.5))
    start = tracked(surrounded(rotation(0.5001)), None)
    one, other = tracked(matrix, start), tracked(matrix, start.basis.copy())
    assert one.value == other.value
    for name in ("right", "left", "modulus_gradient", "basis"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_nothing_is_modified():
    matrix, start = surrounded(rotation(0.5)), tracked(surrounded(rotation(0.5001)), None).basis
    kept = matrix.copy(), start.copy()
    tracked(matrix, start)
    np.testing.assert_array_equal(matrix, kept[0])
    np.testing.assert_array_equal(start, kept[1])


def test_without_a_start_it_is_dense_and_no_fall_back():
    matrix = surrounded(rotation(0.5))
    found, dense = tracked(matrix, None), er.dominant_eigenpair(matrix)
    assert not found.fell_back
    assert found.value == dense.value
    assert dense.basis is None
    np.testing.assert_allclose(found.basis.T @ found.basis, np.eye(columns(SIZE)), atol=1e-13)


@pytest.mark.parametrize("size", [1, 2, 7, tracking.SMALLEST - 1])
def test_small_matrices_are_always_dense(size):
    matrix = np.random.default_rng(size).standard_normal((size, size))
    first = tracked(matrix, None)
    again = tracked(matrix, first)
    assert first.basis.shape == (size, 0)
    assert not again.fell_back
    assert_same(again, er.dominant_eigenpair(matrix, on_degenerate="proceed"))


def test_float32_is_tracked_in_float64():
    matrix = surrounded(rotation(0.5)).astype(np.float32)
    found = tracked(matrix, tracked(matrix, None))
    assert not found.fell_back
    assert found.modulus_gradient.dtype == np.float64
    assert_same(found, er.dominant_eigenpair(matrix))


def test_bad_input():
    matrix = surrounded(rotation(0.5))
    other = tracked(surrounded(rotation(0.5), size=SIZE + 9), None)
    errors = er.errors
    with pytest.raises(errors.ShapeError, match=r"start has shape \(49, 16\); expected \(40, 16\)"):
        tracked(matrix, other)
    with pytest.raises(errors.ShapeError, match="start has shape"):
        tracked(matrix, np.ones((SIZE, 3)))
    with pytest.raises(errors.DtypeError, match="start"):
        tracked(matrix, np.ones((SIZE, 16), int))
    with pytest.raises(errors.NotFiniteError, match="start"):
        tracked(matrix, np.full((SIZE, 16), np.nan))
    with pytest.raises(errors.OptionError, match="without a basis"):
        tracked(matrix, er.dominant_eigenpair(matrix))
    with pytest.raises(errors.OptionError, match="method 'dense'"):
        er.dominant_eigenpair(matrix, start=other)
    with pytest.raises(errors.OptionError, match=r"method.*'krylov'.*'dense', 'tracked'"):
        er.dominant_eigenpair(matrix, method="krylov")
