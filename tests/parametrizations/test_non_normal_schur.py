"""W = P Θ Pᵀ in real Schur form: eigenvalue moduli, golden numbers, JAX, and what the released mask breaks."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from enrnn_ref.errors import NotFiniteError
from enrnn_ref.linalg.skew import skew_matrix
from enrnn_ref.parametrizations.non_normal_schur import NonNormalSchur
from tests.parametrizations import laws
from tests.strategies import dtypes, normal, normals, relative_error, seeds

jax.config.update("jax_enable_x64", True)

UNIT = float(np.finfo(np.float64).eps)
MASKS = ("strict", "released")

# The printed numbers of the reference mathematics, section 5.2.
RAW = {
    "skew": np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    "angle": np.array([0.3, -1.1]),
    "modulus": np.array([1.0, 0.9]),
    "lower": np.array([0.2, -0.1, 0.05, 0.3]),
}
G = np.arange(1.0, 17.0).reshape(4, 4)
W = np.array(
    [
        [0.9198473066164048, -0.2750515968895974, -0.20093610420253666, 0.19052089897634272],
        [0.18530896818374945, 0.881892105052241, -0.6067330777804985, 0.12884679916574496],
        [0.07566706131351023, 0.14090791374286066, 0.5102955278055227, 0.6725163774491668],
        [-0.5003985078193862, -0.20159023887092564, -0.6046813770456934, 0.4151110573430824],
    ]
)
GRADIENTS = {
    "skew": np.array(
        [
            2.3113064200508413,
            -6.030589273464123,
            4.578316009100869,
            -6.757447027073024,
            -4.524011601177133,
            -3.025441905755944,
        ]
    ),
    "angle": np.array([-0.6893345246016772, 30.790950869549036]),
    "modulus": np.array([-1.9603469959110877, 11.41752076949038]),
    "lower": np.array([-0.648136374294663, -0.4549306645783525, 2.6002518648897412, -2.7103267492804033]),
}


def oracle(raw, n, mask):
    """W from the equations; nothing of the package."""
    A = jnp.zeros((n, n)).at[np.triu_indices(n, 1)].set(raw["skew"])
    P = jax.scipy.linalg.expm(A - A.T)
    T, free = jnp.zeros((n, n)), [(i, j) for i in range(n) for j in range(i) if mask == "released" or i // 2 > j // 2]
    for k, (i, j) in enumerate(free):
        T = T.at[i, j].set(raw["lower"][k])
    c, s = jnp.cos(raw["angle"]), jnp.sin(raw["angle"])
    blocks = [raw["modulus"][i] * jnp.array([[c[i], -s[i]], [s[i], c[i]]]) for i in range(n // 2)]
    return P @ (jax.scipy.linalg.block_diag(*blocks) + T) @ P.T


@partial(jax.jit, static_argnums=(3, 4))
def differentiated_oracle(raw, draw, G, n, mask):
    """W, its derivative along ``draw``, and the gradients of <W, G>."""
    W, tangent = jax.jvp(lambda raw: oracle(raw, n, mask), (raw,), (draw,))
    return W, tangent, jax.grad(lambda raw: jnp.sum(G * oracle(raw, n, mask)))(raw)


def rounding(raw, n):
    """How well W is known in float64: A to n u |A|, and products of norm |Θ|, which is at most this."""
    size = 1 + np.abs(raw["modulus"]).max() + np.linalg.norm(raw["lower"])
    return 16 * n * UNIT * size * (1 + np.linalg.norm(raw["skew"]))


@st.composite
def points(draw, dtypes=dtypes, masks=MASKS):
    """Any mask and size, and arrays of order one (A at times zero or large, moduli of either sign)."""
    rng, size = np.random.default_rng(draw(seeds)), 2 * draw(st.integers(1, 4))
    p, dtype = NonNormalSchur(size, draw(st.sampled_from(masks))), draw(dtypes)
    raw = normals(rng, p.shapes, dtype)
    raw["skew"] = normal(rng, p.shapes["skew"], dtype, draw(st.sampled_from((0.0, 0.3, 1.0, 10.0))))
    raw["lower"] *= dtype(draw(st.sampled_from((0.0, 0.3, 1.0))))
    return p, raw, rng


@pytest.mark.parametrize("key", ["matrix", *RAW])
def test_golden_numbers(key):
    p = NonNormalSchur(4)
    value = p.evaluate(RAW)
    found, expected = (value.matrix, W) if key == "matrix" else (p.pullback(value, G)[key], GRADIENTS[key])
    # Printed to the last digit but one, of gradients summed from sixteen numbers of G.
    np.testing.assert_allclose(found, expected, rtol=0, atol=16 * 4 * UNIT * (1 if key == "matrix" else 16))


def test_golden_moduli():
    moduli = np.sort(np.abs(np.linalg.eigvals(NonNormalSchur(4).evaluate(RAW).matrix)))
    np.testing.assert_allclose(moduli, [0.9, 0.9, 1, 1], rtol=64 * 4 * UNIT)


@settings(max_examples=60)
@given(point=points())
def test_pullback_is_the_adjoint_of_the_tangent(point):
    p, raw, rng = point
    laws.assert_pullback_is_adjoint_of_tangent(p, raw, rng, 1 + np.linalg.norm(raw["skew"]))


@settings(max_examples=40)
@given(point=points(dtypes=st.just(np.float64)))
def test_tangent_is_the_limit_of_differences(point):
    p, raw, rng = point
    laws.assert_tangent_is_the_limit_of_differences(p, raw, rng, 1 + np.linalg.norm(raw["skew"]))


@given(point=points(dtypes=st.just(np.float64)))
def test_missing_directions_count_as_zero(point):
    p, raw, rng = point
    laws.assert_missing_directions_count_as_zero(p, raw, rng)


@given(point=points())
def test_nothing_is_modified(point):
    p, raw, rng = point
    laws.assert_nothing_is_modified(p, raw, rng)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("angles", ["henaff", "cayley"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("size", [0, 2, 6])
def test_initialisation(size, mask, angles, dtype):
    laws.assert_initialisation_is_declared(NonNormalSchur(size, mask, angles=angles), dtype)


@pytest.mark.parametrize(("n", "mask"), [(6, "strict"), (4, "released")])
def test_agrees_with_automatic_differentiation(n, mask):
    """[NS-1], [NS-2], [NS-4] to [NS-7]: the matrix, the tangent, and the gradient of every free number."""
    p, rng = NonNormalSchur(n, mask), np.random.default_rng(n)
    for scale in (0.1, 1.0, 3.0):
        raw, draw = (normals(rng, p.shapes, np.float64, size) for size in (scale, 1.0))
        value, G = p.evaluate(raw), normal(rng, p.shape, np.float64)
        matrix, tangent, gradients = differentiated_oracle(raw, draw, G, n, mask)
        bound = rounding(raw, n)
        assert np.abs(value.matrix - matrix).max() <= bound
        along = sum(np.linalg.norm(array) for array in draw.values())
        assert np.abs(p.tangent(value, draw) - tangent).max() <= bound * along
        for key, gradient in p.pullback(value, G).items():
            assert gradients[key].shape == gradient.shape
            assert np.abs(gradient - gradients[key]).max(initial=0.0) <= bound * np.linalg.norm(G), key


@given(point=points(masks=("strict",)))
def test_the_violation_is_a_rounding_error(point):
    """[NS-13]: relative to the norm of W it is n units in the last place, at any condition of the eigenvalues."""
    p, raw, _ = point
    value = p.evaluate(raw)
    assert p.violation(value) <= 16 * p.shape[0] * np.finfo(value.matrix.dtype).eps


def moduli_and_bound(p, raw):
    """Sorted moduli of the eigenvalues of W, and how well they are known."""
    matrix = p.evaluate(raw).matrix
    eigenvalues, left, right = scipy.linalg.eig(matrix, left=True, right=True)
    condition = 1 / np.abs(np.sum(left.conj() * right, axis=0))  # of unit vectors
    return np.sort(np.abs(eigenvalues)), 16 * len(matrix) * UNIT * condition.max() * np.linalg.norm(matrix, 2)


@settings(max_examples=60)
@given(size=st.integers(1, 5), scale=st.sampled_from((0.0, 0.3, 1.0)), seed=seeds)
def test_strict_mask_keeps_the_moduli(size, scale, seed):
    """[NS-3]: |eig W| = |γ| whatever T is, within first-order perturbation theory [NS-13]."""
    p, rng = NonNormalSchur(2 * size), np.random.default_rng(seed)
    raw = normals(rng, p.shapes, np.float64)
    raw["lower"] *= scale
    moduli, bound = moduli_and_bound(p, raw)
    assert np.abs(moduli - np.sort(np.repeat(np.abs(raw["modulus"]), 2))).max() <= bound


def test_eigenvalues_are_those_of_the_blocks():
    """[NS-3], with the angles: γ exp(±iθ)."""
    p, rng = NonNormalSchur(8), np.random.default_rng(1)
    raw = normals(rng, p.shapes, np.float64, 0.5)
    _, bound = moduli_and_bound(p, raw)
    eigenvalues = np.linalg.eigvals(p.evaluate(raw).matrix)
    for value in raw["modulus"] * np.exp(1j * raw["angle"]):
        assert np.abs(eigenvalues - value).min() <= bound


@pytest.mark.parametrize("seed", range(3))
def test_released_mask_does_not_keep_them(seed):
    """[NS-10]: unit γ and T of size 0.3; the moduli leave one by more than a percent, and are those of the blocks."""
    p, rng = NonNormalSchur(8, "released"), np.random.default_rng(seed)
    raw = p.init(rng)
    raw["skew"] = rng.standard_normal(p.shapes["skew"])
    raw["lower"] = 0.3 * rng.standard_normal(p.shapes["lower"])
    moduli, bound = moduli_and_bound(p, raw)
    assert np.abs(moduli - 1).max() > 0.01

    T = np.zeros((8, 8))
    T[np.tril_indices(8, -1)] = raw["lower"]
    s, t = np.sin(raw["angle"]), np.diag(T, -1)[::2]
    assert (s * (s + t) > 0).all()  # no block has real eigenvalues at these seeds
    np.testing.assert_allclose(moduli, np.sort(np.repeat(np.sqrt(1 + t * s), 2)), rtol=0, atol=bound)

    T[np.arange(1, 8, 2), np.arange(0, 8, 2)] = 0.0
    rows, columns = np.tril_indices(8, -1)
    strict = NonNormalSchur(8)
    moduli, bound = moduli_and_bound(strict, raw | {"lower": T[rows, columns][rows // 2 != columns // 2]})
    assert np.abs(moduli - 1).max() <= bound


def test_the_masks_differ_in_the_entry_inside_each_block():
    """Layout of ``lower``: row by row; the released one has n/2 entries more, at (2i+1, 2i)."""
    strict, released = (NonNormalSchur(6, mask) for mask in MASKS)
    assert strict.shapes["lower"] == (12,)
    assert released.shapes["lower"] == (15,)
    zero = {key: np.zeros(shape) for key, shape in released.shapes.items()}
    at = np.tril_indices(6, -1)
    for k in range(15):
        matrix = released.evaluate(zero | {"lower": np.eye(15)[k]}).matrix
        expected = np.zeros((6, 6))
        expected[at[0][k], at[1][k]] = 1
        np.testing.assert_array_equal(matrix, expected)
    outside = [k for k in range(15) if at[0][k] // 2 != at[1][k] // 2]
    for k, j in enumerate(outside):
        matrix = strict.evaluate(zero | {"lower": np.eye(12)[k]}).matrix
        np.testing.assert_array_equal(matrix, released.evaluate(zero | {"lower": np.eye(15)[j]}).matrix)


@given(size=st.integers(1, 5), seed=seeds)
def test_without_a_lower_part_and_with_unit_moduli_it_is_orthogonal(size, seed):
    """W = P blockdiag(R(θ)) Pᵀ."""
    p, rng = NonNormalSchur(2 * size), np.random.default_rng(seed)
    raw = p.init(rng)
    raw["skew"] = rng.standard_normal(p.shapes["skew"])
    matrix = p.evaluate(raw).matrix
    assert np.abs(matrix.T @ matrix - np.eye(2 * size)).max() <= 16 * 2 * size * UNIT
    P = scipy.linalg.expm(skew_matrix(raw["skew"], 2 * size))
    blocks = scipy.linalg.block_diag(*([[np.cos(x), -np.sin(x)], [np.sin(x), np.cos(x)]] for x in raw["angle"]))
    assert np.abs(matrix - P @ blocks @ P.T).max() <= rounding(raw, 2 * size)


def test_departure_from_normality():
    """[NS-11]: ‖T‖² is what ‖W‖² has beyond the squares of the moduli."""
    p, rng = NonNormalSchur(6), np.random.default_rng(2)
    raw = normals(rng, p.shapes, np.float64)
    departure = np.sum(p.evaluate(raw).matrix ** 2) - 2 * np.sum(raw["modulus"] ** 2)
    np.testing.assert_allclose(departure, np.sum(raw["lower"] ** 2), rtol=64 * 6 * UNIT)


@pytest.mark.parametrize(("mask", "missing"), [("strict", 6), ("released", 0)])
def test_how_many_matrices_are_reached(mask, missing):
    """[NS-12]: of the n² − n/2 free numbers of the strict mask n/2 are idle; the released one reaches all matrices."""
    n, rng = 6, np.random.default_rng(3)
    p = NonNormalSchur(n, mask)
    value = p.evaluate(normals(rng, p.shapes, np.float64))
    columns = [p.tangent(value, {key: e}).ravel() for key, shape in p.shapes.items() for e in np.eye(*shape)]
    assert len(columns) == n * n - missing / 2
    assert np.linalg.matrix_rank(np.array(columns), 1e-10) == n * n - missing


def test_released_row_layout():
    """h M in rows with M = P (UppT + D') Pᵀ: M is Wᵀ, UppT = Tᵀ, and the angles of D' are −θ."""
    p, rng = NonNormalSchur(6, "released"), np.random.default_rng(4)
    raw = normals(rng, p.shapes, np.float64)
    upper = np.zeros((6, 6))
    upper.T[np.tril_indices(6, -1)] = raw["lower"]
    c, s = np.cos(-raw["angle"]), np.sin(-raw["angle"])
    D = scipy.linalg.block_diag(
        *(g * np.array([[c, -s], [s, c]]) for g, c, s in zip(raw["modulus"], c, s, strict=True))
    )
    P = scipy.linalg.expm(skew_matrix(raw["skew"], 6))
    assert np.abs(p.evaluate(raw).matrix - (P @ (upper + D) @ P.T).T).max() <= rounding(raw, 6)


def test_initial_law():
    """Angles uniform on the circle, moduli one, nothing below; A is block diagonal, and then without effect on W."""
    p = NonNormalSchur(402)
    raw = p.init(np.random.default_rng(0))
    assert (raw["modulus"] == 1).all()
    assert not raw["lower"].any()
    angle = raw["angle"]
    assert ((angle >= 0) & (angle < 2 * np.pi)).all()
    for k in (1, 2):  # mean of e^{ikt} over 201 uniform angles: standard deviation 1/sqrt(201)
        assert abs(np.exp(1j * k * angle).mean()) < 4 / np.sqrt(201)
    skew = skew_matrix(raw["skew"], 402)
    assert np.count_nonzero(skew) == 402
    assert np.abs(skew).max() > 3
    blocks = np.diag(p.evaluate(raw).matrix, -1)[::2]
    np.testing.assert_allclose(blocks, np.sin(angle), rtol=0, atol=64 * UNIT)
    small = NonNormalSchur(402, angles="cayley").init(np.random.default_rng(0))["skew"]
    assert 0.9 < np.abs(small).max() <= 1


class TestTheViolation:
    """It notices what it is for."""

    RAW = RAW | {"modulus": np.array([1.0, 1.0])}

    def test_scaled_moduli(self):
        p = NonNormalSchur(4)
        value = p.evaluate(self.RAW)
        value = replace(value, matrix=1.1 * value.matrix)
        assert np.isclose(p.violation(value), 0.1 / np.linalg.norm(value.matrix, 2), rtol=1e-12)

    @pytest.mark.parametrize("mask", MASKS)
    def test_an_entry_above_the_blocks(self, mask):
        p = NonNormalSchur(4, mask)
        value = p.evaluate(self.RAW | {"lower": normal(np.random.default_rng(0), p.shapes["lower"], np.float64)})
        P, leak = value.exponential.matrix, np.zeros((4, 4))
        leak[1, 2] = 1e-3
        value = replace(value, matrix=value.matrix + P @ leak @ P.T)
        assert np.isclose(p.violation(value), 1e-3 / np.linalg.norm(value.matrix, 2), rtol=1e-10)

    def test_a_basis_that_is_not_orthogonal(self):
        """Scaled: the blocks above the diagonal still vanish, and the released mask looks at no modulus."""
        p = NonNormalSchur(4, "released")
        value = p.evaluate(self.RAW | {"lower": np.zeros(6)})
        value.exponential.matrix[...] *= 1.1
        assert np.isclose(p.violation(value), 0.21, rtol=1e-12)

    def test_the_leak_inside_a_block(self):
        """A value of the released map under the strict promise."""
        strict, released = NonNormalSchur(4), NonNormalSchur(4, "released")
        lower = np.array([0.2, *RAW["lower"], 0.1])
        leaking = released.evaluate(self.RAW | {"lower": lower})
        assert released.violation(leaking) <= 16 * 4 * UNIT
        value = replace(strict.evaluate(self.RAW), matrix=leaking.matrix)
        assert strict.violation(value) > 0.01

    def test_ill_conditioned_eigenvalues_are_no_violation(self):
        """Two coupled blocks with one eigenvalue pair: computed moduli are off by far more than rounding."""
        p = NonNormalSchur(4)
        raw = self.RAW | {"angle": np.array([1.0, 1.0])}
        matrix = p.evaluate(raw).matrix
        assert np.abs(np.abs(np.linalg.eigvals(matrix)) - 1).max() > 1e-10
        assert p.violation(p.evaluate(raw)) <= 16 * 4 * UNIT


@pytest.mark.parametrize("mask", MASKS)
@given(delta=st.sampled_from((0.0, 0.15, 10.0)), decay=st.sampled_from((0.0, 1e-4, 2.0)), dtype=dtypes, seed=seeds)
def test_penalty(mask, delta, decay, dtype, seed):
    """[NS-8] and [NS-9]: it is quadratic, so a central difference of any width is its derivative exactly."""
    p, rng = NonNormalSchur(6, mask, modulus_penalty=delta, lower_decay=decay), np.random.default_rng(seed)
    raw, along = normals(rng, p.shapes, dtype), normals(rng, p.shapes, dtype)
    value, gradients = p.penalty(raw)
    exact = delta * np.sum((raw["modulus"].astype(float) - 1) ** 2) + decay / 2 * np.sum(
        raw["lower"].astype(float) ** 2
    )
    assert isinstance(value, float)
    assert np.isclose(value, exact, rtol=32 * UNIT, atol=0)
    wide = {key: array.astype(np.float64) for key, array in raw.items()}
    ahead, behind = (p.penalty({key: wide[key] + s * along[key] for key in raw})[0] for s in (2.0, -2.0))
    products = [along[key].astype(np.float64) * gradients[key] for key in raw]
    size = sum(np.abs(product).sum() for product in products)
    bound = 16 * np.finfo(dtype).eps * size + 32 * UNIT * (ahead + behind)
    assert abs((ahead - behind) / 4 - sum(product.sum() for product in products)) <= bound
    for key, gradient in gradients.items():
        assert gradient.shape == raw[key].shape
        assert gradient.dtype == dtype
    assert not gradients["skew"].any()
    assert not gradients["angle"].any()


def test_penalty_without_weights_is_zero_at_any_size():
    p = NonNormalSchur(4)
    value, gradients = p.penalty(RAW | {"lower": np.full(4, 1e300)})
    assert value == 0.0
    assert not any(gradient.any() for gradient in gradients.values())


def test_single_precision_is_double_precision_rounded():
    p, rng = NonNormalSchur(6), np.random.default_rng(5)
    raw, G = normals(rng, p.shapes, np.float32), normal(rng, (6, 6), np.float32)
    narrow, wide = p.evaluate(raw), p.evaluate({key: array.astype(np.float64) for key, array in raw.items()})
    np.testing.assert_array_equal(narrow.matrix, wide.matrix.astype(np.float32))
    gradients = p.pullback(wide, G.astype(np.float64))
    for key, gradient in p.pullback(narrow, G).items():
        np.testing.assert_array_equal(gradient, gradients[key].astype(np.float32))


def test_keeps_the_moduli_over_many_steps():
    """W is rebuilt from A, θ, γ and T, so rounding does not pile up."""
    p, rng = NonNormalSchur(6), np.random.default_rng(6)
    raw = p.init(rng)
    for _ in range(5_000):
        raw = {key: array + 0.02 * rng.standard_normal(array.shape) for key, array in raw.items()}
    assert p.violation(p.evaluate(raw)) <= 16 * 6 * UNIT


def test_no_moduli_at_all():
    """γ = 0: W is nilpotent, and no angle has any effect."""
    p, rng = NonNormalSchur(4), np.random.default_rng(7)
    raw = normals(rng, p.shapes, np.float64) | {"modulus": np.zeros(2)}
    value = p.evaluate(raw)
    assert relative_error(1 + value.matrix @ value.matrix, np.ones((4, 4))) <= rounding(raw, 4)
    assert not p.pullback(value, G)["angle"].any()
    nothing = p.evaluate({key: np.zeros(shape) for key, shape in p.shapes.items()})
    assert p.violation(nothing) == 0.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 5}, ["size is 5", "even"]),
        ({"size": 1}, ["size is 1", "even"]),
        ({"size": -2}, ["size", "-2"]),
        ({"size": 4.0}, ["size", "4.0"]),
        ({"size": 4, "mask": "lower"}, ["mask", "lower", "strict", "released"]),
        ({"size": 4, "angles": "uniform"}, ["angles", "uniform", "henaff"]),
        ({"size": 4, "modulus_penalty": -1.0}, ["modulus_penalty", "-1"]),
        ({"size": 4, "lower_decay": float("nan")}, ["lower_decay", "nan"]),
    ],
)
def test_bad_settings(options, words):
    laws.assert_refuses(lambda: NonNormalSchur(**options), *words)


@pytest.mark.parametrize(("dtype", "large"), [(np.float64, 1.7e308), (np.float32, 3.4e38)])
def test_entries_whose_matrix_overflows_are_named(dtype, large):
    p, rng = NonNormalSchur(6), np.random.default_rng(8)
    raw = normals(rng, p.shapes, dtype) | {"lower": np.full(p.shapes["lower"], large, dtype)}
    with pytest.raises(NotFiniteError, match=r"modulus and lower have entries up to .*; expected smaller ones"):
        p.evaluate(raw)
