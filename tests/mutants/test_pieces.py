"""What the backends share: views of a tape, and how the gates' blocks are put together."""

import numpy as np
import pytest

from enrnn_ref.backends.base import Run, SequenceTape, States, parts, runs
from enrnn_ref.cells import Lstm, Tanh
from enrnn_ref.cells.base import Cell


def test_a_stretch_of_a_tape_ends_with_the_state_after_it():
    rng = np.random.default_rng(0)
    states = States(rng.standard_normal((8, 2, 3)), rng.standard_normal((8, 1, 2, 3)))
    z, emitted = rng.standard_normal((2, 7, 2, 3))
    part = SequenceTape(states, z, emitted, None).between(slice(2, 5))
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
