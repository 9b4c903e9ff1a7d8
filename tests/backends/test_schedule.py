"""The count of a schedule, compiled: no number of steps and no restart is off by one [MO-6] [MO-13]."""

import math

import numba
import numpy as np
import pytest

from enrnn_ref.backends.kernels import compile_kernels
from enrnn_ref.cells.restart import period, schedule, unit_schedule
from enrnn_ref.filters import ScheduledMomentum

compile_kernels(ScheduledMomentum(0.7, 3))  # makes what the cells' functions call known to the compiler
KINDS = pytest.mark.parametrize(
    ("kind", "largest"), [(np.float32, 2**24), (np.float64, 2**53)], ids=["single", "double"]
)


@numba.njit(error_model="numpy")
def _scheduled(phases, restarts, factors, following):
    for j in range(phases.size):
        factors[j], following[j] = unit_schedule(phases[j], restarts[j])


def compiled(phases, restarts, kind):
    """m and the next phase; ``restarts`` as a user gives them, whole numbers."""
    phases = np.asarray(phases).astype(kind)
    found = np.empty_like(phases), np.empty_like(phases)
    _scheduled(phases, np.array([period(int(restart)) for restart in restarts], kind), *found)
    return found


def assert_exact(counts, restarts, kind):
    """Against whole numbers; the next phase is a rounded sum where the largest count is passed."""
    counts, restarts = (np.asarray(array, np.int64) for array in np.broadcast_arrays(counts, restarts))
    k = np.where(restarts > 0, counts % np.maximum(restarts, 1), counts)
    factors, following = compiled(counts, restarts, kind)
    np.testing.assert_array_equal(factors, k.astype(kind) / (k.astype(kind) + kind(3)))
    np.testing.assert_array_equal(following, np.where(k + 1 == restarts, 0, k.astype(kind) + kind(1)))


@KINDS
def test_every_small_count(kind, largest):
    counts, restarts = np.meshgrid(np.arange(400), np.arange(400))
    assert_exact(counts.ravel(), restarts.ravel(), kind)


@KINDS
def test_counts_beside_a_multiple_of_the_restart(kind, largest):
    """Where the quotient is nearest to a whole number, and its spacing as wide as it gets."""
    rng = np.random.default_rng(0)
    restarts = np.concatenate([np.arange(1, 3000), 2 ** rng.uniform(0, math.log2(largest), 30_000), [largest]])
    restarts = restarts.astype(np.int64)
    highest = np.concatenate([np.full(restarts.size // 2, largest), 2 ** rng.uniform(0, math.log2(largest), 20_000)])
    highest = highest.astype(np.int64)[: restarts.size]
    restarts = restarts[: highest.size]
    for beside in (-1, 0, 1):
        assert_exact(np.clip(highest // restarts * restarts + beside, 0, largest), restarts, kind)


@KINDS
def test_divisors_of_the_number_after_the_largest_count(kind, largest):
    """The one place where the proof needs more than the size of the numbers."""
    restarts = np.array([f for f in range(1, 20_000) if (largest + 1) % f == 0])
    assert restarts.size > 1
    assert_exact(np.full(restarts.size, largest), restarts, kind)


def test_every_count_of_single_precision():
    counts = np.arange(2**24 + 1)
    for restart in (3, 97, 4097, 2**24 - 1):
        assert_exact(counts, restart, np.float32)


@KINDS
@pytest.mark.parametrize("restart", [0, 1, 7])
def test_phases_that_are_no_counts(kind, largest, restart):
    """The readable version says what they are; beyond the largest count it is a factor all the same, and NaN passes."""
    phases = np.array([-0.3, -3.0, -1e30, -0.0, 0.2, 0.74, 0.76, 6.8, 1234.74, 1234.76, np.nan], kind)
    expected = schedule(phases, restart)
    np.testing.assert_array_equal(compiled(phases, np.full(phases.size, restart), kind), expected)
    huge = np.geomspace(largest, 1e37, 3000).astype(kind)
    factors, following = compiled(huge, np.full(huge.size, restart), kind)
    assert ((factors >= 0) & (factors <= 1)).all()
    assert (following >= 0).all()
    assert restart == 0 or (following < max(restart, 1)).all()


@KINDS
@pytest.mark.parametrize("restart", [2**110, 10**40, 10**400])
def test_a_restart_that_no_count_reaches_is_none(restart, kind, largest):
    counts = np.array([0, 1, 3, 1000, largest - 1])
    for found, expected in zip(compiled(counts, [restart] * 5, kind), compiled(counts, [0] * 5, kind), strict=True):
        np.testing.assert_array_equal(found, expected)
