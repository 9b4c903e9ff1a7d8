"""The quotients that say something on any machine, and what is expected of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from enrnn_ref.bench.sizes import SIZES
from enrnn_ref.bench.timing import Timing, ratio

Ratio = dict[str, Any]

PEERS = ("eager", "compiled", "jax")
PEERS_FREE = ("eager_free", "compiled_free", "jax_free")
LIMIT = ("mkl", "mkl_shares")
LIMIT_OPENBLAS = ("openblas", "openblas_shares")


@dataclass(frozen=True)
class Quotient:
    """One of ``above`` over one of ``below``: of all pairs the one that suits us least.

    That is the smallest where a large one is good for us, and the largest otherwise.
    """

    text: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    large_is_good: bool = True


SHARE = "share"
QUOTIENTS = {
    "limit": Quotient("ours / matrix products alone (MKL)", ("ours",), LIMIT, False),
    "limit_openblas": Quotient("ours / matrix products alone (OpenBLAS)", ("ours",), LIMIT_OPENBLAS, False),
    "arithmetic": Quotient("ours / multiply-adds alone", ("ours",), ("arithmetic",), False),
    "peer": Quotient("best peer, R given / ours", PEERS, ("ours",)),
    "peer_free": Quotient("best peer, from the free parameters / ours", PEERS_FREE, ("ours",)),
    "rnn": Quotient("torch.nn.RNN of the same width / ours", ("torch_rnn",), ("ours",)),
    "lstm": Quotient("torch.nn.LSTM / our LSTM, equal weights", ("torch_lstm",), ("ours_lstm",)),
    "gru": Quotient("torch.nn.GRU / our GRU, equal weights", ("torch_gru",), ("ours_gru",)),
    "wide_lstm": Quotient("torch.nn.LSTM of the same width / our ENRNN", ("torch_lstm",), ("ours",)),
    "wide_gru": Quotient("torch.nn.GRU of the same width / our ENRNN", ("torch_gru",), ("ours",)),
    "decayed": Quotient("decayed / not decayed, ours", ("ours",), ("ours_fresh",), False),
    "threads": Quotient("1 thread / all threads, ours", ("ours_1_thread",), ("ours",)),
    "processors": Quotient("1 thread / all threads, multiply-adds alone", ("arithmetic_1_thread",), ("arithmetic",)),
    "reference": Quotient("backend reference / ours", ("reference",), ("ours",)),
}
TEXTS = {name: quotient.text for name, quotient in QUOTIENTS.items()} | {
    SHARE: "R from the free parameters, its pullback, optimiser / a whole step"
}
LARGE_IS_GOOD = {name: quotient.large_is_good for name, quotient in QUOTIENTS.items()} | {SHARE: False}


def ratios(times: Mapping[str, Timing], of_parts: Mapping[str, Any] | None) -> dict[str, Ratio]:
    """Every ratio whose two sides ran: median, quartiles, and ``of``, the pair."""
    found: dict[str, Ratio] = {}
    for name, quotient in QUOTIENTS.items():
        pairs = [
            {**ratio(times[above], times[below]), "of": [above, below]}
            for above, below in product(quotient.above, quotient.below)
            if above in times and below in times
        ]
        if pairs:
            hardest = min if quotient.large_is_good else max
            found[name] = hardest(pairs, key=lambda pair: pair["median"])
    if of_parts is not None:
        found[SHARE] = dict(of_parts["share"])
    return found


@dataclass(frozen=True)
class Bar:
    """What a ratio shall reach, by size; ``QUOTIENTS`` says in which direction."""

    ratio: str
    limits: dict[str, float]

    def met(self, size: str, value: float) -> bool:
        limit = self.limits[size]
        return value >= limit if LARGE_IS_GOOD[self.ratio] else value <= limit

    def wanted(self, size: str) -> str:
        return f"{'≥' if LARGE_IS_GOOD[self.ratio] else '≤'} {self.limits[size]:g}"


PEER_LIMITS = dict.fromkeys(("adding", "copying", "long", "decayed"), 2.0) | {"wide": 1.3, "tiny": 5.0, "one": 5.0}
BARS = (
    Bar("limit", dict.fromkeys(("adding", "copying", "wide"), 1.1)),
    Bar("peer_free", PEER_LIMITS),
    Bar("peer", PEER_LIMITS),
    Bar("rnn", dict.fromkeys(SIZES, 1.5)),
    Bar("lstm", dict.fromkeys(SIZES, 1.2)),
    Bar("gru", dict.fromkeys(SIZES, 1.2)),
    Bar("decayed", {"decayed": 1.1}),
    Bar(SHARE, dict.fromkeys(("adding", "copying"), 0.1)),
    Bar("threads", {"adding": 1.7}),
)
BARS_THREADS = 2  # what the bars are meant for
