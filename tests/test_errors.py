"""One class per broken precondition, each also the built-in a caller would expect."""

import inspect

import pytest

from enrnn_ref import errors

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, errors.EnrnnError) and value is not errors.EnrnnError
]
BUILT_IN = (ValueError, TypeError, ArithmeticError, RuntimeError)


@pytest.mark.parametrize("error", CLASSES)
def test_is_a_built_in_too(error):
    assert issubclass(error, BUILT_IN)
    assert error.__doc__


def test_base_is_no_built_in_error():
    assert not issubclass(errors.EnrnnError, BUILT_IN)


@pytest.mark.parametrize(
    ("error", "built_in"),
    [
        (errors.ShapeError, ValueError),
        (errors.DtypeError, TypeError),
        (errors.NotFiniteError, ValueError),
        (errors.ParameterError, ValueError),
        (errors.OptionError, ValueError),
        (errors.TapeNotKeptError, RuntimeError),
        (errors.BackendUnavailable, RuntimeError),
        (errors.DeviceError, RuntimeError),
        (errors.PlacementError, TypeError),
        (errors.DegenerateEigenvalueError, ArithmeticError),
    ],
)
def test_which_built_in(error, built_in):
    assert issubclass(error, built_in)


def test_degenerate_eigenvalue_carries_its_numbers():
    error = errors.DegenerateEigenvalueError("tied", kind="tied", modulus=0.9, gap=1e-17, condition=2.0)
    assert (error.kind, error.modulus, error.gap, error.condition) == ("tied", 0.9, 1e-17, 2.0)
    assert str(error) == "tied"
    with pytest.raises(TypeError):
        errors.DegenerateEigenvalueError("without numbers")
