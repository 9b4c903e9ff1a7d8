"""Each cell is written twice; the two agree, and pullback and tangent are the derivatives of the step."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrnn_ref.cells import ACTIVATIONS, ComplexModRelu, GruAfter, GruBefore, Lstm, ModRelu, PeepholeLstm
from enrnn_ref.cells.nesterov_lstm import NesterovLstm
from enrnn_ref.filters import AdaptiveMomentum, Momentum, ScheduledMomentum
from tests.gated_cell import GatedCell
from tests.relayed_cell import RelayedCell
from tests.settled_cell import SettledCell
from tests.strategies import seeds

RELAYS = [GruBefore(), RelayedCell()]
CELLS = st.sampled_from(
    [
        *(ACTIVATIONS[name]() for name in sorted(ACTIVATIONS)),
        GatedCell(),
        SettledCell(0.3, -0.7),
        *RELAYS,
        Lstm(),
        PeepholeLstm(),
        GruAfter(),
        ComplexModRelu("exact"),
        ComplexModRelu("released"),
        NesterovLstm(0.7, 3),
        Momentum(0.6, 0.7),
        AdaptiveMomentum(0.6, 0.7, 0.9),
        ScheduledMomentum(0.7, 3),
    ]
)
UNITS = 40


def _point(cell, seed):
    """Random pre-activations, states and parameters; modReLU sees both signs of its bias, units on and off."""
    rng = np.random.default_rng(seed)

    def rows(count, *shape):
        return tuple(rng.standard_normal((count, *shape)))

    z, states = rows(cell.gates, 3, UNITS), rows(sum(cell.states.values()), 3, UNITS)
    theta = rows(sum(cell.parameters.values()), UNITS)
    return rng, z, states, theta


def _unit_by_unit(function, *arguments):
    """A scalar function of tuples applied to every unit of arrays (B, n); parameters (n,) are shared by the rows."""
    shape = arguments[0][0].shape
    results = []
    for b, j in itertools.product(*map(range, shape)):
        entries = (tuple(array[j] if array.ndim == 1 else array[b, j] for array in group) for group in arguments)
        results.append(function(*entries))
    return results


def _of_units(cell, theta):
    """What the scalar functions take for ``theta``: the settings behind the parameters."""
    return *theta, *(np.full(UNITS, value) for value in cell.settings)


def _columns(results, shape):
    """One array per entry of the tuples in ``results``."""
    return tuple(np.array(column).reshape(shape) for column in zip(*results, strict=True))


@given(cell=CELLS, seed=seeds)
def test_scalar_and_array_step_agree(cell, seed):
    _, z, states, theta = _point(cell, seed)
    new = cell.step(z, states, theta)
    scalar = _columns(_unit_by_unit(cell.unit_step, z, states, _of_units(cell, theta)), z[0].shape)
    assert len(new) == len(scalar) == sum(cell.states.values())
    for a, b in zip(new, scalar, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)


@given(cell=CELLS, seed=seeds, data=st.data())
def test_a_pre_activation_that_is_no_number_is_seen_in_the_state(cell, seed, data):
    """A state of zero in its place would let a diverged run go on as if nothing were wrong."""
    _, z, states, theta = _point(cell, seed)
    z[data.draw(st.integers(0, cell.gates - 1))][1, 2] = np.nan
    unit = [tuple(array[1, 2] for array in group) for group in (z, states)]
    unit.append(tuple(array[2] for array in _of_units(cell, theta)))
    seen, seen_by_unit = [new[1, 2] for new in cell.step(z, states, theta)], list(cell.unit_step(*unit))
    if cell.relayed:  # its product is added to the other gates
        seen.append(cell.relay(z, states, theta)[1, 2])
        seen_by_unit.append(cell.unit_relay(*unit))
    assert np.isnan(seen).any()
    assert np.isnan(seen_by_unit).any()


@given(cell=CELLS, seed=seeds)
def test_scalar_and_array_pullback_agree(cell, seed):
    rng, z, states, theta = _point(cell, seed)
    dstates = tuple(rng.standard_normal((sum(cell.states.values()), *z[0].shape)))
    groups = cell.pullback(z, states, theta, dstates)
    scalar = _unit_by_unit(cell.unit_pullback, z, states, _of_units(cell, theta), dstates)
    for k, (group, count) in enumerate(zip(groups, (len(z), len(states), len(theta)), strict=True)):
        assert len(group) == count
        for a, b in zip(group, _columns([result[k] for result in scalar], z[0].shape), strict=True):
            assert a.shape == z[0].shape
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@given(cell=CELLS, seed=seeds)
def test_scalar_and_array_tangent_agree(cell, seed):
    rng, z, states, theta = _point(cell, seed)
    dz, dstates = (tuple(rng.standard_normal((len(group), *z[0].shape))) for group in (z, states))
    dtheta = tuple(rng.standard_normal((len(theta), UNITS)))
    arrays = cell.tangent(z, states, theta, dz, dstates, dtheta)
    scalar = _unit_by_unit(cell.unit_tangent, z, states, _of_units(cell, theta), dz, dstates, dtheta)
    for a, b in zip(arrays, _columns(scalar, z[0].shape), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@given(cell=CELLS, seed=seeds)
def test_pullback_is_the_adjoint_of_the_tangent(cell, seed):
    rng, z, states, theta = _point(cell, seed)
    dz, dstates = (tuple(rng.standard_normal((len(group), *z[0].shape))) for group in (z, states))
    dtheta = tuple(rng.standard_normal((len(theta), UNITS)))
    cotangents = tuple(rng.standard_normal((len(states), *z[0].shape)))
    new = cell.tangent(z, states, theta, dz, dstates, dtheta)
    forward = sum(a * b for a, b in zip(new, cotangents, strict=True))
    back = cell.pullback(z, states, theta, cotangents)
    backward = sum(
        a * b
        for group, along in zip(back, (dz, dstates, dtheta), strict=True)
        for a, b in zip(group, along, strict=True)
    )
    np.testing.assert_allclose(forward, backward, rtol=1e-12, atol=1e-14)  # unit by unit: a cell knows no other unit


@given(cell=CELLS, seed=seeds)
def test_tangent_is_the_limit_of_differences(cell, seed):
    rng, z, states, theta = _point(cell, seed)
    dz, dstates = (tuple(rng.standard_normal((len(group), *z[0].shape))) for group in (z, states))
    dtheta = tuple(rng.standard_normal((len(theta), UNITS)))
    h = 2.0**-12

    def moved(s):
        groups = ((z, dz), (states, dstates), (theta, dtheta))
        return cell.step(*(tuple(a + s * d for a, d in zip(*group, strict=True)) for group in groups))

    one, two = (zip(moved(k * h), moved(-k * h), strict=True) for k in (1, 2))
    fine, coarse = ([(ahead - behind) / (2 * k * h) for ahead, behind in pairs] for k, pairs in ((1, one), (2, two)))
    tangents = cell.tangent(z, states, theta, dz, dstates, dtheta)
    # Units within reach of a kink or a jump are left to the tests of those: relu's at 0, modReLU's at 0 and |z| = -b.
    smooth = np.abs(z[0]) > 4 * h * np.abs(dz[0])
    if isinstance(cell, ModRelu):
        smooth &= np.abs(np.abs(z[0]) + theta[0]) > 4 * h * (np.abs(dz[0]) + np.abs(dtheta[0]))
    assert smooth.mean() > 0.9
    for tangent, small, large in zip(tangents, fine, coarse, strict=True):
        extrapolated = (4 * small - large) / 3
        np.testing.assert_allclose(tangent[smooth], extrapolated[smooth], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dtype_is_kept(name):
    cell = ACTIVATIONS[name]()
    for dtype in (np.float32, np.float64, np.longdouble):
        z = (np.linspace(-2, 2, 6).reshape(2, 3).astype(dtype),)
        theta = tuple(np.ones((sum(cell.parameters.values()), 3), dtype))
        (h,) = cell.step(z, z, theta)
        (dz,), (dh,), dtheta = cell.pullback(z, z, theta, z)
        (tangent,) = cell.tangent(z, z, theta, z, z, theta)
        for array in (h, dz, dh, *dtheta, tangent):
            assert array.dtype == dtype


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_initial_parameters_are_zero(name):
    cell = ACTIVATIONS[name]()
    parameters = cell.init(5, np.float32)
    assert {key: array.shape for key, array in parameters.items()} == cell.parameter_shapes(5)
    for array in parameters.values():
        assert array.dtype == np.float32
        assert not array.any()
    # The bias is in the drive or in the cell, never in both and never lost.
    assert ("bias" in parameters) != cell.drive_bias


def test_parameters_of_one_row_are_vectors():
    assert GatedCell().parameter_shapes(5) == {"scale": (5,), "mix": (2, 5)}
    assert ModRelu().parameter_shapes(5) == {"bias": (5,)}


@pytest.mark.parametrize("name", ["tanh", "relu", "identity"])
def test_known_values(name):
    function, slope = {
        "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
        "relu": (lambda z: z * (z > 0), lambda z: 1.0 * (z > 0)),
        "identity": (lambda z: z, np.ones_like),
    }[name]
    cell, z = ACTIVATIONS[name](), np.array([[-1.5, -0.2, 0.0, 0.3, 2.0]])
    np.testing.assert_allclose(cell.step((z,), (z,), ())[0], function(z), rtol=1e-15)
    (dz,), (dh,), rest = cell.pullback((z,), (z,), (), (2 + z,))
    np.testing.assert_allclose(dz, slope(z) * (2 + z), rtol=1e-14)
    assert not dh.any()
    assert rest == ()
    for x in z.flat:  # the scalar functions, at the kink too
        assert np.isclose(cell.unit_step((x,), (x,), ())[0], function(x), rtol=1e-15)
        (dx,), (dstate,), rest = cell.unit_pullback((x,), (x,), (), (3.0,))
        assert np.isclose(dx, 3 * slope(x), rtol=1e-14)
        assert dstate == 0
        assert rest == ()
        assert np.isclose(cell.unit_tangent((x,), (x,), (), (3.0,), (1.0,), ())[0], 3 * slope(x), rtol=1e-14)
