"""What the backends share: views of a tape, and how the gates' blocks are put together."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from enrnn_ref import backends
from enrnn_ref.backends.base import Run, SequenceTape, States, parts, runs
from enrnn_ref.cells import Lstm, Tanh
from enrnn_ref.cells.base import Cell
from enrnn_ref.models.drive import Drive
from enrnn_ref.models.time_blocks import Sums


def test_a_stretch_of_a_tape_ends_with_the_state_after_it():
    rng = np.random.default_rng(0)
    states = States(rng.standard_normal((8, 2, 3)), rng.standard_normal((8, 1, 2, 3)))
    z, emitted = rng.standard_normal((2, 7, 2, 3))
    part = SequenceTape(*states, z, emitted, None).between(slice(2, 5))
    for found, whole in zip(part.states, states, strict=True):
        np.testing.assert_array_equal(found, whole[2:6])
        assert np.shares_memory(found, whole)
    np.testing.assert_array_equal(part.z, z[2:5])
    np.testing.assert_array_equal(part.emitted, emitted[2:5])
    assert part.relayed is None


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ((), []),
        ((0, 1, 2), [Run(0, 0, 3)]),
        ((0, 1, 3, 4, 6), [Run(0, 0, 2), Run(3, 2, 2), Run(6, 4, 1)]),
        ((2, 3, 4, 6, 7), [Run(2, 0, 3), Run(6, 3, 2)]),
        ((1, 0), [Run(1, 0, 1), Run(0, 1, 1)]),
    ],
)
def test_neighbours_make_a_run(gates, expected):
    assert runs(gates) == expected


@pytest.mark.parametrize("cell", [Tanh(), Lstm()])
def test_rectangles_without_entries_are_no_parts(cell: Cell):
    n = 4
    rows = slice(0, n * len(cell.recurrent))
    whole = (rows, slice(0, n))
    empty = ((rows, slice(2, 2)), (slice(1, 1), slice(0, n)), (rows, slice(3, 2)))
    assert parts(cell, (*empty, whole), n) == parts(cell, (whole,), n)
    assert parts(cell, empty, n) == []


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_drive_for_gates_that_are_no_neighbours(backend):
    """Of three gates the first and the last; there and back."""
    engine, rng, n = backends.get(backend), np.random.default_rng(1), 4
    cell: Any = SimpleNamespace(gates=3, driven=(0, 2), recurrent=(1, 2), drive_bias=True)
    drive = Drive(cell, n, recurrent_bias=True)
    assert not drive.takes_all_gates
    params = {
        "input": rng.standard_normal((2 * n, 5)),
        "bias": rng.standard_normal(2 * n),
        "recurrent_bias": rng.standard_normal(2 * n),
    }
    x, z = rng.standard_normal((7, 3, 5)), np.full((7, 3, 3 * n), np.nan)
    drive.spread(engine, drive.affine(engine, params, x), params, z)
    a = x @ params["input"].T + params["bias"]
    before = np.concatenate([a[..., :n], np.zeros((7, 3, n)), a[..., n:]], axis=2)
    b = np.concatenate([np.zeros(n), params["recurrent_bias"]])
    np.testing.assert_allclose(z, before + b, rtol=1e-13, atol=1e-14)

    dz, sums = rng.standard_normal(z.shape), Sums(engine)
    da = np.concatenate([dz[..., :n], dz[..., 2 * n :]], axis=2)
    dx = drive.pullback(engine, params, dz, cell.driven)
    drive.add_sums(engine, sums, dz, cell.driven, x)
    found = sums.rounded(np.float64)
    np.testing.assert_allclose(dx, da @ params["input"], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(found["input"], np.einsum("tbk,tbi->ki", da, x), rtol=1e-12)
    np.testing.assert_allclose(found["bias"], da.sum((0, 1)), rtol=1e-12)
