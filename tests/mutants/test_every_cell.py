"""Every cell by itself: its two versions and two derivatives at a generic point, and what it does at special ones."""

import itertools

import numpy as np
import pytest

from enrnn_ref.cells import ACTIVATIONS, Cell, ComplexModRelu, GruAfter, GruBefore, Lstm, ModRelu, PeepholeLstm
from enrnn_ref.cells.complex_modrelu import polar
from enrnn_ref.cells.nesterov_lstm import NesterovLstm
from enrnn_ref.cells.restart import period, schedule, unit_schedule
from enrnn_ref.filters import AdaptiveMomentum, Momentum, ScheduledMomentum

CELLS = {
    **{name: kind() for name, kind in ACTIVATIONS.items()},
    "complex": ComplexModRelu("exact"),
    "complex released": ComplexModRelu("released"),
    "lstm": Lstm(),
    "peephole": PeepholeLstm(),
    "gru after": GruAfter(),
    "gru before": GruBefore(),
    "nesterov": NesterovLstm(0.7, 3),
    "momentum": Momentum(0.6, 0.7),
    "adaptive": AdaptiveMomentum(0.6, 0.7, 0.9),
    "scheduled": ScheduledMomentum(0.7, 3),
}
SHAPE = (2, 3)


def point(cell, rng, points=SHAPE):
    z = tuple(rng.standard_normal((cell.gates, *points)))
    states = tuple(rng.standard_normal((sum(cell.states.values()), *points)))
    return z, states, tuple(rng.standard_normal((sum(cell.parameters.values()), points[1])))


def unit_by_unit(function, *groups):
    """A scalar function on every unit of arrays (B, n), its flat results stacked; parameters (n,) serve all rows."""
    results = []
    for b, j in itertools.product(*map(range, SHAPE)):
        found = function(*(tuple(a[j] if a.ndim == 1 else a[b, j] for a in group) for group in groups))
        results.append([entry for part in found for entry in (part if isinstance(part, tuple) else (part,))])
    return np.array(results).T.reshape(-1, *SHAPE)


def of_units(cell, theta):
    """What the scalar functions take for ``theta``: the settings behind the parameters."""
    return *theta, *(np.full(SHAPE[1], value) for value in cell.settings)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CELLS)
def test_both_versions_agree(name, seed):
    cell, rng = CELLS[name], np.random.default_rng(seed)
    z, states, theta = point(cell, rng)
    dz, dstates, dtheta = point(cell, rng)
    at, along = (z, states, theta), (dz, dstates, dtheta)
    there = z, states, of_units(cell, theta)
    pairs = [
        (cell.step(*at), unit_by_unit(cell.unit_step, *there)),
        (sum(cell.pullback(*at, dstates), ()), unit_by_unit(cell.unit_pullback, *there, dstates)),
        (cell.tangent(*at, *along), unit_by_unit(cell.unit_tangent, *there, *along)),
    ]
    if cell.relayed:
        dq = dstates[0]
        pairs += [
            ((cell.relay(*at),), unit_by_unit(lambda *a: (cell.unit_relay(*a),), *at)),
            (
                sum(cell.relay_pullback(*at, dq), ()),
                unit_by_unit(lambda z, s, p, q: cell.unit_relay_pullback(z, s, p, q[0]), *at, (dq,)),
            ),
            ((cell.relay_tangent(*at, *along),), unit_by_unit(lambda *a: (cell.unit_relay_tangent(*a),), *at, *along)),
        ]
    for arrays, units in pairs:
        assert len(arrays) == len(units)
        np.testing.assert_allclose(units, np.broadcast_arrays(*arrays), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CELLS)
