"""The pair that suits us least is the one that counts, in the direction that each ratio has."""

import pytest

from enrnn_ref.bench import SIZES
from enrnn_ref.bench.ratios import BARS, QUOTIENTS, SHARE, ratios
from tests.bench.small import times


def test_the_fastest_peer_and_the_fastest_products_count():
    found = ratios(times(ours=2.0, eager=9.0, jax=6.0, mkl=1.9, mkl_shares=1.6), None)
    assert found["peer"]["of"] == ["jax", "ours"]
    assert found["peer"]["median"] == pytest.approx(3.0)
    assert found["limit"]["of"] == ["ours", "mkl_shares"]
    assert found["limit"]["median"] == pytest.approx(1.25)
    assert "peer_free" not in found
    assert SHARE not in found


def test_bars_know_their_direction():
    limits = {bar.ratio: bar for bar in BARS}
    assert limits["limit"].met("adding", 1.1)
    assert not limits["limit"].met("adding", 1.2)
    assert limits["peer"].met("tiny", 5.0)
    assert not limits["peer"].met("tiny", 4.9)
    assert limits["peer"].wanted("wide") == "≥ 1.3"
    assert limits[SHARE].wanted("copying") == "≤ 0.1"


def test_bars_are_for_named_sizes_and_known_ratios():
    assert len({bar.ratio for bar in BARS}) == len(BARS)
    for bar in BARS:
        assert bar.ratio in {*QUOTIENTS, SHARE}
        assert bar.limits.keys() <= SIZES.keys()
