"""What every parametrization must satisfy, written once."""

import copy

import numpy as np
import pytest

import enrnn_ref as er
from tests.strategies import normal, normals, relative_error


def assert_pullback_is_adjoint_of_tangent(p, raw, rng, condition=1.0):
    """<dR, G> = <draw, pullback(G)>, in a direction through all free arrays."""
    value = p.evaluate(raw)
    dtype = value.matrix.dtype
    G, direction = normal(rng, p.shape, dtype), normals(rng, p.shapes, dtype)
    forward = p.tangent(value, direction).astype(np.float64) * G
    gradients = p.pullback(value, G)
    assert gradients.keys() == raw.keys()
    backward = [direction[key].astype(np.float64) * gradients[key] for key in raw]
    for key in raw:
        assert gradients[key].shape == p.shapes[key]
        assert gradients[key].dtype == dtype
    size = np.abs(forward).sum() + sum(np.abs(products).sum() for products in backward)
    difference = forward.sum() - sum(products.sum() for products in backward)
    assert abs(difference) <= 16 * condition * np.finfo(dtype).eps * size


def assert_tangent_is_the_limit_of_differences(p, raw, rng, condition=1.0):
    """Richardson-extrapolated central differences; the distance between two extrapolations estimates their error."""
    direction = normals(rng, p.shapes, np.float64)

    def central(h):
        ahead, behind = (p.evaluate({key: raw[key] + s * direction[key] for key in raw}).matrix for s in (h, -h))
        return (ahead - behind) / (2 * h)

    h = 2.0**-12 / condition
    coarse, fine, finest = central(h), central(h / 2), central(h / 4)
    first, second = (4 * fine - coarse) / 3, (4 * finest - fine) / 3
    tangent = p.tangent(p.evaluate(raw), direction)
    size = max(1.0, np.abs(tangent).max())
    assert np.abs(tangent - second).max() <= 4 * np.abs(first - second).max() + 1e-10 * condition**2 * size


def assert_what_is_kept_is_no_state(p, raw):
    """The value kept from one evaluation to the next never shows: not after a change in place, nor to a new object."""
    arrays = {key: array.copy() for key, array in raw.items()}
    first = p.evaluate(arrays)
    assert p.evaluate(arrays) is first
    assert not first.matrix.flags.writeable
    for array in arrays.values():
        if array.size:
            array.flat[-1] = np.nextafter(array.flat[-1], array.dtype.type(9))
            there, new = p.evaluate(arrays), copy.deepcopy(p)
            new._last = None
            assert there is not first
            assert there.matrix.tobytes() == new.evaluate(arrays).matrix.tobytes()
    assert p.evaluate(raw).matrix.tobytes() == first.matrix.tobytes()


def assert_missing_directions_count_as_zero(p, raw, rng):
    value, direction = p.evaluate(raw), normals(rng, p.shapes, np.float64)
    assert not p.tangent(value, {}).any()
    parts = sum(p.tangent(value, {key: direction[key]}) for key in direction)
    assert relative_error(parts, p.tangent(value, direction)) <= 1e-13


def assert_nothing_is_modified(p, raw, rng):
    before = {key: array.copy() for key, array in raw.items()}
    value = p.evaluate(raw)
    matrix, G = value.matrix.copy(), normal(rng, p.shape, value.matrix.dtype)
    direction = normals(rng, p.shapes, value.matrix.dtype)
    G_before, direction_before = G.copy(), {key: array.copy() for key, array in direction.items()}
    p.pullback(value, G)
    p.tangent(value, direction)
    p.violation(value)
    np.testing.assert_array_equal(value.matrix, matrix)
    np.testing.assert_array_equal(G, G_before)
    for key in raw:
        np.testing.assert_array_equal(raw[key], before[key])
        np.testing.assert_array_equal(direction[key], direction_before[key])
        assert not np.shares_memory(value.matrix, raw[key])


def assert_initialisation_is_declared(p, dtype):
    """Shapes and dtype as declared, every draw from the generator alone, the invariant holds."""
    raw = p.init(np.random.default_rng(7), dtype)
    again = p.init(np.random.default_rng(7), dtype)
    assert {key: array.shape for key, array in raw.items()} == p.shapes
    for key, array in raw.items():
        assert array.dtype == dtype
        np.testing.assert_array_equal(array, again[key])
    value = p.evaluate(raw)
    assert value.matrix.shape == p.shape
    assert value.matrix.dtype == dtype
    assert p.violation(value) <= 100 * np.finfo(dtype).eps


def assert_refuses(constructor, *words):
    with pytest.raises(er.errors.OptionError) as caught:
        constructor()
    for word in words:
        assert word in str(caught.value)
