"""The parts of the proof that a tracked leader leads, each where the others would not notice that it is missing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import block_diag

from enrnn_ref.linalg import tracking
from enrnn_ref.linalg.eigenpair import _certain
from enrnn_ref.linalg.tracking import Tracked
from tests.linalg.test_tracking import SIZE, real, rotation, surrounded


def power_of(matrix, squarings=3):
    power = tracking._Power(matrix, float(np.linalg.norm(matrix)), tracking._tolerances(matrix)[1])
    for _ in range(squarings):
        power = tracking._squared(power)
    return power


def projection_of(matrix, iterations=6, seed=0):
    """With a random basis and so many iterations."""
    power = power_of(matrix)
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(matrix), 16)))[0]
    for _ in range(iterations):
        basis = np.linalg.qr(power.matrix @ basis)[0]
    return tracking._projection(power, basis)


@pytest.mark.parametrize("seed", range(4))
def test_the_error_of_a_power_covers_all_matrices_nearby(seed):
    """[EN-13], with a tolerance so wide that rounding is nothing beside it; and not by orders of magnitude more."""
    rng = np.random.default_rng(seed)
    matrix = surrounded(rotation(0.4), seed=seed, basis_condition=1.0)
    eta = 1e-7
    power = tracking._Power(matrix, float(np.linalg.norm(matrix)), eta)
    for _ in range(3):
        power = tracking._squared(power)
    direction = rng.standard_normal(matrix.shape)
    near = matrix + eta * direction / np.linalg.norm(direction)
    exact = np.ldexp(np.linalg.matrix_power(near, power.degree), -power.exponent)
    distance = np.linalg.norm(power.matrix - exact)
    assert distance <= power.error <= 1e4 * distance
    assert power.level(1.3) == pytest.approx(1.3**8 * 2.0**-power.exponent, rel=1e-14)


def test_rounding_alone_is_in_the_error_of_a_power():
    matrix = np.random.default_rng(0).standard_normal((SIZE, SIZE))
    square = tracking._squared(tracking._Power(matrix, float(np.linalg.norm(matrix)), 0.0))
    wide = matrix.astype(np.longdouble)
    exact = np.ldexp(wide @ wide, -square.exponent)
    assert 0 < np.linalg.norm((square.matrix - exact).astype(float)) <= square.error <= 1e-10


def test_counts_are_right_whatever_the_basis():
    """[EN-15], [EN-16]: bases from useless to converged, leaders from tied to far apart."""
    proved = np.zeros(3, int)
    for seed in range(150):
        rng = np.random.default_rng(seed)
        gap = 10.0 ** rng.uniform(-4, -0.5)
        leaders = [(real(1.0), rotation(1.0, 1 - gap)), (rotation(0.8), real(gap - 1)), (real(1.0), real(gap - 1))][
            seed % 3
        ]
        matrix = surrounded(*leaders, seed=seed, bulk=0.85, basis_condition=rng.uniform(1, 30))
        p = projection_of(matrix, iterations=int(rng.integers(0, 6)), seed=seed)
        inclusion = None if p is None else tracking._inclusion(p)
        if inclusion is None:
            continue
        levels = np.array([p.power.level(modulus) for modulus in np.abs(np.linalg.eigvals(matrix))])
        assert np.count_nonzero(levels > inclusion.first) == inclusion.leaders
        assert np.count_nonzero(levels > inclusion.second) == inclusion.total
        proved[seed % 3] += 1
    assert proved.min() >= 5


def test_every_eigenvalue_outside_the_circle_lies_in_a_disc():
    """[EN-15], with coarse bases on which the discs are large, and not more than needed by a factor of a thousand."""
    ratios = []
    for seed in range(60):
        matrix = surrounded(real(1.0), rotation(1.0, 0.97), seed=seed, bulk=0.6)
        p = projection_of(matrix, iterations=seed % 3, seed=seed)
        if p is None or not p.rest + p.error < np.abs(p.values[0]):
            continue
        circle = (p.rest + p.error + np.abs(p.values[0])) / 2
        radius = tracking._radius(p, circle - p.rest - p.error)
        exact = np.linalg.eigvals(p.power.matrix)
        for value in exact[np.abs(exact) >= circle]:
            distance = np.abs(value - p.values).min()
            assert distance <= radius
            ratios.append(distance / radius)
    assert len(ratios) >= 30
    assert max(ratios) >= 1e-3


def test_discs_that_touch_prove_nothing():
    p = projection_of(surrounded(real(1.0), rotation(1.0, 0.9)))
    assert tracking._inclusion(p).leaders == 1
    for change in ({"error": 0.2}, {"up": p.up + 1.0}, {"rest": 0.9}, {"rest": np.nan}, {"up": p.up * np.nan}):
        assert tracking._inclusion(replace(p, **change)) is None
    distance = float(np.abs(p.values[0]) - np.abs(p.values[1]))
    for share, proved in ((0.4, True), (0.6, False)):  # of the distance between the first two is the radius
        close = replace(p, error=0.0, rest=0.0, down=np.full(16, 1.0), up=np.full(16, share * distance / 16))
        circle = float(np.abs(p.values[1])) / 2
        close = replace(close, down=close.down * circle, heights=np.full(16, 1e-300), error=1e-300)
        found = tracking._inclusion(close)
        assert found is None or found.first < np.abs(p.values[0]) - share * distance
        assert proved or found is None


class TestResiduals:
    """[EN-17]: what ties the vectors to the count."""

    matrix = surrounded(real(1.0), rotation(1.0, 0.9))

    def proved(self):
        p = projection_of(self.matrix)
        inclusion = tracking._inclusion(p)
        assert tracking._polished(self.matrix, p, inclusion) is not None
        return p, inclusion

    def test_a_leader_below_the_first_circle_is_refused(self):
        p, inclusion = self.proved()
        level = p.power.level(1.0)
        for first, accepted in ((level * (1 - 1e-6), True), (level * (1 + 1e-6), False)):
            found = tracking._polished(self.matrix, p, replace(inclusion, first=first))
            assert (found is not None) is accepted

    def test_a_contender_below_the_second_circle_is_refused(self):
        p, inclusion = self.proved()
        assert tracking._polished(self.matrix, p, replace(inclusion, second=p.power.level(0.95))) is None

    def test_a_pair_that_is_none_is_refused(self):
        matrix = surrounded(real(1.0), real(0.95), real(0.9))
        p = projection_of(matrix)
        claim = replace(tracking._inclusion(p), leaders=2, total=3, first=0.0, second=0.0)
        assert tracking._polished(matrix, p, replace(claim, leaders=1)) is not None
        assert tracking._polished(matrix, p, claim) is None

    def test_vectors_of_another_matrix_are_refused(self):
        p, inclusion = self.proved()
        nudge = np.random.default_rng(0).standard_normal(self.matrix.shape)
        assert tracking._polished(self.matrix + 1e-9 * nudge, p, inclusion) is None

    def test_a_left_vector_that_is_a_little_wrong_is_refused(self, monkeypatch):
        """The span of the contenders says nothing of it."""
        p, inclusion = self.proved()
        exact = tracking._invariant

        def slightly_wrong(*arguments):
            found = exact(*arguments)
            return found * (1 + 1e-10 * np.arange(SIZE)[:, None]) if arguments[-1] == inclusion.leaders else found

        monkeypatch.setattr(tracking, "_invariant", slightly_wrong)
        assert tracking._polished(self.matrix, p, inclusion) is None


def fabricated(value, second=0.5, overlap=1.0):
    """A claim with vectors of this overlap."""
    right, left = np.zeros((2, SIZE), complex)
    right[0], left[0] = 1.0, overlap
    left[1] = np.sqrt(1 - overlap**2)
    return Tracked(value, right, left, second, np.zeros((SIZE, 16)))


@pytest.mark.parametrize(
    ("claim", "certain"),
    [
        (fabricated(1.0 + 0j), True),
        (fabricated(1.0 + 0j, second=1.0 - 1e-5), True),
        (fabricated(1.0 + 0j, second=1.0 - 1e-7), False),
        (fabricated(1.0 + 1e-5j), True),
        (fabricated(1.0 + 1e-7j), False),
        (fabricated(1.0 + 0j, overlap=1e-3), True),
        (fabricated(1.0 + 0j, overlap=1e-6), False),
    ],
)
def test_near_a_degeneracy_nothing_is_certain(claim, certain):
    """A tie, a pair about to meet on the real axis, an ill-conditioned leader."""
    matrix = block_diag(real(1.0), np.zeros((SIZE - 1, SIZE - 1)))
    assert (_certain(matrix, claim, 0) is not None) is certain
