"""Numbers that look random and are the same everywhere: of a label, by a hash function."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import shake_256
from math import prod


@dataclass(frozen=True)
class Tensor:
    """A shape and the entries, last axis fastest."""

    shape: tuple[int, ...]
    entries: tuple[float, ...]


def draw(label: str, shape: tuple[int, ...], *, least: float, most: float) -> Tensor:
    """Entries of random sign and a magnitude between ``least`` and ``most`` in 48 steps.

    With bounds of few binary digits that differ by 3 · 2^k every entry has few too, and is a float32 as well.
    """
    step = (most - least) / 48
    words = shake_256(label.encode()).digest(4 * prod(shape))
    entries = []
    for k in range(0, len(words), 4):
        word = int.from_bytes(words[k : k + 4], "big")
        magnitude = least + (word >> 1) % 49 * step
        entries.append(-magnitude if word & 1 else magnitude)
    return Tensor(shape, tuple(entries))
