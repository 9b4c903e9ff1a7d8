"""Text of a page: escaped, and numbers with the digits that a reader can use."""

from __future__ import annotations

import math
import re
from html import escape

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(value: object) -> str:
    """The value's text, safe between tags; what no document may hold becomes U+FFFD."""
    return escape(_UNPRINTABLE.sub("\ufffd", str(value)), quote=False)


def number(value: complex | None) -> str:
    """Six significant digits."""
    if value is None:
        return "–"
    if isinstance(value, complex):
        sign = "−" if value.imag < 0.0 or math.isnan(value.imag) else "+"
        return f"{number(value.real)} {sign} {number(abs(value.imag))}i"
    return _named(float(value)) or _minus(f"{value + 0.0:.6g}")  # no minus before a zero


def small(value: float) -> str:
    """Two significant digits of an error or a tolerance; a dash where nothing was measured."""
    if math.isnan(value):
        return "–"
    return _named(float(value)) or ("0" if value == 0.0 else _minus(f"{value:.1e}"))


def index_text(index: tuple[int, ...] | None) -> str:
    """As it is written in Python, without the array."""
    return "–" if index is None else "[" + ", ".join(map(str, index)) + "]"


def plural(count: int, noun: str) -> str:
    """``1 row``, ``2 rows``; ``1 entry``, ``2 entries``."""
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


def _named(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return ("∞" if value > 0.0 else "−∞") if math.isinf(value) else ""


def _minus(digits: str) -> str:
    return digits.replace("-", "−")
