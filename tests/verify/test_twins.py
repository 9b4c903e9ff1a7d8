"""Exact derivatives of NumPy functions: right for every rule there is, refused where a tangent could get lost."""

import warnings

import numpy as np
import pytest
import scipy.special

from enrnn_ref.verify import Verdict, check_gradient, differences
from enrnn_ref.verify.problem import from_callables
from enrnn_ref.verify.twins.dual import FUNCTIONS, UFUNCS

RNG = np.random.default_rng(11)
V = RNG.uniform(0.2, 0.8, 5) * RNG.choice([-1, 1], 5)
P = RNG.uniform(0.2, 0.8, 5)
M = RNG.uniform(-1, 1, (3, 4))
S = RNG.uniform(-1, 1, (4, 4)) + 2 * np.eye(4)
Z = RNG.uniform(-1, 1, (3, 2)) + 1j * RNG.uniform(-1, 1, (3, 2))
T3 = RNG.uniform(-1, 1, (2, 3, 4))
B = RNG.uniform(-1, 1, (4, 3))


def on_two(name):
    return lambda x: getattr(np, name)(x[:2], x[2:4] * 1.5)


def buffered(x):
    """As people write it: a buffer made beforehand, filled step by step, and a list."""
    h = np.zeros((4, 3))
    seen = []
    for t in range(3):
        h[t + 1] = np.tanh(0.5 * h[t] + x[t, :3])
        seen.append(h[t + 1] ** 2)
    total = np.full((3,), 0.25)
    total += np.array(seen).sum(axis=0)
    out = np.empty_like(total)
    out[:] = total * np.asarray(seen)[1]
    return out


def in_place(x):
    y = x * 2
    y += x**2
    y *= x
    y[0] -= 1.0
    np.add(y, x, out=y)
    z = np.ones(x.shape)
    z[1:] = y[1:]
    z.fill(0.5)
    return y * z


