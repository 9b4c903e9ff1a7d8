"""Scalar arithmetic to many digits, and the same arithmetic with every result moved a little.

A number is a raw ``mpmath.libmp`` value: the tuple (sign, mantissa, exponent, bit count).
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import shake_256
from typing import Any

from enrnn_ref.errors import DependencyError

DIGITS = 80
"""Working precision; the values are good to 50 of them after every cancellation that occurs."""

DISTURBANCE_BITS = 100
"""Disturbances are of the relative size δ = 2^-100: far above the working precision, far below what is linear."""

Raw = Any


class Arithmetic:
    """Elementary functions of raw numbers, each rounded to the working precision.

    Raises
    ------
    DependencyError
        mpmath is not installed.
    """

    def __init__(self, digits: int = DIGITS) -> None:
        self.context = context(digits)
        self._lib = _mpmath().libmp
        self._precision = self.context.prec
        self.zero, self.one, self.minus_one = self.integer(0), self.integer(1), self.integer(-1)

    def result(self, raw: Raw) -> Raw:
        """What an operation returns for its exact result (to working precision) ``raw``."""
        return raw

    def integer(self, value: int) -> Raw:
        """An integer; exact."""
        return self._lib.from_int(value)

    def given(self, value: float) -> Raw:
        """A float64 that the computation is given: an input, or a constant that is not an integer."""
        return self.result(self._lib.from_float(float(value)))

    def add(self, a: Raw, b: Raw) -> Raw:
        return self.result(self._lib.mpf_add(a, b, self._precision, "n"))

    def subtract(self, a: Raw, b: Raw) -> Raw:
        return self.result(self._lib.mpf_sub(a, b, self._precision, "n"))

    def multiply(self, a: Raw, b: Raw) -> Raw:
        return self.result(self._lib.mpf_mul(a, b, self._precision, "n"))

    def divide(self, a: Raw, b: Raw) -> Raw:
        return self.result(self._lib.mpf_div(a, b, self._precision, "n"))

    def negative(self, a: Raw) -> Raw:
        """−a; exact in any arithmetic."""
        return self._lib.mpf_neg(a)

    def function(self, name: str, a: Raw) -> Raw:
        """``exp``, ``tanh``, ``sqrt``, ``cos`` or ``sin`` of a."""
        return self.result(getattr(self._lib, f"mpf_{name}")(a, self._precision, "n"))

    def compare(self, a: Raw, b: Raw) -> int:
        """−1, 0 or 1."""
        return int(self._lib.mpf_cmp(a, b))

    def dot(self, a: list[Raw], b: list[Raw]) -> Raw:
        """Σ a_k b_k, summed from the left; 0 for no terms."""
        total = self.zero
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            product = self.multiply(x, y)
            total = self.add(total, product) if k else product
        return total

    def wrap(self, raw: Raw) -> Any:
        """A raw number as one of the context's, for its matrix functions."""
        return self.context.make_mpf(raw)


class Disturbed(Arithmetic):
    """Every result and every given number is multiplied by 1 + δ or 1 − δ, at random; zeros stay zero.

    Parameters
    ----------
    label : str
        Names the sequence of signs; the same label gives the same one everywhere.
    """

    def __init__(self, label: str, digits: int = DIGITS) -> None:
        self._factors = _factors(label)
        super().__init__(digits)

    def result(self, raw: Raw) -> Raw:
        sign, mantissa, exponent, _ = raw
        if not mantissa:
            return raw
        # Times (2^100 ± 1) / 2^100: odd times odd stays odd, which is what makes a raw number canonical.
        mantissa *= next(self._factors)
        return sign, mantissa, exponent - DISTURBANCE_BITS, mantissa.bit_length()

    def signs(self, count: int) -> list[int]:
        """The next ``count`` random signs."""
        middle = 1 << DISTURBANCE_BITS
        return [1 if next(self._factors) > middle else -1 for _ in range(count)]


def context(digits: int) -> Any:
    """An mpmath context of its own, so that nobody else's precision is touched."""
    made = _mpmath().MPContext()
    made.dps = digits
    return made


def nearest_float(raw: Raw) -> float:
    """The float64 nearest to a raw number, ties to even, subnormal numbers included."""
    sign, magnitude, exponent, _ = raw
    mantissa: int = int(-magnitude if sign else magnitude)
    if exponent >= 0:
        return float(mantissa << int(exponent))
    divisor: int = 1 << -int(exponent)
    return mantissa / divisor  # integer division is correctly rounded over the whole range


def _factors(label: str) -> Iterator[int]:
    """2^100 ± 1 at random, for ever."""
    up, down = (1 << DISTURBANCE_BITS) + 1, (1 << DISTURBANCE_BITS) - 1
    block = 0
    while True:
        for byte in shake_256(f"{label} {block}".encode()).digest(4096):
            for bit in range(8):
                yield up if byte >> bit & 1 else down
        block += 1


def _mpmath() -> Any:
    try:
        import mpmath  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise DependencyError(
            "The golden vectors need mpmath; install the extra: pip install 'enrnn-ref[vectors]'."
        ) from error
    return mpmath
