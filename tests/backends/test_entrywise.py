"""Functions of scalars over many arrays, together or alone: the same results, and what is not finite is found."""

import numpy as np
import pytest

from enrnn_ref.backends.entrywise import SMALL, Entrywise, norm_on_host, on_host


def _doubled(arrays, settings):
    """2a + b·s and a·b."""
    (a, b), (s,) = arrays, settings
    return 2 * a + b * s, a * b


SHAPES = ((3, 4), (), (5,), (SMALL + 1,), (2, 1, 3), (SMALL,))
DTYPES = (np.float64, np.float32)


def _tasks(setting=0.5):
    rng = np.random.default_rng(0)
    kinds = [(shape, dtype) for dtype in DTYPES for shape in SHAPES]
    pairs = [tuple(np.asarray(rng.standard_normal(shape)).astype(dtype) for _ in range(2)) for shape, dtype in kinds]
    return [Entrywise(_doubled, pair, (setting,), 2) for pair in pairs]


def test_each_array_gets_its_own_results():
    tasks = _tasks()
    found = on_host(tasks)
    assert found.broken() is None
    for task, results in zip(tasks, found.results, strict=True):
        a, b = task.arrays
        expected = 2 * a + b * a.dtype.type(0.5), a * b
        for result, array in zip(results, expected, strict=True):
            assert isinstance(result, np.ndarray)
            np.testing.assert_array_equal(result, array, strict=True)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(len(DTYPES) * len(SHAPES)))
def test_the_first_with_anything_not_finite_is_named(place, bad):
    tasks = _tasks()
    tasks[place].arrays[1][...] = bad
    assert on_host(tasks).broken() == place
    tasks[-1].arrays[0][...] = bad
    assert on_host(tasks).broken() == place


def test_what_is_large_is_finite_though_its_square_is_not():
    large = [np.full(3, 1e200), np.full(SMALL + 1, -1e200), np.full(2, 1e30, np.float32)]
    tasks = [Entrywise(_doubled, (array, np.zeros_like(array)), (1.0,), 2) for array in large]
    assert on_host(tasks).broken() is None


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 0.3, 1.0, 7.0, 1e200])
def test_the_norm_of_all_entries(scale):
    """Of whatever sign and size: no square overflows or underflows."""
    arrays = [-scale * np.array([[3.0, 4.0]]), -scale * np.full(3, 12.0), np.zeros(2), np.array(-scale * 7.0)]
    assert norm_on_host(arrays) == pytest.approx(scale * np.sqrt(9 + 16 + 3 * 144 + 49), rel=1e-14, abs=0.0)
    assert norm_on_host([np.zeros(3), np.zeros((0, 2))]) == 0.0
    assert norm_on_host([]) == 0.0


def test_the_norm_of_what_is_not_finite():
    assert norm_on_host([np.ones(2), np.array([1.0, -np.inf])]) == np.inf
    assert np.isnan(norm_on_host([np.array([np.nan, 1.0]), np.ones(2)]))