CASES = {
    **{
        name: (getattr(np, name), V)
        for name in [
            "positive",
            "negative",
            "square",
            "reciprocal",
            "exp",
            "exp2",
            "expm1",
            "log1p",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
            "arcsin",
            "arccos",
            "arctan",
            "arcsinh",
            "arctanh",
            "absolute",
            "fabs",
            "sign",
            "floor",
            "ceil",
            "trunc",
            "rint",
            "cbrt",
        ]
    },
    **{name: (getattr(np, name), P) for name in ["sqrt", "log", "log2", "log10"]},
    "arccosh": (np.arccosh, P + 1),
    "expit": (scipy.special.expit, V),
    "log_expit": (scipy.special.log_expit, V),
    "conjugate": (np.conjugate, Z),
    **{
        name: (on_two(name), V)
        for name in [
            "add",
            "subtract",
            "multiply",
            "divide",
            "hypot",
            "arctan2",
            "logaddexp",
            "maximum",
            "minimum",
            "fmax",
            "fmin",
        ]
    },
    "power": (lambda x: x**3 + x**2.5 + 2.0**x + x**x + x**0, P),
    "float_power": (lambda x: np.float_power(x, 1.7), P),
    "comparisons": (
        lambda x: np.where(x > 0, x, 0.1 * x) * (x != 3) + (x >= 0) * x - (x < 0) * x**2 * (x <= 2) + (x == 9),
        V,
    ),
    "tests": (
        lambda x: x * np.isfinite(x) + x * ~np.isnan(x) + np.isinf(x) * x + np.signbit(x) * x + np.logical_not(x) * x,
        V,
    ),
    "matmul": (lambda x: x @ B @ x @ x[0], M),
    "vecdot": (lambda x: np.vecdot(x, x[::-1]), M),
    "complex": (lambda z: np.abs(z) + (z * z).real - np.exp(z).imag + np.abs(np.sqrt(z) / z) + np.sign(z).real, Z),
    "reductions": (
        lambda x: (
            np.add.reduce(x)
            + x.sum()
            + x.mean(0)
            + x.max() * x.min(axis=0)
            + np.maximum.reduce(x[0])
            - np.minimum.reduce(x[1])
        ),
        M,
    ),
    "max": (lambda x: np.max(x, axis=1, keepdims=True) + np.amax(x) + np.max(x, keepdims=True), M),
    "min": (lambda x: np.min(x, axis=1, keepdims=True) * np.amin(x), M),
    "moments": (lambda x: np.var(x, axis=0) + np.std(x) + x.std(axis=0, ddof=1) + x.var(axis=0, keepdims=True)[0], M),
    "prod": (lambda x: np.prod(x, axis=1) * x.prod() + np.prod(x, axis=1, keepdims=True)[:, 0], M),
    "shapes": (
        lambda x: (
            np.concatenate(
                [
                    np.reshape(x, -1),
                    x.T.ravel(),
                    np.moveaxis(x, 0, 1).flatten(),
                    np.swapaxes(x, 0, 1).reshape(12),
                    np.expand_dims(x, 0).squeeze().copy().ravel(),
                    np.rollaxis(x, 1).ravel(),
                    x.transpose(1, 0).ravel(),
                    np.transpose(x).ravel(),
                ]
            )
            ** 2
        ),
        M,
    ),
    "joins": (
        lambda x: (
            np.vstack([x, 1 + x]).sum()
            + np.hstack([x, x**2]).sum()
            + np.dstack([x, x]).sum()
            + np.stack([x, 2 * M]).sum(0)
            + np.column_stack([x[:, 0], x[:, 1]]).prod()
            + np.block([[x], [x * x]]).sum()
        ),
        M,
    ),
    "pieces": (
        lambda x: (
            sum(p.sum() ** 2 for p in np.split(x, 2, axis=1))
            + np.array_split(x, 2)[0].sum() ** 2
            + np.hsplit(x, 2)[1].sum() ** 3
            + np.vsplit(x, 3)[2].sum() ** 2
        ),
        M,
    ),
    "moves": (
        lambda x: (
            np.flip(x) * np.roll(x, 1) * np.rot90(x, 2)
            + np.flipud(x) * np.fliplr(x)
            + np.tile(x[:1], (3, 1)) * np.repeat(x[:1], 3, axis=0)
            + np.broadcast_to(x[0], (3, 4)) * x.repeat(3, 0)[:3]
        ),
        M,
    ),
    "choices": (
        lambda x: (
            np.take(x, [2, 0]) @ np.delete(x, 0, axis=0)[:2]
            + np.take_along_axis(x, np.argsort(x, axis=1), 1)[0] * x[x > 0.1].sum()
            + x[[0, 2], [1, 3]].sum()
            + x[..., None][0, :, 0]
            + x[np.argmax(x[:, 0])] * x[np.argmin(x[:, 1])] * x.take(3)
        ),
        M,
    ),
    "triangles": (
        lambda x: np.triu(x, 1) @ np.tril(x) + np.diag(np.diag(x)) * np.trace(x) + x.diagonal() * np.outer(x[0], x[1]),
        S,
    ),
    "sums": (lambda x: np.cumsum(x, axis=0) * x.cumsum(1), M),
    "differences": (lambda x: np.diff(x, axis=1) ** 2, M),
    "products": (lambda x: np.dot(x, S) * np.inner(x, x)[0, 0] + np.tensordot(x, x, 2), M),
    "more products": (
        lambda x: (
            np.kron(x, x)[0] * np.vdot(x, x) + np.convolve(x, [1.0, 2.0, 0.5])[:5].repeat(5) + np.cross(x[:3], x[2:])[0]
        ),
        V,
    ),
    "einsum": (lambda x: np.einsum("tbi,ji,tbk->jk", x, B.T, x, optimize=True) + np.einsum("tbi->", x) ** 2, T3),
    "multi_dot": (lambda x: np.linalg.multi_dot([x, S, x.T]), M),
    "clip": (lambda x: np.clip(x, -0.3, 0.4) ** 2 + x.clip(min=0.1) + x.clip(max=0.2), V),
    "where": (lambda x: np.where(np.abs(x) > 0.5, x**2, [0.1]) + np.where(x > 0)[0].sum(), V),
    "likes": (lambda x: np.zeros_like(x) + np.ones_like(x) * x + np.full_like(x, 2.0) * x**2, V),
    "plain": (
        lambda x: (
            x
            * (
                np.shape(x)[0]
                + np.ndim(x)
                + np.size(x)
                + np.count_nonzero(x)
                + np.isclose(x, 3).sum()
                + len(x)
                + x.shape[0]
                + np.any(x)
                + np.all(x)
                + np.array_equal(x, x)
                + np.allclose(x, x)
                + np.isrealobj(x)
                + np.iscomplexobj(x)
                + len(np.nonzero(x))
            )
        ),
        V,
    ),
    "atleast": (lambda x: np.atleast_1d(x[0]) * np.atleast_2d(x).sum() * np.atleast_3d(x).sum(), V),
    "parts": (lambda z: np.real(z) * np.imag(z) + np.conj(z).imag, Z),
    "norm": (
        lambda x: np.linalg.norm(x) + np.linalg.norm(x, axis=1) + np.linalg.norm(x, "fro") + np.linalg.norm(x[0], 2),
        M,
    ),
    "solve": (lambda x: np.linalg.solve(x, x.T) + np.linalg.inv(x) * np.linalg.det(x), S),
    "solve a constant": (lambda x: np.linalg.solve(np.eye(4) + S @ S.T, x), S),
    "eigvals": (lambda x: np.abs(np.linalg.eigvals(x)).max() * x, S),
    "eigvalsh": (lambda x: np.linalg.eigvalsh(x + x.T), S),
    "matrix_power": (
        lambda x: np.linalg.matrix_power(x, 3) + np.linalg.matrix_power(x, -1) + np.linalg.matrix_power(x, 0),
        S,
    ),
    "buffers": (buffered, M),
    "in place": (in_place, M),
    "float cast": (
        lambda x: (
            x.astype(np.float64) * x.astype(float, copy=False)
            + np.ascontiguousarray(x.T).T
            + np.array(x) * np.copy(x) * x.real
            - x.imag
        ),
        M,
    ),
    "complex cast": (lambda x: np.abs(np.exp(1j * x) + x.astype(complex)), M),
}


