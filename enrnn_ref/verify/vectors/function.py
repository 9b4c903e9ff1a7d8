"""A Python callable as an implementation: called once a case, on copies, and watched."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array, Arrays, float_dtype
from enrnn_ref.verify.vectors.answer import Answer, Node, Unusable
from enrnn_ref.verify.vectors.case import Case
from enrnn_ref.verify.vectors.schema import shortened
from enrnn_ref.verify.verdicts import Verdict


class Function:
    """A callable that takes a :class:`Case` and returns an answer (see :func:`judge`).

    Parameters
    ----------
    function : callable
    dtype : float64 or float32
        The precision in which it computes; the arrays it is given are float64.

    Attributes
    ----------
    name : str
        What reports call it.

    Raises
    ------
    DtypeError
        ``dtype`` is neither float64 nor float32.
    """

    def __init__(self, function: Callable[[Case], Mapping[str, Any]], dtype: npt.DTypeLike = np.float64) -> None:
        self.name = str(getattr(function, "__qualname__", type(function).__qualname__))
        self._function, self._dtype = function, float_dtype(dtype)

    def answers(self, cases: Sequence[Case]) -> Generator[Answer, None, None]:
        """The answer to each case, in their order."""
        for case in cases:
            yield Answer(case, self._answer(case), self._dtype)

    def _answer(self, case: Case) -> Node:
        given = deepcopy(case)  # whatever happens to it, the next case and the judge see the original
        try:
            found = self._function(given)
        except Exception as error:  # it is the user's code
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename}, line {frame.lineno}"
            return Unusable(Verdict.NO_ANSWER, shortened(f"raised {type(error).__name__}: {error} ({place})"))
        before, after = case.inputs(), given.inputs()
        for name, array in before.items():
            if name not in after or not _same_bits(array, after[name]):
                return Unusable(Verdict.MUTATED_INPUT, f"{name} was changed by the call")
        return _without_aliases(found, after)


def _same_bits(first: Array, second: Array) -> bool:
    return first.shape == second.shape and first.dtype == second.dtype and first.tobytes() == second.tobytes()


def _without_aliases(found: Node, given: Arrays) -> Node:
    """``found`` with :class:`Unusable` in place of every array that is, or is a view of, one that was given."""
    if isinstance(found, Mapping):
        return {key: _without_aliases(child, given) for key, child in found.items()}
    if isinstance(found, np.ndarray):
        for name, array in given.items():
            if np.may_share_memory(found, array):
                return Unusable(Verdict.MUTATED_INPUT, f"shares its memory with the given {name}; return a new array")
    return found
