"""What an implementation answers to a case: a tree of arrays, some of which may be unusable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.verify.vectors.case import Case
from enrnn_ref.verify.verdicts import Verdict

Node = object
"""An array, a dict of nodes, an :class:`Unusable`, or whatever else came: nothing is known before it is judged."""


@dataclass(frozen=True)
class Unusable:
    """Stands in an answer where an array, a part, or all of it should be.

    Attributes
    ----------
    verdict : Verdict
        What to report for everything below this place.
    detail : str
        What came, and what was expected.
    """

    verdict: Verdict
    detail: str


class Answer(NamedTuple):
    """What came for ``case``, computed in ``dtype``."""

    case: Case
    content: Node
    dtype: np.dtype[Any]