@pytest.mark.parametrize("name", CASES)
def test_every_rule_agrees_with_differences(name):
    function, at = CASES[name]
    problem = from_callables(function, lambda a, u: a, (at,), None)
    direction = {"0": np.random.default_rng(5).uniform(-1, 1, problem.arrays["0"].shape)}
    base = problem.function(problem.arrays)
    eye = np.eye(len(base))
    line = lambda h: problem.function({"0": problem.arrays["0"] + h * direction["0"]})  # noqa: E731
    slope = differences.slope(line, base, eye, np.zeros((1, len(base))), 0.05, 0.0)
    dual = problem.twins[1]
    value, derivative = dual.derivative(problem.arrays, direction)
    np.testing.assert_allclose(value, base, rtol=1e-14, atol=1e-15)
    assert np.all(np.abs(derivative - slope.value) <= 1e-7 * (1 + np.abs(slope.value)))
    assert np.all(slope.error <= 1e-8 * (1 + np.abs(slope.value)))
    value, extended = problem.twins[0].derivative(problem.arrays, direction)
    np.testing.assert_allclose(extended, derivative, rtol=1e-11, atol=1e-13)


def test_every_rule_has_a_case():
    """Rules are found by their use in the cases above, with the tables wrapped to count."""
    used = set()

    def counted(table):
        return {
            key: (lambda *a, _key=key, _rule=rule, **o: (used.add(_key), _rule(*a, **o))[1])
            for key, rule in table.items()
        }

    with pytest.MonkeyPatch.context() as patch:
        for table in (UFUNCS, FUNCTIONS):
            for key, rule in counted(table).items():
                patch.setitem(table, key, rule)
        for function, at in CASES.values():
            problem = from_callables(function, lambda a, u: a, (at,), None)
            problem.twins[1].derivative(problem.arrays, problem.arrays)
    unused = {getattr(key, "__name__", key) for key in {*UFUNCS, *FUNCTIONS} - used}
    assert unused <= {"may_share_memory", "shares_memory", "triu_indices_from", "tril_indices_from"}, unused


