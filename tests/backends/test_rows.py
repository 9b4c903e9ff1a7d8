"""A number that the compiler cannot look into is still that number."""

import numpy as np
import pytest

from enrnn_ref.backends.compiler import jit
from enrnn_ref.backends.rows import alone


@jit
def visited(rows):
    seen = np.zeros(rows, np.int64)
    for row in range(rows):
        b = alone(row)
        seen[b] += b + 1
    return seen


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_every_row_once(rows):
    np.testing.assert_array_equal(visited(rows), np.arange(1, rows + 1))
    assert 'asm "", "=r,0"' in next(iter(visited.inspect_llvm().values()))
    assert [alone(row) for row in range(rows)] == list(range(rows))
