"""The compiled elementary functions against extended precision, over their whole range and at its ends."""

import numba
import numpy as np
import pytest

from enrnn_ref.backends import elementary as compiled  # registers the compiled forms
from enrnn_ref.cells.elementary import floor, sigmoid, sqrt, tanh

assert compiled

EXACT = {
    "tanh": lambda x: np.tanh(x.astype(np.longdouble)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x.astype(np.longdouble))),
    "sqrt": lambda x: np.sqrt(x.astype(np.longdouble)),
}


@numba.njit(error_model="numpy")
def _tanh(x, y):
    for j in range(x.size):
        y[j] = tanh(x[j])


@numba.njit(error_model="numpy")
def _sigmoid(x, y):
    for j in range(x.size):
        y[j] = sigmoid(x[j])


@numba.njit(error_model="numpy")
def _sqrt(x, y):
    for j in range(x.size):
        y[j] = sqrt(x[j])


@numba.njit(error_model="numpy")
def _floor(x, y):
    for j in range(x.size):
        y[j] = floor(x[j])


LOOPS = {"tanh": _tanh, "sigmoid": _sigmoid, "sqrt": _sqrt}


def _apply(name, x):
    y = np.empty_like(x)
    LOOPS[name](x, y)
    return y


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_floor_is_that_of_numpy_bit_for_bit(kind):
    """Around every small whole number, at every size, beyond the numbers that have a fraction, and signs of zero."""
    whole = np.arange(-300, 300).astype(kind)
    sizes = np.geomspace(np.finfo(kind).tiny, np.finfo(kind).max / 2, 5000).astype(kind)
    x = np.concatenate([whole, np.nextafter(whole, kind(np.inf)), np.nextafter(whole, kind(-np.inf)), sizes, -sizes])
    x = np.concatenate([x, np.array([0.0, -0.0, 2.0**63, -(2.0**63), 1e30, np.inf, -np.inf, np.nan], kind)])
    found = np.empty_like(x)
    _floor(x, found)
    np.testing.assert_array_equal(found, np.floor(x))
    np.testing.assert_array_equal(np.signbit(found), np.signbit(np.floor(x)))


def _units_in_the_last_place(found, exact):
    """Of every entry whose exact value is a normal number."""
    kind = found.dtype
    normal = np.abs(exact) >= np.finfo(kind).tiny
    spacing = np.spacing(np.abs(exact).astype(kind)).astype(np.longdouble)
    return (np.abs(found - exact) / spacing)[normal]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOOPS)
def test_errors_are_a_few_units_in_the_last_place(name, kind):
    tiny = float(np.finfo(kind).tiny)
    x = np.concatenate([np.linspace(-30, 30, 200_001), np.geomspace(tiny, 1, 100_001), [0.0]])
    x = (np.abs(x) if name == "sqrt" else np.concatenate([x, -x])).astype(kind)
    errors = _units_in_the_last_place(_apply(name, x), EXACT[name](x))
    assert errors.size > 100_000
    # Half a unit each for the sum s p + (s - 1), the sum with 2, the quotient, and for p, whose own error the first
    # sum may double: 2.5.
    assert errors.max() <= 2.5


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_ends_of_the_range(kind):
    x = np.array([0.0, -0.0, 1e3, -1e3, np.inf, -np.inf, np.nan], kind)
    y = _apply("tanh", x)
    np.testing.assert_array_equal(y, np.tanh(x))
    assert np.signbit(y[1])
    assert not np.signbit(y[0])
    y = _apply("sigmoid", x)
    np.testing.assert_array_equal(y[[0, 1, 2, 4, 6]], np.array([0.5, 0.5, 1, 1, np.nan], kind))
    assert (y[[3, 5]] < 2 * np.finfo(kind).tiny).all()
    assert y.dtype == kind


@pytest.mark.parametrize("function", [tanh, sigmoid, sqrt, floor], ids=lambda function: function.__name__)
def test_compiled_they_keep_the_type_of_their_argument(function):
    """No constant makes the arithmetic on single precision double, which would cost half of the speed."""

    @numba.njit
    def called(x):
        return function(x)

    for kind in (numba.float32, numba.float64):
        called.compile((kind,))
        assert called.overloads[(kind,)].signature.return_type == kind


def test_tanh_is_odd_and_never_beyond_one():
    x = np.random.default_rng(0).standard_normal(10_000) * 10
    np.testing.assert_array_equal(_apply("tanh", -x), -_apply("tanh", x))
    assert (np.abs(_apply("tanh", x)) <= 1).all()


def test_they_run_as_plain_python_too():
    for x in (-3.0, 0.0, 0.7):
        assert tanh(np.float32(x)) == np.tanh(np.float32(x))
        assert sigmoid(x) == pytest.approx(1 / (1 + np.exp(-x)), rel=1e-15, abs=0)
        assert type(sigmoid(np.float32(x)))(0).dtype == np.float32
    assert sqrt(np.float32(2)).dtype == floor(np.float32(2)).dtype == np.float32
    assert floor(-0.5) == -1.0