PLAIN = np.zeros(5)


def into_plain(x):
    y = PLAIN.copy()
    y[...] = x
    return y


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.array([float(v) for v in x]),
        lambda x: np.array(memoryview(np.asarray(x))),
        lambda x: x.astype(np.float32).astype(np.float64),
        lambda x: np.fft.fft(x).real,
        into_plain,
        lambda x: np.array([v.item() for v in x]),
        np.sort,
    ],
)
def test_where_a_tangent_would_get_lost_there_is_no_dual_derivative(function):
    problem = from_callables(function, lambda a, u: a, (V,), None)
    for dual in problem.twins[:2]:
        with pytest.raises(TypeError):
            dual.derivative(problem.arrays, problem.arrays)


def contracting(x, R, steps):
    """A tanh network whose start has an effect of about 1e-30 on its end."""
    h = np.zeros((steps + 1, 4))
    for t in range(steps):
        h[t + 1] = np.tanh(R @ h[t] + x[t])
    return h[steps]


def contracting_pullback(arguments, u, steps):
    x, R = arguments
    h = np.zeros((steps + 1, 4))
    for t in range(steps):
        h[t + 1] = np.tanh(R @ h[t] + x[t])
    dx, dR, dh = np.zeros_like(x), np.zeros_like(R), u.copy()
    for t in reversed(range(steps)):
        dx[t] = dh * (1 - h[t + 1] ** 2)
        dR += np.outer(dx[t], h[t])
        dh = R.T @ dx[t]
    return dx, dR


STEPS = 60
AT = (np.random.default_rng(1).uniform(-0.3, 0.3, (STEPS, 4)), 0.35 * np.linalg.qr(RNG.standard_normal((4, 4)))[0])


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda dx: dx, Verdict.PASSED),
        (lambda dx: np.where(np.arange(STEPS)[:, None] < 30, 0.0, dx), Verdict.WRONG),
        (lambda dx: np.where(np.arange(STEPS)[:, None] == 3, dx * (1 + 1e-6), dx), Verdict.WRONG),
        (lambda dx: np.where(np.arange(STEPS)[:, None] == 3, -dx, dx), Verdict.WRONG),
    ],
)
def test_a_vanished_gradient_is_judged_by_its_own_scale(change, verdict):
    def pullback(arguments, u):
        dx, dR = contracting_pullback(arguments, u, STEPS)
        assert np.abs(dx[3]).max() < 1e-25
        return change(dx), dR

    report = check_gradient(lambda x, R: contracting(x, R, STEPS), pullback, AT, time_axes={"0": 0}, directions=1)
    assert report["0"].verdict is verdict, report
    assert report["1"].verdict is Verdict.PASSED
    if verdict is Verdict.WRONG:
        assert report["0"].worst[0].step < 30


def test_the_complex_step_is_used_where_dual_numbers_cannot():
    """As through compiled code: complex arrays are taken, dual ones are not."""

    def closed(x):
        return np.tanh(np.array(memoryview(x)))

    assert (
        check_gradient(closed, lambda a, u: (u / np.cosh(a[0]) ** 2,), (V,)).settings["numeric values"]
        == "the complex step"
    )


def test_a_complex_step_that_loses_the_derivative_is_not_believed():
    def closed(x):
        return np.abs(np.array(memoryview(x)))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = check_gradient(closed, lambda a, u: (u * np.sign(a[0]),), (V,))
    assert report.passed, report
    assert report.settings["numeric values"] == "extrapolated differences"


def test_numpy_is_as_it_was_afterwards():
    before = {name: getattr(np, name) for name in ("zeros", "array", "asarray", "full")}
    check_gradient(buffered, lambda a, u: (a[0],), (M,))
    assert all(getattr(np, name) is function for name, function in before.items())