def test_pullback_is_the_adjoint_of_the_tangent_unit_by_unit(name):
    cell, rng = CELLS[name], np.random.default_rng(7)
    arguments, directions = point(cell, rng), point(cell, rng)
    cotangents = point(cell, rng)[1]
    pairs = [(cell.tangent(*arguments, *directions), cotangents, cell.pullback(*arguments, cotangents))]
    if cell.relayed:
        dq = cotangents[0]
        pairs.append(((cell.relay_tangent(*arguments, *directions),), (dq,), cell.relay_pullback(*arguments, dq)))
    for along, weights, back in pairs:
        forward = sum(a * b for a, b in zip(along, weights, strict=True))
        groups = zip(back, directions, strict=True)
        backward = sum(a * b for group, dgroup in groups for a, b in zip(group, dgroup, strict=True))
        np.testing.assert_allclose(forward, backward, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", CELLS)
def test_tangent_is_the_limit_of_differences(name):
    cell, rng, h = CELLS[name], np.random.default_rng(8), 2.0**-14
    arguments, directions = point(cell, rng), point(cell, rng)

    def moved(s, function):
        groups = zip(arguments, directions, strict=True)
        return np.array(function(*(tuple(a + s * d for a, d in zip(*pair, strict=True)) for pair in groups)))

    functions = [(cell.step, cell.tangent)] + [(cell.relay, cell.relay_tangent)] * bool(cell.relayed)
    for function, tangent in functions:
        one, two = ((moved(k * h, function) - moved(-k * h, function)) / (2 * k * h) for k in (1, 2))
        np.testing.assert_allclose(tangent(*arguments, *directions), (4 * one - two) / 3, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", CELLS)
def test_a_zero_cotangent_pulls_back_to_zeros(name):
    cell = CELLS[name]
    z, states, theta = point(cell, np.random.default_rng(0))
    nothing = tuple(np.zeros_like(array) for array in states)
    found = [array for group in cell.pullback(z, states, theta, nothing) for array in group]
    if cell.relayed:
        found += [array for group in cell.relay_pullback(z, states, theta, nothing[0]) for array in group]
    for array in found:
        np.testing.assert_array_equal(array, 0.0)


@pytest.mark.parametrize("name", CELLS)
def test_a_zero_direction_leads_nowhere(name):
    cell = CELLS[name]
    z, states, theta = point(cell, np.random.default_rng(0))
    nothing = [tuple(np.zeros_like(array) for array in group) for group in (z, states, theta)]
    found = [*cell.tangent(z, states, theta, *nothing)]
    if cell.relayed:
        found.append(cell.relay_tangent(z, states, theta, *nothing))
    for array in found:
        np.testing.assert_array_equal(array, 0.0)


def test_a_recurrent_bias_is_not_there_unless_a_cell_asks_for_it():
    assert not Cell.recurrent_bias
    assert [name for name, cell in CELLS.items() if cell.recurrent_bias] == ["gru after"]


def test_a_cell_that_does_not_read_its_output_steps_alike_from_any():
    blind = [name for name, cell in CELLS.items() if not cell.reads_output]
    assert blind == ["complex", "complex released", "lstm", "peephole", "nesterov", "adaptive"]
    for name in blind:
        cell, rng = CELLS[name], np.random.default_rng(3)
        z, states, theta = point(cell, rng)
        others = tuple(rng.standard_normal((cell.output_components, *SHAPE))) + states[cell.output_components :]
        np.testing.assert_array_equal(cell.step(z, others, theta), cell.step(z, states, theta))


@pytest.mark.parametrize("restart", [0, 1, 2, 3])
def test_a_count_from_anywhere_is_taken_modulo_the_restart(restart):
    """Also one that is given and lies beyond it; m = k / (k + 3), in both versions."""
    count = np.arange(9.0)
    k = count % restart if restart else count
    ahead = (k + 1) % restart if restart else k + 1
    np.testing.assert_array_equal(schedule(count, restart), [k / (k + 3), ahead])
    np.testing.assert_array_equal(
        [unit_schedule(phase, period(restart)) for phase in count.tolist()], [*zip(k / (k + 3), ahead, strict=True)]
    )


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_the_slope_of_a_mean_square_at_zero_is_that_from_above(zero):
    cell, rng = CELLS["adaptive"], np.random.default_rng(4)
    (z, (a, v, _), theta), along = point(cell, rng), point(cell, rng)
    at, above = ((z, (a, v, np.full(SHAPE, s)), theta) for s in (zero, 5e-324))
    found, expected = (
        [*sum(cell.pullback(*there, along[1]), ()), *cell.tangent(*there, *along)] for there in (at, above)
    )
    np.testing.assert_array_equal(found, expected)
    for function, rest in ((cell.unit_pullback, along[1:2]), (cell.unit_tangent, along)):
        np.testing.assert_array_equal(
            *(unit_by_unit(function, *where[:2], of_units(cell, theta), *rest) for where in (at, above))
        )


@pytest.mark.parametrize("name", ["scheduled", "nesterov"])
def test_what_overflows_does_not_reach_the_count(name):
    """It has no derivative: zero times that of another state would not be zero here."""
    cell, rng = CELLS[name], np.random.default_rng(5)
    (z, states, theta), (dz, dstates, _) = point(cell, rng), point(cell, rng)
    states, dstates = (*states[:-1], np.ones(SHAPE)), (*(np.full(SHAPE, np.inf) for _ in dstates[:-1]), dstates[-1])
    with np.errstate(invalid="ignore"):  # of the others some are the difference of two infinities
        _, back, _ = cell.pullback(z, states, theta, dstates)
        along = cell.tangent(z, states, theta, dz, dstates, theta)
    for found in (back, along):
        np.testing.assert_array_equal(found[-1], 0.0)


LENGTHS = (0.0, 1e-320, 1e-170, 3.0, 1e200)


@pytest.mark.parametrize("b", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("modulus", ["exact", "released"])
def test_complex_modrelu_at_lengths_of_every_size(modulus, b):
    """Both versions, for parts of every sign and size: no square overflows, and none is lost."""
    cell = ComplexModRelu(modulus)
    sizes = [sign * size for size in LENGTHS for sign in (1.0, -1.0)]
    z = tuple(np.array(list(itertools.product(sizes, sizes))).T[:, np.newaxis])
    theta = (np.full(z[0].shape[1], b),)
    direction = (np.full(z[0].shape, 0.8), np.full(z[0].shape, -0.3))
    dtheta = (np.full(z[0].shape[1], 0.7),)
    if modulus == "exact":  # where |z| is subnormal its inverse, and with it a slope, may overflow on either side
        away = (np.maximum(*map(np.abs, z)) >= 1e-170)[0]
        z, direction = (tuple(part[:, away] for part in pair) for pair in (z, direction))
        theta, dtheta = (theta[0][away],), (dtheta[0][away],)
    step = cell.step(z, z, theta)
    _, _, (db,) = cell.pullback(z, z, theta, direction)
    dz = cell.pullback(z, z, theta, direction)[0]
    along = cell.tangent(z, z, theta, direction, z, dtheta)
    for j in range(z[0].shape[1]):
        x = (z[0][0, j], z[1][0, j])
        d = (direction[0][0, j], direction[1][0, j])
        np.testing.assert_allclose(cell.unit_step(x, x, (b,)), [part[0, j] for part in step], rtol=1e-14)
        unit_dz, _, (unit_db,) = cell.unit_pullback(x, x, (b,), d)
        np.testing.assert_allclose([*unit_dz, unit_db], [dz[0][0, j], dz[1][0, j], db[0, j]], rtol=1e-12, atol=1e-15)
        unit = cell.unit_tangent(x, x, (b,), d, x, (0.7,))
        np.testing.assert_allclose(unit, [part[0, j] for part in along], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("modulus", ["exact", "released"])
def test_complex_modrelu_at_its_kink(modulus):
    """Where m = −b to the last bit, the unit is off: values and slopes are exact zeros, in both versions."""
    cell, rng = ComplexModRelu(modulus), np.random.default_rng(0)
    z = tuple(rng.standard_normal((2, 1, 50)))
    lengths = [polar(x, y, cell.smoothing.root)[0] for x, y in zip(*(part[0] for part in z), strict=True)]
    theta = (-np.array(lengths),)
    found = [*cell.step(z, z, theta), *cell.tangent(z, z, theta, z, z, theta)]
    for group in cell.pullback(z, z, theta, z):
        found += group
    for array in found:
        np.testing.assert_array_equal(array, 0.0)
    for j, b in enumerate(theta[0]):
        x = (z[0][0, j], z[1][0, j])
        assert cell.unit_step(x, x, (b,)) == (0.0, 0.0)
        assert cell.unit_tangent(x, x, (b,), x, x, (b,)) == (0.0, 0.0)
        assert cell.unit_pullback(x, x, (b,), x) == ((0.0, 0.0), (0.0, 0.0), (0.0,))


@pytest.mark.parametrize("b", [-0.5, 0.0, 0.5])
def test_modrelu_at_its_kinks_and_its_jump(b):
    """At |z| = −b and at z = 0 both slopes are zero, in both versions."""
    cell, z = ModRelu(), np.array([[-2.0, -0.5, -0.25, 0.0, 0.25, 0.5, 2.0]])
    theta = (np.full(z.shape[1], b),)
    one = (np.ones_like(z),)
    (dz,), (dh,), (db,) = cell.pullback((z,), (z,), theta, one)
    on = (np.abs(z) + b > 0) & (z != 0)
    np.testing.assert_array_equal(dz, on)
    np.testing.assert_array_equal(dh, 0.0)
    np.testing.assert_array_equal(db, on * np.sign(z))
    (along,) = cell.tangent((z,), (z,), theta, one, (z,), (np.full(z.shape[1], 0.25),))
    np.testing.assert_array_equal(along, on * (1 + 0.25 * np.sign(z)))
    (h,) = cell.step((z,), (z,), theta)
    for j, x in enumerate(z[0]):
        assert cell.unit_step((x,), (x,), (b,)) == (h[0, j],)
        assert cell.unit_pullback((x,), (x,), (b,), (1.0,)) == ((dz[0, j],), (0.0,), (db[0, j],))
        assert cell.unit_tangent((x,), (x,), (b,), (1.0,), (x,), (0.25,)) == (along[0, j],)
