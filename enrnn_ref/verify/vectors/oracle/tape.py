"""A computation in scalars, recorded with the slope of every operation: its gradient and its tangent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from enrnn_ref.verify.vectors.oracle.arithmetic import Arithmetic, Raw, nearest_float


class Tape:
    """Values, where each came from, and by what slopes.

    Parameters
    ----------
    arithmetic : Arithmetic
    decisions : sequence of int, optional
        What an earlier tape of the same computation decided at its comparisons. A disturbed computation follows the
        branches of the undisturbed one, also at a kink.

    Attributes
    ----------
    decisions : list of int
        What was decided at every comparison.
    margins : list of float
        How far every decision of a sign was from turning out otherwise.
    """

    def __init__(self, arithmetic: Arithmetic, decisions: Sequence[int] | None = None) -> None:
        self.arithmetic = arithmetic
        self.decisions: list[int] = []
        self.margins: list[float] = []
        self._script = None if decisions is None else iter(decisions)
        self._parents: list[tuple[int, ...]] = []
        self._slopes: list[tuple[Raw, ...]] = []

    def given(self, value: float) -> Number:
        """An input, or a constant of the model that is not an integer."""
        return self.record(self.arithmetic.given(value), (), ())

    def constant(self, value: int) -> Number:
        """An integer, which nothing disturbs."""
        return self.record(self.arithmetic.integer(value), (), ())

    def record(self, raw: Raw, parents: Sequence[Number], slopes: Sequence[Raw]) -> Number:
        """The result of an operation: its value, what it depends on, and the derivatives."""
        self._parents.append(tuple(parent.index for parent in parents))
        self._slopes.append(tuple(slopes))
        return Number(self, len(self._parents) - 1, raw)

    def decide(self, choose: Callable[[], int]) -> int:
        """The outcome of a comparison: that of the earlier tape if there is one, else ``choose()``."""
        decision = choose() if self._script is None else next(self._script)
        self.decisions.append(decision)
        return decision

    def sign(self, number: Number) -> int:
        """−1, 0 or 1, as a decision."""
        self.margins.append(abs(nearest_float(number.raw)))
        return self.decide(lambda: self.arithmetic.compare(number.raw, self.arithmetic.zero))

    def gradient(self, cotangents: Mapping[int, Raw]) -> list[Raw]:
        """The derivative of Σ cotangent · value with respect to every number of the tape, in reverse order of time."""
        arithmetic = self.arithmetic
        arrived: list[Raw] = [arithmetic.zero] * len(self._parents)
        for index, cotangent in cotangents.items():
            arrived[index] = cotangent
        for index in range(len(self._parents) - 1, -1, -1):
            bar = arrived[index]
            if bar != arithmetic.zero:
                for parent, slope in zip(self._parents[index], self._slopes[index], strict=True):
                    arrived[parent] = self._added(arrived[parent], self._scaled(slope, bar))
        return arrived

    def tangent(self, directions: Mapping[int, Raw]) -> list[Raw]:
        """The derivative of every number of the tape along the directions of some of them."""
        arithmetic = self.arithmetic
        moved: list[Raw] = []
        for index, (parents, slopes) in enumerate(zip(self._parents, self._slopes, strict=True)):
            total = directions.get(index, arithmetic.zero)
            for parent, slope in zip(parents, slopes, strict=True):
                if moved[parent] != arithmetic.zero:
                    total = self._added(total, self._scaled(slope, moved[parent]))
            moved.append(total)
        return moved

    def _scaled(self, slope: Raw, raw: Raw) -> Raw:
        """slope · raw; a slope of ±1 is no operation."""
        arithmetic = self.arithmetic
        if slope is arithmetic.one:
            return raw
        if slope is arithmetic.minus_one:
            return arithmetic.negative(raw)
        return arithmetic.multiply(slope, raw)

    def _added(self, total: Raw, raw: Raw) -> Raw:
        """total + raw; adding to nothing is no operation."""
        return raw if total == self.arithmetic.zero else self.arithmetic.add(total, raw)


class Number:
    """A value on a tape. The other operand of an operation is a number of the same tape or an exact integer."""

    __slots__ = ("index", "raw", "tape")

    def __init__(self, tape: Tape, index: int, raw: Raw) -> None:
        self.tape, self.index, self.raw = tape, index, raw

    def __add__(self, other: Number | int) -> Number:
        a = self.tape.arithmetic
        if isinstance(other, int):
            return self.tape.record(a.add(self.raw, a.integer(other)), (self,), (a.one,))
        return self.tape.record(a.add(self.raw, other.raw), (self, other), (a.one, a.one))

    __radd__ = __add__

    def __neg__(self) -> Number:
        a = self.tape.arithmetic
        return self.tape.record(a.negative(self.raw), (self,), (a.minus_one,))

    def __sub__(self, other: Number | int) -> Number:
        a = self.tape.arithmetic
        if isinstance(other, int):
            return self + (-other)
        return self.tape.record(a.subtract(self.raw, other.raw), (self, other), (a.one, a.minus_one))

    def __rsub__(self, other: int) -> Number:
        return -self + other

    def __mul__(self, other: Number | int) -> Number:
        a = self.tape.arithmetic
        if isinstance(other, int):
            factor = a.integer(other)
            return self.tape.record(a.multiply(factor, self.raw), (self,), (factor,))
        return self.tape.record(a.multiply(self.raw, other.raw), (self, other), (other.raw, self.raw))

    __rmul__ = __mul__

    def __truediv__(self, other: Number | int) -> Number:
        a = self.tape.arithmetic
        if isinstance(other, int):
            divisor = a.integer(other)
            return self.tape.record(a.divide(self.raw, divisor), (self,), (a.divide(a.one, divisor),))
        quotient, inverse = a.divide(self.raw, other.raw), a.divide(a.one, other.raw)
        return self.tape.record(quotient, (self, other), (inverse, a.negative(a.multiply(quotient, inverse))))


def dot(tape: Tape, a: Sequence[Number], b: Sequence[Number]) -> Number:
    """Σ a_k b_k as one entry of the tape."""
    left, right = [x.raw for x in a], [x.raw for x in b]
    return tape.record(tape.arithmetic.dot(left, right), (*a, *b), (*right, *left))


def exp(x: Number) -> Number:
    """e^x."""
    value = x.tape.arithmetic.function("exp", x.raw)
    return x.tape.record(value, (x,), (value,))


def tanh(x: Number) -> Number:
    """tanh x, with the slope 1 − tanh² x."""
    a = x.tape.arithmetic
    value = a.function("tanh", x.raw)
    return x.tape.record(value, (x,), (a.subtract(a.one, a.multiply(value, value)),))


def sigmoid(x: Number) -> Number:
    """σ(x) = 1/(1 + e^−x), with the slope σ (1 − σ)."""
    a = x.tape.arithmetic
    value = a.divide(a.one, a.add(a.one, a.function("exp", a.negative(x.raw))))
    return x.tape.record(value, (x,), (a.multiply(value, a.subtract(a.one, value)),))


def sqrt(x: Number) -> Number:
    """√x for x > 0."""
    a = x.tape.arithmetic
    value = a.function("sqrt", x.raw)
    return x.tape.record(value, (x,), (a.divide(a.one, a.multiply(a.integer(2), value)),))


def cos(x: Number) -> Number:
    """cos x."""
    a = x.tape.arithmetic
    return x.tape.record(a.function("cos", x.raw), (x,), (a.negative(a.function("sin", x.raw)),))


def sin(x: Number) -> Number:
    """sin x."""
    a = x.tape.arithmetic
    return x.tape.record(a.function("sin", x.raw), (x,), (a.function("cos", x.raw),))


def magnitude(x: Number) -> Number:
    """|x|, with the slope from above at 0."""
    return -x if x.tape.sign(x) < 0 else x


def relu(x: Number) -> Number:
    """max(x, 0), with the slope 0 at 0."""
    return x if x.tape.sign(x) > 0 else x.tape.constant(0)
