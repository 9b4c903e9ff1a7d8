"""Products over time in tiles and slices: sizes that fill them, and sizes that do not."""

import numpy as np
import pytest

from enrnn_ref import backends
from enrnn_ref.backends.cuda import loops
from enrnn_ref.backends.cuda.products import TILE

SIDE, DEPTH = TILE.side, TILE.depth


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("times", [1, 4, 7])
@pytest.mark.parametrize("rows", [1, SIDE, SIDE + 1, 2 * SIDE - 1])
def test_sums_over_time(times, rows, dtype, monkeypatch):
    """Slices of two steps, so that there are several, and a last one that is shorter."""
    monkeypatch.setattr(loops, "SLICE_ROWS", 6)
    rng, engine, batch, columns = np.random.default_rng(rows), backends.get("cuda"), 3, 2 * SIDE + 1
    dz, x = (rng.standard_normal((times, batch, width)).astype(dtype) for width in (rows, columns))
    exact = np.einsum("tbi,tbj->ij", dz.astype(float), x.astype(float))
    bound = times * batch * np.finfo(dtype).eps * np.einsum("tbi,tbj->ij", abs(dz), abs(x)).max()
    dz_there = engine.take(dz)
    found = engine.give(engine.correlate(dz_there, engine.take(x)))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, exact, rtol=0, atol=bound)
    bound = times * batch * np.finfo(dtype).eps * abs(dz).sum(axis=(0, 1)).max()
    np.testing.assert_allclose(
        engine.give(engine.total(dz_there)), dz.sum(axis=(0, 1), dtype=float), rtol=0, atol=bound
    )


def test_slices_are_added_in_double_precision(monkeypatch):
    """Sixteen million and one: single precision would lose the one."""
    monkeypatch.setattr(loops, "SLICE_ROWS", 3)
    engine = backends.get("cuda")
    dz = np.zeros((6, 1, 1), np.float32)
    dz[0], dz[-1] = 2.0**24, 1
    there, ones = engine.take(dz), engine.take(np.ones_like(dz))
    assert engine.give(engine.total(there)) == engine.give(engine.correlate(there, ones)) == 2.0**24 + 1


@pytest.mark.parametrize("depth", [1, DEPTH, DEPTH + 1, 3 * DEPTH - 1])
@pytest.mark.parametrize("biased", [True, False])
def test_affine_maps(depth, biased):
    rng, engine = np.random.default_rng(depth), backends.get("cuda")
    x, weight = rng.standard_normal((3, SIDE - 1, depth)), rng.standard_normal((2 * SIDE + 1, depth))
    bias = rng.standard_normal(len(weight)) if biased else None
    expected = np.einsum("tbi,oi->tbo", x, weight) + (0 if bias is None else bias)
    x_there, out = engine.take(x), engine.empty(expected.shape, x.dtype)
    given = engine.take(weight), None if bias is None else engine.take(bias)
    assert engine.affine(x_there, *given, out) is out
    found = engine.give(out)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(engine.give(engine.affine(x_there, *given)), found)
    columns = engine.take(np.ascontiguousarray(weight.T)).T
    np.testing.assert_array_equal(engine.give(engine.affine(x_there, columns, given[1])), found)


def test_columns_of_a_larger_array():
    rng, engine = np.random.default_rng(0), backends.get("cuda")
    dz, x = rng.standard_normal((3, 2, 7)), rng.standard_normal((3, 2, 5))
    found = engine.give(engine.correlate(engine.take(dz)[..., 2:5], engine.take(x)[..., 1:4]))
    np.testing.assert_allclose(found, np.einsum("tbi,tbj->ij", dz[..., 2:5], x[..., 1:4]), rtol=1e-13, atol=1e-14)
