"""The verdicts of a check: each has a name, and a paragraph on what was seen, what it may mean and what to do."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a check found. ``verdict.help`` is its paragraph."""

    PASSED = "passed"
    WRONG = "wrong"
    KINK = "kink"
    VANISHED = "vanished"
    ILL_CONDITIONED = "ill-conditioned"
    NONDETERMINISTIC = "nondeterministic"
    SHAPE = "shape"
    NOT_FINITE = "not finite"
    MUTATED_INPUT = "mutated input"
    NO_ANSWER = "no answer"

    @property
    def help(self) -> str:
        """What was seen, what it may mean, what to do."""
        return _HELP[self]


_HELP = {
    Verdict.PASSED: (
        "The error is within its tolerance, and the tolerance is small enough to have told a zero from the value. The "
        "tolerance follows from the error estimate of the differences and from how far rounding moves the value."
    ),
    Verdict.WRONG: (
        "The error is larger than rounding and the error of the numeric value together can explain, and no kink is the "
        "reason. Look at the worst entry: a factor of 2, a sign, a zero or the value of a neighbour usually names the "
        "mistake; where one of the catalogue explains all numbers, the diagnosis names it."
    ),
    Verdict.KINK: (
        "The two one-sided derivatives differ by more than their errors at every step size, so there is no derivative "
        "to compare with. An analytic value between the two is accepted. Where the function jumps (differences grow "
        "like 1/h) no value is right or wrong. Move the point, unless the convention at the kink is what is examined."
    ),
    Verdict.VANISHED: (
        "The entries are too small to be seen in the function: differences can tell neither the analytic values nor "
        "zeros from the truth, so nothing has been decided. Give a tangent, which has no such limit, or let the "
        "function depend on the argument more strongly (fewer steps, outputs nearer to the argument)."
    ),
    Verdict.ILL_CONDITIONED: (
        "Moving every input by one unit in the last place changes the result by as much as the result itself: in this "
        "precision no digit of it is determined, and agreement would mean nothing. Use fewer steps, a point of smaller "
        "gain, or a wider dtype."
    ),
    Verdict.NONDETERMINISTIC: (
        "Two calls with the same arguments returned different bits. Look for a random draw inside the function, for "
        "state hidden in an object, or for a parallel sum whose order is not fixed."
    ),
    Verdict.SHAPE: (
        "A result does not have the structure, shape or dtype that its argument prescribes: a gradient has those of "
        "the argument it belongs to, a derivative of the output those of the output."
    ),
    Verdict.NOT_FINITE: (
        "A result holds NaN or infinity. Look for an overflow in the forward pass, for a division by zero, or for a "
        "point outside the domain of the function."
    ),
    Verdict.MUTATED_INPUT: (
        "The call changed an array it was given. Later results then depend on the order of calls; work on a copy."
    ),
    Verdict.NO_ANSWER: (
        "The checked code gave no result to judge: it raised, ended, fell silent, declined, or sent something that is "
        "not an answer. The detail says which; nothing is known about its numbers."
    ),
}
