"""Filters and the cell of form A: twice written, once differentiated, and what each of them is equal to."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from enrnn_ref import backends
from enrnn_ref.backends.base import States, Step, room, settings_of
from enrnn_ref.cells.nesterov_lstm import NesterovLstm
from enrnn_ref.cells.restart import period, schedule, unit_schedule
from enrnn_ref.errors import OptionError
from enrnn_ref.filters import AdaptiveMomentum, Momentum, ScheduledMomentum
from tests.strategies import BACKENDS, seeds

UNIT = float(np.finfo(np.float64).eps)
FILTERS = (
    Momentum(0.6, 0.7),
    AdaptiveMomentum(0.6, 0.7, 0.9),
    AdaptiveMomentum(0.3, -0.7, 1.0),
    AdaptiveMomentum(0.0, 0.4, 0.0),
    ScheduledMomentum(0.7, 3),
    ScheduledMomentum(-0.4, 0),
)
CELLS = (*FILTERS, NesterovLstm(0.7, 3), NesterovLstm(-0.4, 0))
T, B, N = 6, 3, 5


def ids(cell):
    return type(cell).__name__


every_cell = pytest.mark.parametrize("cell", CELLS, ids=ids)
every_filter = pytest.mark.parametrize("cell", FILTERS, ids=ids)


def components(cell):
    return sum(cell.states.values())


def point(cell, rng, dtype=np.float64):
    """Random pre-activations and states; whole counts for a phase, both signs for everything else."""
    z = tuple(rng.standard_normal((cell.gates, B, N)).astype(dtype))
    states = list(rng.standard_normal((components(cell), B, N)).astype(dtype))
    if "phase" in cell.states:
        states[-1] = rng.integers(0, 5, (B, N)).astype(dtype)
    return z, tuple(states)


def by_unit(function, *groups):
    """A scalar function of tuples, unit by unit; its results as arrays (B, N) in the tuples it returns."""
    results = {
        (b, j): function(*(tuple(array[b, j] for array in group) for group in groups))
        for b in range(B)
        for j in range(N)
    }

    def gather(*of):
        array = np.empty((B, N), type(of[0]))
        for (b, j), value in zip(results, of, strict=True):
            array[b, j] = value
        return array

    columns = list(zip(*results.values(), strict=True))
    if isinstance(columns[0][0], tuple):
        return tuple(tuple(gather(*entry) for entry in zip(*column, strict=True)) for column in columns)
    return tuple(gather(*column) for column in columns)


def directions(cell, rng):
    return tuple(rng.standard_normal((cell.gates, B, N))), tuple(rng.standard_normal((components(cell), B, N)))


@every_cell
@given(seed=seeds)
def test_both_versions_agree(cell, seed):
    """Each line of the two is the same formula, a dozen roundings long."""
    rng = np.random.default_rng(seed)
    z, states = point(cell, rng)
    dz, dstates, settings = *directions(cell, rng), cell.settings
    pairs = list(
        zip(cell.step(z, states, ()), by_unit(lambda *a: cell.unit_step(*a, settings), z, states), strict=True)
    )
    arrays = cell.pullback(z, states, (), dstates)
    scalars = by_unit(lambda z, s, d: cell.unit_pullback(z, s, settings, d)[:2], z, states, dstates)
    assert arrays[2] == ()
    for array_group, scalar_group in zip(arrays[:2], scalars, strict=True):
        pairs += list(zip(array_group, scalar_group, strict=True))
    arrays = cell.tangent(z, states, (), dz, dstates, ())
    pairs += list(
        zip(arrays, by_unit(lambda *a: cell.unit_tangent(a[0], a[1], settings, a[2], a[3], ()), z, states, dz, dstates),
            strict=True)
    )  # fmt: skip
    assert len(pairs) == 3 * components(cell) + cell.gates
    for array, scalar in pairs:
        np.testing.assert_allclose(array, scalar, rtol=32 * UNIT, atol=32 * UNIT * np.abs(array).max())


@every_cell
@given(seed=seeds)
def test_pullback_is_the_adjoint_of_the_tangent(cell, seed):
    """[MO-3], [MO-5], [MO-7], [MO-9] against [MO-10], unit by unit."""
    rng = np.random.default_rng(seed)
    z, states = point(cell, rng)
    dz, dstates = directions(cell, rng)
    cotangents = tuple(rng.standard_normal((components(cell), B, N)))
    along = cell.tangent(z, states, (), dz, dstates, ())
    back = cell.pullback(z, states, (), cotangents)
    terms = [a * b for a, b in zip(along, cotangents, strict=True)]
    others = [a * b for group, d in zip(back, (dz, dstates, ()), strict=True) for a, b in zip(group, d, strict=True)]
    magnitude = sum(map(np.abs, terms)) + sum(map(np.abs, others))
    if isinstance(cell, AdaptiveMomentum):  # where a is nearly a sign, two large terms of its slope cancel
        a, _, s = cell.step(z, states, ())
        of_v = cell.momentum * np.abs(dstates[1]) + np.abs(cell.step_size * dz[0])
        of_s = cell.decay * np.abs(dstates[2]) + 2 * (1 - cell.decay) * np.abs(z[0] * dz[0])
        magnitude += np.abs(cotangents[0]) * (of_v / np.sqrt(s) + np.abs(a) * of_s / s)
    assert np.all(np.abs(sum(terms) - sum(others)) <= 64 * UNIT * magnitude)


@every_cell
@given(seed=seeds)
def test_tangent_is_the_limit_of_differences(cell, seed):
    """Fourth-order central differences; the phase moves too, and nothing follows."""
    rng = np.random.default_rng(seed)
    z, states = point(cell, rng)
    if isinstance(cell, AdaptiveMomentum):  # what is near zero has tests of its own
        z, states = (tuple(np.copysign(np.abs(u) + 0.3, u) for u in group) for group in (z, states))
    dz, dstates = directions(cell, rng)
    step = 2.0**-12

    def moved(s):
        return cell.step(*(
            tuple(a + s * d for a, d in zip(*group, strict=True)) for group in ((z, dz), (states, dstates))
        ), ())  # fmt: skip

    near, far = (zip(moved(k * step), moved(-k * step), strict=True) for k in (1, 2))
    slopes = [((a - b) * 8 - (c - d)) / (12 * step) for (a, b), (c, d) in zip(near, far, strict=True)]
    for found, slope in zip(cell.tangent(z, states, (), dz, dstates, ()), slopes, strict=True):
        # Rounding: the values over the step; truncation: step⁴ times a fifth derivative, at most some thousands here.
        np.testing.assert_allclose(found, slope, rtol=1e-9, atol=1e-9)


@every_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_dtype_is_kept(cell, dtype):
    rng = np.random.default_rng(0)
    z, states = point(cell, rng, dtype)
    results = [*cell.step(z, states, ()), *cell.tangent(z, states, (), z, states, ())]
    results += [array for group in cell.pullback(z, states, (), states) for array in group]
    if dtype != np.longdouble:
        settings = settings_of(cell, dtype)
        results += by_unit(lambda *a: cell.unit_step(*a, settings), z, states)
        results += by_unit(lambda *a: cell.unit_tangent(*a, settings, *a, ()), z, states)
        for group in by_unit(lambda *a: cell.unit_pullback(*a, settings, a[1])[:2], z, states):
            results += group
    assert {array.dtype for array in results} == {np.dtype(dtype)}


def filtered(cell, u, initial=None, backend="reference"):
    """The output sequence of a filter over u (T, B, N), and its last states (K, B, N)."""
    initial = np.zeros((components(cell), *u.shape[1:]), u.dtype) if initial is None else initial
    nothing = Step(np.empty((0, u.shape[2]), u.dtype), np.empty((0, u.shape[2]), u.dtype), ())
    engine = backends.get(backend)
    tape = room(engine, cell, len(u), States(initial[0], initial[1:].copy()), projected=False)
    tape.z[...] = u
    engine.forward(cell, nothing, tape)
    return tape.states.h[1:], np.concatenate([tape.states.h[-1:], tape.states.memory[-1]])


@pytest.mark.parametrize("backend", BACKENDS)
class TestWhatTheFiltersAre:
    U = np.random.default_rng(1).standard_normal((T, B, N))

    def test_no_momentum_and_step_one_is_nothing(self, backend):
        for cell in (Momentum(0.0, 1.0), ScheduledMomentum(1.0, 1)):
            np.testing.assert_array_equal(filtered(cell, self.U, backend=backend)[0], self.U)

    def test_momentum_is_a_geometric_sum(self, backend):
        """[MO-2]."""
        mu, eps = 0.6, 0.7
        v0 = np.random.default_rng(2).standard_normal((1, B, N))
        v, _ = filtered(Momentum(mu, eps), self.U, v0, backend)
        for t in range(T):
            expected = mu ** (t + 1) * v0[0] + eps * sum(mu ** (t - j) * self.U[j] for j in range(t + 1))
            np.testing.assert_allclose(
                v[t], expected, rtol=0, atol=4 * T * UNIT * np.abs(self.U).max() * eps / (1 - mu)
            )

    def test_frozen_mean_square_is_momentum(self, backend):
        """β = 1 and s_0 = 1: √(1 + 1e-16) is 1."""
        start = np.stack([np.zeros((B, N)), np.full((B, N), 0.3), np.ones((B, N))])
        a, last = filtered(AdaptiveMomentum(0.6, 0.7, 1.0), self.U, start, backend)
        v, _ = filtered(Momentum(0.6, 0.7), self.U, start[1:2], backend)
        np.testing.assert_array_equal(a, v)
        np.testing.assert_array_equal(last[2], 1.0)

    def test_schedule_of_form_b(self, backend):
        """[MO-6]: the factors, with v set to 1 before each step."""
        none = np.zeros((1, 1, 1))
        for restart, expected in ((3, [0, 1 / 4, 2 / 5, 0, 1 / 4, 2 / 5]), (0, [0, 1 / 4, 2 / 5, 3 / 6, 4 / 7, 5 / 8])):
            state = np.zeros((2, 1, 1))
            for factor in expected:
                state[0] = 1.0
                v, state = filtered(ScheduledMomentum(1.0, restart), none, state, backend)
                assert v[0, 0, 0] == factor

    @pytest.mark.parametrize("cut", range(1, T))
    @every_filter
    def test_splitting_in_time(self, backend, cell, cut):
        start = np.zeros((components(cell), B, N))
        whole, last = filtered(cell, self.U, start, backend)
        first, state = filtered(cell, self.U[:cut], start, backend)
        second, end = filtered(cell, self.U[cut:], state, backend)
        np.testing.assert_array_equal(whole, np.concatenate([first, second]))
        np.testing.assert_array_equal(last, end)


@given(mu=st.floats(0, 0.9), beta=st.floats(0.02, 0.999), seed=seeds)
def test_bound_of_the_adaptive_filter(mu, beta, seed):
    """[MO-12], on drives of every size; at μ² > β the bound grows with time, and is used."""
    eps, rng = 0.7, np.random.default_rng(seed)
    u = rng.standard_normal((12, 2, 3)) * 10.0 ** rng.uniform(-9, 3, (12, 2, 3))
    u *= rng.random(u.shape) < 0.6
    a, _ = filtered(AdaptiveMomentum(mu, eps, beta), u)
    for t in range(len(u)):
        bound = eps * math.sqrt(sum((mu * mu / beta) ** k for k in range(t + 1)) / (1 - beta))
        assert np.abs(a[t]).max() <= bound * (1 + 100 * UNIT)


class TestThePhase:
    """A counter in floating point."""

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("restart", [0, 1, 2, 3, 40])
    def test_it_counts(self, restart, dtype):
        phase, scalar = np.zeros((1, 1), dtype), dtype(0)
        for t in range(130):
            k = t % restart if restart else t
            m, phase = schedule(phase, restart)
            unit_m, scalar = unit_schedule(scalar, dtype(period(restart)))
            assert m == unit_m == dtype(k) / dtype(k + 3)
            assert phase == scalar == (0 if k + 1 == restart else k + 1)

    @example(k=5, off=-0.25, restart=7)
    @example(k=6, off=0.74, restart=7)
    @given(k=st.integers(0, 1000), off=st.floats(-0.25, 0.74), restart=st.sampled_from((0, 7)))
    def test_it_is_constant_around_a_count(self, k, off, restart):
        expected = unit_schedule(float(k), period(restart))
        assert unit_schedule(float(k + off), period(restart)) == expected
        m, ahead = schedule(np.array([k + off]), restart)
        assert (m[0], ahead[0]) == expected

    @pytest.mark.parametrize("phase", [-0.5, -3.0, -1e300])
    def test_below_zero_it_is_zero(self, phase):
        assert unit_schedule(phase, period(0)) == (0.0, 1.0)
        assert schedule(np.array(phase), 0) == (0.0, 1.0)

    def test_in_float32_it_stops_at_the_largest_count(self):
        m, ahead = schedule(np.array([2.0**24], np.float32), 0)
        assert ahead == 2.0**24
        assert 1 - 2.0**-21 < m < 1
        assert unit_schedule(np.float32(2.0**24), np.float32(period(0))) == (m, ahead)


class TestNearZero:
    """Where the adaptive filter has a slope of 1e8: the section "Where it fails" of the chapter."""

    def test_slope_at_zero(self):
        """[MO-5] at u = v = s = 0: ε / √δ."""
        cell, none = AdaptiveMomentum(0.6, 0.5, 0.9), np.zeros((1, 1))
        (du,), (_, dv, ds), _ = cell.pullback((none,), (none,) * 3, (), (np.ones((1, 1)), none, none))
        np.testing.assert_allclose(du, 0.5e8, rtol=4 * UNIT)
        np.testing.assert_allclose(dv, 0.6e8, rtol=4 * UNIT)
        assert ds == 0

    @given(exponent=st.floats(-6, 2), beta=st.sampled_from((0.1, 0.9)))
    def test_first_step_is_a_sign(self, exponent, beta):
        """Beyond 1e-8 / √(1−β) the first output is ε sign(u) / √(1−β), whatever u is."""
        u = np.array([[[10.0**exponent, -(10.0**exponent)]]])
        a, _ = filtered(AdaptiveMomentum(0.6, 0.5, beta), u)
        limit = 0.5 / math.sqrt(1 - beta)
        relative = 0.5e-16 / ((1 - beta) * u[0, 0, 0] ** 2)
        np.testing.assert_allclose(a[0, 0], [limit, -limit], rtol=relative + 8 * UNIT)

    def test_a_drive_that_stops_is_amplified(self):
        """μ² > β, as published for MNIST: v falls like 0.6^t, √s like 0.32^t, until δ takes over."""
        u = np.zeros((40, 1, 1))
        u[0] = 1.0
        a, _ = filtered(AdaptiveMomentum(0.6, 0.6, 0.1), u)
        expected = [0.6 * 0.6**k / math.sqrt(0.9 * 0.1**k + 1e-16) for k in range(40)]
        np.testing.assert_allclose(a[:, 0, 0], expected, rtol=200 * UNIT)
        assert a.argmax() == 16
        assert 1.2e4 < a.max() < 1.3e4

    @pytest.mark.parametrize("mu", [0.0, 0.3])
    def test_in_float32_no_digit_is_left_of_a_drive_that_cancels(self, mu):
        """Where u is the rounding error of terms of order one, a is anything up to its bound."""
        cell = AdaptiveMomentum(mu, 0.6, 0.9)
        third = np.float32(1) / np.float32(3)
        u = (np.float32(3) * third - np.float32(1)) + np.float32(6e-8) * np.array([[[-1.0, 1.0]]], np.float32)
        a, _ = filtered(cell, u.astype(np.float32))
        assert np.abs(u).max() < np.finfo(np.float32).eps
        assert a[0, 0, 1] - a[0, 0, 0] > 0.6 / math.sqrt(1 - 0.9)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Momentum(1.0, 0.5), "momentum"),
        (lambda: Momentum(-0.1, 0.5), "momentum"),
        (lambda: Momentum(np.nan, 0.5), "momentum"),
        (lambda: Momentum("0.5", 0.5), "momentum"),
        (lambda: Momentum(0.5, np.inf), "step"),
        (lambda: Momentum(0.5, None), "step"),
        (lambda: AdaptiveMomentum(1, 0.5, 0.9), "momentum"),
        (lambda: AdaptiveMomentum(0.5, np.nan, 0.9), "step"),
        (lambda: AdaptiveMomentum(0.5, 0.5, 1.1), "decay"),
        (lambda: AdaptiveMomentum(0.5, 0.5, -0.1), "decay"),
        (lambda: ScheduledMomentum(np.inf, 2), "step"),
        (lambda: ScheduledMomentum(0.5, -1), "restart"),
        (lambda: ScheduledMomentum(0.5, 2.0), "restart"),
        (lambda: NesterovLstm(-np.inf, 2), "step"),
        (lambda: NesterovLstm(0.5, True), "restart"),
    ],
)
def test_numbers_out_of_range(make, name):
    with pytest.raises(OptionError, match=f"^{name} is .*; expected .*\\.$"):
        make()


def test_all_numbers_share_their_functions():
    """Numbers are told apart when a kernel runs, not when it is compiled."""
    for one, other in (
        (Momentum(0.6, 0.5), Momentum(0.0, -0.5)),
        (AdaptiveMomentum(0.6, 0.5, 0.9), AdaptiveMomentum(0.6, 0.5, 0.8)),
        (ScheduledMomentum(0.5, 2), ScheduledMomentum(0.5, 0)),
        (NesterovLstm(0.5, 2), NesterovLstm(0.4, 3)),
    ):
        assert one.settings != other.settings
        assert one.unit_step is other.unit_step
        assert one.unit_pullback is other.unit_pullback
        assert one.unit_tangent is other.unit_tangent
