"""The parts of a picture: lines, labels, a logarithmic frame, and the element around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from enrnn_ref.verify.page.text import escaped

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_TICKS = 8

Point = tuple[float, float]


def svg(size: tuple[float, float], identity: str, title: str, told: str, parts: Sequence[str]) -> str:
    """The picture; ``told`` says in words what it shows, to those who do not see it."""
    width, height = size
    return (
        f'<svg role="img" xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" aria-labelledby="{identity}-title {identity}-desc">'
        f'<title id="{identity}-title">{escaped(title)}</title><desc id="{identity}-desc">{escaped(told)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def line(style: str, start: Point, end: Point) -> str:
    """A straight line."""
    return f'<line class="{style}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'


def label(x: float, y: float, words: str, anchor: str = "start") -> str:
    """Text; ``anchor`` is ``"start"``, ``"middle"`` or ``"end"``."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escaped(words)}</text>'


def rectangle(style: str, corner: Point, size: Point) -> str:
    """A rectangle from its upper left corner."""
    (x, y), (width, height) = corner, size
    return f'<rect class="{style}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'


def power_of_ten(exponent: int) -> str:
    """``10⁻³``."""
    return f"10{str(exponent).translate(_SUPERSCRIPTS)}"


def decades(values: Sequence[float]) -> tuple[int, int]:
    """Two exponents of ten, at least two apart, with all of the positive values between them."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return (low, high) if high - low > 1 else (low - 1, max(high, low + 1))


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis: ``low`` and ``high`` are exponents of ten, ``start`` and ``end`` places in the picture."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value; the nearest end where it lies outside."""
        exponent = math.log10(value) if value > 0.0 else -math.inf
        share = (min(max(exponent, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and names of powers of ten, not too many."""
        step = math.ceil((self.high - self.low) / _TICKS)
        return [(self.at(10.0**e), power_of_ten(e)) for e in range(self.low, self.high + 1, step)]
