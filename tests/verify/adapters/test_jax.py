"""The JAX adapter: functions beside a reference, custom rules beside JAX's own derivative, planted mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.verify import adapters
from enrnn_ref.verify.adapters.jax_forward import plain
from enrnn_ref.verify.verdicts import Verdict

INPUT, HIDDEN, UNITS = 3, 5, 3
REFERENCE = er.GRU(INPUT, HIDDEN, reset="before")


def gru(params, x, state):
    """Reset before the product."""
    of_gates, of_candidate = (params["recurrent"][part] for part in (slice(2 * HIDDEN), slice(2 * HIDDEN, None)))

    def step(h, x_t):
        drive = x_t @ params["input"].T + params["bias"]
        r, z = jnp.split(jax.nn.sigmoid(drive[:, : 2 * HIDDEN] + h @ of_gates.T), 2, axis=1)
        n = jnp.tanh(drive[:, 2 * HIDDEN :] + (r * h) @ of_candidate.T)
        h = (1 - z) * n + z * h
        return h, h

    last, states = jax.lax.scan(step, state["h"], x)
    return states, {"h": last}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_function_with_a_reference(dtype):
    before = jax.config.jax_enable_x64
    report = adapters.jax(gru, REFERENCE.init(0, dtype), reference=REFERENCE)
    report.require()
    assert {row.name for row in report.rows} == {"y", "final h", *REFERENCE.shapes, "x", "state h"}
    assert report.settings["dtype"] == np.dtype(dtype).name
    assert jax.config.jax_enable_x64 == before, "the process's own setting is left alone"


def test_nested_parameters_under_names_of_their_own():
    params = REFERENCE.init(0)
    nest = {"cell": {"W": params["input"].T, "R": params["recurrent"]}, "b": [params["bias"], 0 * params["bias"]]}

    def nested(nest, x, state, mistake=False):
        bias = nest["b"][0] + jax.lax.stop_gradient(nest["b"][1]) if mistake else sum(nest["b"])
        return gru({"input": nest["cell"]["W"].T, "recurrent": nest["cell"]["R"], "bias": bias}, x, state)

    names = {"cell.W": "input.T", "cell.R": "recurrent", "b.0": "bias", "b.1": "bias"}
    adapters.jax(nested, nest, reference=REFERENCE, names=names).require()
    report = adapters.jax(lambda p, x, s: nested(p, x, s, mistake=True), nest, reference=REFERENCE, names=names)
    assert [row.name for row in report.rows if not row.passed] == ["b.1"]


def test_a_function_without_state_at_a_given_point():
    params = REFERENCE.init(0)
    x = np.random.default_rng(0).standard_normal((4, 2, INPUT))

    def function(params, x):
        return gru(params, x, {"h": jnp.zeros((x.shape[1], HIDDEN), x.dtype)})[0]

    report = adapters.jax(function, params, x, reference=REFERENCE, stateful=False)
    report.require()
    assert {row.name for row in report.rows} == {"y", *REFERENCE.shapes, "x"}
    assert (report.settings["steps"], report.settings["batch"]) == (4, 2)


@pytest.mark.parametrize(
    ("function", "verdict", "detail"),
    [
        (lambda p, x, s: 1 / 0, Verdict.NO_ANSWER, "ZeroDivisionError"),
        (lambda p, x, s: gru(p, x, s)[0].swapaxes(0, 1), Verdict.SHAPE, "batch_first"),
        (lambda p, x, s: (gru(p, x, s)[0], {"h": s["h"][:1]}), Verdict.SHAPE, "final state h"),
    ],
)
def test_what_is_no_answer_is_a_row(function, verdict, detail):
    report = adapters.jax(function, REFERENCE.init(0), reference=REFERENCE)
    assert report["contract"].verdict is verdict
    assert detail in report["contract"].detail


# Without a reference: custom rules.


def recurrence(mistake=""):
    """tanh over the drive (T, n), the last state, with a backward pass written by hand."""

    def run(drive, R, start):
        def step(h, d):
            h = jnp.tanh(d + R @ h)
            return h, h

        return jax.lax.scan(step, start, drive)[1]

    @jax.custom_vjp
    def last(drive, R, start):
        return run(drive, R, start)[-1]

    def forward(drive, R, start):
        states = run(drive, R, start)
        return states[-1], (R, jnp.concatenate([start[None], states]))

    def backward(kept, dy):
        R, states = kept

        def step(dh, pair):
            dz = dh * (1 - pair[1] ** 2)
            return (R if mistake == "transposed" else R.T) @ dz, (dz, jnp.outer(dz, pair[0]))

        dh, (dz, dR) = jax.lax.scan(step, dy, (states[:-1], states[1:]), reverse=True)
        return dz, dR.sum(0), {"zero start": 0.0, "double start": 2.0}.get(mistake, 1.0) * dh

    last.defvjp(forward, backward)
    return last


def point(steps):
    rng = np.random.default_rng(1)
    R = rng.standard_normal((UNITS, UNITS))
    return rng.standard_normal((steps, UNITS)), 0.5 * R / np.abs(np.linalg.eigvals(R)).max(), np.array([0.3, -0.2, 0.4])


@pytest.mark.parametrize("steps", [5, 200])
@pytest.mark.parametrize("mistake", ["", "transposed", "zero start", "double start"])
def test_a_backward_pass_written_by_hand(mistake, steps):
    drive, R, start = point(steps)
    last = jax.jit(recurrence(mistake))

    def function(R, start):
        return last(jnp.asarray(drive), R, start)

    report = adapters.jax(function, R, start)
    wrong = {row.name for row in report.rows if row.group == "gradient" and row.verdict is Verdict.WRONG}
    assert wrong == {"": set(), "transposed": {"R", "start"}}.get(mistake, {"start"}), str(report)
    assert report.passed == (mistake == "")
    assert report.settings["tangent"] == "JAX's own, without custom rules"
    if steps == 200:
        assert abs(report["start"].numeric) < 1e-40


def test_a_forward_pass_outside_jax_is_checked_by_differences_and_says_so():
    def outside(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    def make(factor):
        @jax.custom_vjp
        def function(x):
            return outside(x)

        function.defvjp(lambda x: (outside(x), x), lambda x, g: (factor * g * jnp.cos(x),))
        return function

    x = np.linspace(-1.0, 1.0, 5)
    report = adapters.jax(make(1.0), x)
    report.require()
    assert report.settings["tangent"].startswith("none: JAX cannot differentiate the forward pass")
    assert adapters.jax(make(1.001), x)["x"].verdict is Verdict.WRONG


def test_what_jax_was_not_told_is_found():
    report = adapters.jax(lambda x, w: x * jnp.exp(jax.lax.stop_gradient(w)), np.ones(4), np.full(4, 0.5))
    assert [row.name for row in report.rows if row.group == "gradient" and not row.passed] == ["w"]


def test_custom_rules_are_set_aside_wherever_they_are():
    """Inside jit, scan, cond and while: the derivative of the values, and the values themselves."""

    @jax.custom_vjp
    def square(x):
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda x, g: (7 * g,))

    @jax.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda primals, tangents: (cube(*primals), 9 * tangents[0]))

    def function(x):
        def body(carry, element):
            carry = jax.jit(square)(carry) + jax.lax.stop_gradient(element)
            return carry, cube(carry)

        carry, out = jax.lax.scan(body, x[0], x)
        chosen = jax.lax.cond(x[1] > 0, square, cube, x[2])
        _, repeated = jax.lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, square(s[1])), (0, x[3]))
        return jnp.append(out, jnp.stack([carry, chosen, repeated]))

    x, v = jnp.array([0.3, 0.2, -0.5, 0.9]), jnp.array([1.0, -2.0, 0.5, 0.7])
    for flip in (1.0, -1.0):
        at = x.at[1].multiply(flip)
        run = plain(function, at)
        np.testing.assert_allclose(run(at), function(at), rtol=1e-6)
        found = jax.jvp(run, (at,), (v,))[1]
        h = 1e-2
        difference = (function(at + h * v) - function(at - h * v)) / (2 * h)
        np.testing.assert_allclose(found, difference, rtol=2e-2, atol=2e-2)
        assert np.abs(found).max() < 6, "the custom rules would make it larger"


# Bad arguments.


def test_bad_arguments():
    with pytest.raises(er.errors.OptionError, match="function is a str"):
        adapters.jax("function", {}, reference=REFERENCE)
    with pytest.raises(er.errors.OptionError, match="names go with a reference"):
        adapters.jax(gru, {}, names={})
    with pytest.raises(er.errors.OptionError, match="0 arguments were given"):
        adapters.jax(gru, reference=REFERENCE)
    with pytest.raises(er.errors.ParameterError, match="no float array"):
        adapters.jax(lambda n: n, 3)
    with pytest.raises(er.errors.DtypeError, match="float16"):
        adapters.jax(gru, {"input": np.ones(3, np.float16)}, reference=REFERENCE)
    with pytest.raises(er.errors.ShapeError, match="x has shape"):
        adapters.jax(gru, REFERENCE.init(0), np.ones((4, INPUT)), reference=REFERENCE)
    with pytest.raises(er.errors.OptionError, match="reference is a int"):
        adapters.jax(gru, REFERENCE.init(0), reference=3)


def test_a_missing_library_is_named():
    from enrnn_ref.verify.adapters import dependency

    with pytest.raises(er.errors.DependencyError, match=r"nosuchlibrary is missing; .*enrnn-ref\[peers\]"):
        dependency.load("nosuchlibrary.nn", "peers")
