"""The public door: what passes, what is refused, and that the caller's arrays stay the caller's."""

import numpy as np
import pytest

from enrnn_ref import arrays
from enrnn_ref.errors import DtypeError, NotFiniteError, OptionError, ParameterError, PlacementError, ShapeError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ready_arrays_pass_without_a_copy(dtype):
    array = np.ones((2, 3), dtype)
    assert np.shares_memory(arrays.float_array("x", array), array)


def test_other_layouts_become_contiguous_native_and_writable():
    base = np.arange(24, dtype=np.float64).reshape(4, 6)
    frozen = base.copy()
    frozen.flags.writeable = False
    for given in (base.T, base[::2, ::-1], np.asfortranarray(base), frozen, base.astype(">f8"), base.tolist()):
        checked = arrays.float_array("x", given)
        np.testing.assert_array_equal(checked, np.asarray(given))
        assert checked.flags.c_contiguous
        assert checked.dtype == np.float64
        assert checked.dtype.isnative
    np.testing.assert_array_equal(frozen, base)


def test_longdouble_passes_only_where_it_is_supported():
    array = np.ones(3, np.longdouble)
    assert arrays.float_array("x", array, longdouble=True).dtype == np.longdouble
    with pytest.raises(DtypeError, match=f"x has dtype {np.dtype(np.longdouble)}; expected float32 or float64"):
        arrays.float_array("x", array)


@pytest.mark.parametrize("value", [[1, 2], ["a"], [None], [1j], np.ones(2, np.float16), [True], np.array(["1"])])
def test_other_dtypes_are_refused(value):
    with pytest.raises(DtypeError, match=r"what has dtype .*; expected float32 or float64"):
        arrays.float_array("what", value)


class OnDevice:
    """What CuPy, PyTorch and Numba hand out for memory of a GPU."""

    def __init__(self, typestr="<f8", **more):
        self.__cuda_array_interface__ = {"shape": (2,), "typestr": typestr, "data": (1, False), "version": 3, **more}


def test_an_array_on_a_device_is_refused_by_name():
    with pytest.raises(
        PlacementError, match=r"x is a .*OnDevice in the memory of a CUDA device; expected an array on the"
    ):
        arrays.float_array("x", OnDevice())


class Refusing:
    """A tensor on a GPU that is asked for while its gradient is wanted."""

    @property
    def __cuda_array_interface__(self):
        raise RuntimeError("requires grad")


def test_an_array_on_a_device_that_does_not_hand_out_its_memory_is_refused_as_well():
    with pytest.raises(PlacementError, match=r"Refusing in the memory of a CUDA device"):
        arrays.float_array("x", Refusing())


def test_a_backend_adopts_what_lies_on_its_device_and_nothing_else():
    on_device, adopted = OnDevice(), np.ones((2, 3), np.float32)
    assert arrays.float_array("x", on_device, adopt={on_device: adopted}.get) is adopted
    with pytest.raises(PlacementError, match=r"x is a numpy.ndarray on the host; expected an array in the memory of"):
        arrays.float_array("x", adopted, adopt=lambda value: value)

    def untouched(value):
        raise AssertionError(f"{value} was adopted")

    with pytest.raises(DtypeError, match=r"x has dtype int64; expected float32 or float64"):
        arrays.float_array("x", OnDevice("<i8"), adopt=untouched)
    with pytest.raises(DtypeError, match=r"x is a masked array, whose mask would be lost"):
        arrays.float_array("x", OnDevice(mask=on_device), adopt=untouched)
    with pytest.raises(PlacementError, match=r"x does not hand out its memory: requires grad; expected .*detach"):
        arrays.float_array("x", Refusing(), adopt=untouched)


def test_the_first_bad_entry_is_named():
    array = np.zeros((2, 3, 4))
    array[1, 0, 2], array[1, 2, 0] = np.nan, np.inf
    with pytest.raises(NotFiniteError, match=r"x holds 2 NaN or infinite value\(s\), the first at index \(1, 0, 2\)"):
        arrays.float_array("x", array)
    with pytest.raises(NotFiniteError, match="x holds 1"):
        arrays.float_array("x", np.float64(np.nan))


def test_required_shapes():
    array = np.zeros((2, 3))
    arrays.require_shape("x", array, (2, None), "(rows, columns)")
    for shape in ((3, 2), (2,), (2, 3, 1), (None, 4)):
        with pytest.raises(ShapeError, match=r"x has shape \(2, 3\); expected .*, that is \(rows, columns\)\."):
            arrays.require_shape("x", array, shape, "(rows, columns)")
    with pytest.raises(ShapeError, match=r"expected \(any, 5\)"):
        arrays.require_shape("x", array, (None, 5), "axes")
    with pytest.raises(ShapeError, match=r"expected \(6,\)"):
        arrays.require_shape("x", array, (6,), "axes")


def test_dictionaries_come_in_declared_order_with_one_dtype():
    shapes = {"a": (2,), "b": (3,)}
    given = {"b": np.ones(3, np.float32), "a": np.ones(2, np.float32)}
    assert list(arrays.array_dict("params", given, shapes)) == ["a", "b"]
    assert list(arrays.array_dict("params", {"b": given["b"]}, shapes, partial=True)) == ["b"]
    with pytest.raises(DtypeError, match=r"params\['b'\] has dtype float64 but its companions are float32"):
        arrays.array_dict("params", {**given, "b": np.ones(3)}, shapes)
    with pytest.raises(DtypeError, match=r"params\['a'\] has dtype float32 but its companions are float64"):
        arrays.array_dict("params", given, shapes, dtype=np.float64)
    with pytest.raises(ParameterError, match=r"params has the wrong keys \(missing: \['a'\]\); expected \['a', 'b'\]"):
        arrays.array_dict("params", {"b": given["b"]}, shapes)
    with pytest.raises(ParameterError, match=r"unknown: \['c'\]; missing: \['a', 'b'\]"):
        arrays.array_dict("params", {"c": 1}, shapes)
    with pytest.raises(ParameterError, match=r"unknown: \['c'\]"):
        arrays.array_dict("params", {"c": 1}, shapes, partial=True)
    with pytest.raises(ParameterError, match="params is a list; expected a dict"):
        arrays.array_dict("params", [], shapes)


def test_integers():
    assert arrays.integer("n", np.int32(3)) == 3
    assert type(arrays.integer("n", np.int32(3))) is int
    assert arrays.integer("n", 0, least=0) == 0
    for bad in (0, -1, 2.0, True, np.True_, "3", None):
        with pytest.raises(OptionError, match=r"n is .*; expected an integer of at least 1"):
            arrays.integer("n", bad)


def test_choices():
    assert arrays.choice("rule", "a", ("a", "b")) == "a"
    for bad in ("c", None, 1, ["a"]):
        with pytest.raises(OptionError, match=r"rule is .*; expected one of 'a', 'b'"):
            arrays.choice("rule", bad, ("a", "b"))


def test_numbers():
    assert arrays.number("eps", 0) == 0.0
    assert arrays.number("eps", np.float32(0.5)) == 0.5
    for bad in (-1e-9, np.nan, np.inf, "1", None, True, 1j):
        with pytest.raises(OptionError, match="eps is "):
            arrays.number("eps", bad)
    with pytest.raises(OptionError, match=r"rate is 0.*above 0"):
        arrays.number("rate", 0.0, open_=True)
    assert arrays.number("rate", 1e-300, open_=True) == 1e-300
