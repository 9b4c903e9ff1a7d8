"""Products with a packed matrix: compiled and plain agree, touch nothing else; a row has the same bits anywhere."""

import numba
import numpy as np
import pytest

from enrnn_ref.backends import products
from enrnn_ref.backends.products import DEPTH, TILE_ROWS, Term, pack
from enrnn_ref.backends.tile import PANEL_BYTES, lanes

KINDS = (np.float32, np.float64)


@numba.njit
def _compiled(target, source, packed):
    products.add_product(target, source, packed)


def _arrays(kind, batch, target, source, seed=0):
    rng = np.random.default_rng([seed, batch])
    return (rng.standard_normal((batch, width)).astype(kind) for width in (target, source))


def _rounding(kind, target, source, matrix):
    """A bound on the error of sums of a row of ``source`` with one of ``matrix``, added to ``target``."""
    size = np.abs(target) + np.abs(source) @ np.abs(matrix.T)
    return (source.shape[1] + 1) * np.finfo(kind).eps * size.astype(np.float64)


@pytest.mark.parametrize("batch", [0, 1, 2, TILE_ROWS, TILE_ROWS + 1, 3 * TILE_ROWS + 5])
@pytest.mark.parametrize(
    ("width", "depth"), [(1, 1), (3, 40), (16, 2), (37, 7), (64, 19), (5, DEPTH), (17, 2 * DEPTH + 3)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_product_of_any_size(kind, width, depth, batch):
    target, source = _arrays(kind, batch, width, depth)
    matrix = np.random.default_rng(1).standard_normal((width, depth)).astype(kind)
    packed, exact = pack([Term(0, 0, matrix)], kind), target + source.astype(np.float64) @ matrix.T
    for multiply in (_compiled, products.add_product):
        found = target.copy()
        multiply(found, source, packed)
        assert found.dtype == kind
        assert np.all(np.abs(found - exact) <= _rounding(kind, target, source, matrix))


@pytest.mark.parametrize("multiply", [_compiled, products.add_product], ids=["compiled", "plain"])
@pytest.mark.parametrize("kind", KINDS)
def test_rectangles_take_and_change_their_own_columns(kind, multiply):
    """Two overlapping in the target, two in the source; columns in between stay as they are."""
    target, source = _arrays(kind, 5, 60, 31)
    rng = np.random.default_rng(2)
    places = ((2, 20, 0, 9), (20, 21, 3, 28), (45, 14, 30, 1), (45, 3, 0, 31))  # target, width, source, depth
    terms = [Term(at, since, rng.standard_normal((width, depth)).astype(kind)) for at, width, since, depth in places]
    matrix = np.zeros((60, 31))
    for (at, width, since, depth), term in zip(places, terms, strict=True):
        matrix[at : at + width, since : since + depth] += term.block
    found = target.copy()
    multiply(found, source, pack([*terms, Term(7, 7, np.empty((0, 4), kind))], kind))
    exact = target + source.astype(np.float64) @ matrix.T
    assert np.all(np.abs(found - exact) <= _rounding(kind, target, source, np.abs(matrix)))
    untouched = ~matrix.any(axis=1)
    assert 5 < untouched.sum() < 10
    np.testing.assert_array_equal(found[:, untouched], target[:, untouched])


@pytest.mark.parametrize("multiply", [_compiled, products.add_product], ids=["compiled", "plain"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_has_the_same_bits_whatever_it_is_multiplied_with(kind, multiply):
    width = 5 * lanes(kind) + 3  # with few rows, panels are taken together as well as one by one
    target, source = _arrays(kind, 2 * TILE_ROWS + 3, width, 29)
    packed = pack([Term(0, 0, np.random.default_rng(3).standard_normal((width, 29)).astype(kind))], kind)
    together = target.copy()
    multiply(together, source, packed)
    for lo in range(len(target)):
        for hi in range(lo + 1, len(target) + 1):
            alone = target[lo:hi].copy()
            multiply(alone, source[lo:hi], packed)
            assert alone.tobytes() == together[lo:hi].tobytes()


def test_nothing_to_multiply():
    target, source = np.ones((3, 4)), np.ones((3, 2))
    _compiled(target, source, pack([], np.float64))
    np.testing.assert_array_equal(target, np.ones((3, 4)))


def test_not_a_number_spreads_along_its_row_alone():
    target, source = np.zeros((8, 5)), np.ones((8, 3))
    source[4, 1] = np.nan
    _compiled(target, source, pack([Term(0, 0, np.ones((5, 3)))], np.float64))
    assert np.isnan(target[4]).all()
    np.testing.assert_array_equal(np.delete(target, 4, axis=0), np.full((7, 5), 3.0))


@pytest.mark.parametrize("which", ["target", "source"])
def test_an_array_in_another_order_is_refused_while_compiling(which):
    """It would be read transposed, without a word."""
    arrays = {"target": np.zeros((2, 4)), "source": np.ones((2, 3))}
    arrays[which] = np.asfortranarray(arrays[which])
    with pytest.raises(numba.core.errors.TypingError, match="not contiguous by rows"):
        _compiled(*arrays.values(), pack([Term(0, 0, np.ones((4, 3)))], np.float64))


@pytest.mark.parametrize("kind", KINDS)
def test_panels_are_the_matrix_and_zeros(kind):
    """Numbers in the lanes behind it would be multiplied too, and subnormal ones slowly."""
    wide, depth = lanes(kind), 5
    for width in (1, wide, 2 * wide + 3):
        room = np.full((width + 7, depth), np.nan, kind)
        matrix = room[:width]
        matrix[:] = np.random.default_rng(width).standard_normal((width, depth))
        stack = pack([Term(0, 0, matrix)], kind).panels.reshape(-1, depth, wide).swapaxes(1, 2).reshape(-1, depth)
        np.testing.assert_array_equal(stack[:width], matrix)
        assert not stack[width:].any()


@pytest.mark.parametrize("kind", KINDS)
def test_panels_take_no_more_room_than_their_last_lanes(kind):
    matrix = np.ones((2 * lanes(kind) + 1, DEPTH + 2), kind)
    assert pack([Term(0, 0, matrix)], kind).panels.size == 3 * lanes(kind) * (DEPTH + 2)
    nothing = pack([], kind)
    assert (nothing.panels.shape, nothing.panels.dtype, nothing.terms.shape) == ((0,), kind, (0, 5))


@pytest.mark.parametrize("kind", KINDS)
def test_panels_begin_with_a_line_of_the_cache(kind):
    """Else every row of a panel lies in two, and takes two loads."""
    held = [pack([Term(0, 0, np.ones((width, 5), kind))], kind).panels for width in range(1, 40)]  # none in one's place
    assert not any(panels.ctypes.data % PANEL_BYTES for panels in held)
