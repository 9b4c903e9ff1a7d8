"""Where answers come from, and the way from any of them to a suite of reports."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from enrnn_ref.arrays import choice
from enrnn_ref.errors import OptionError
from enrnn_ref.verify.report import Report
from enrnn_ref.verify.vectors.answer import Answer
from enrnn_ref.verify.vectors.answers import AnswersFile
from enrnn_ref.verify.vectors.case import Case, load
from enrnn_ref.verify.vectors.function import Function
from enrnn_ref.verify.vectors.judge import judge, unanswered
from enrnn_ref.verify.vectors.process import Program
from enrnn_ref.verify.vectors.suite import Suite
from enrnn_ref.verify.verdicts import Verdict

DIAGNOSED = 3
"""How many failed cases of a model are searched for the mistake: more of them would tell the same, and take minutes."""


class Source(Protocol):
    """An implementation: :class:`AnswersFile`, :class:`Program`, :class:`Function`."""

    name: str

    def answers(self, cases: Sequence[Case]) -> Generator[Answer, None, None]:
        """The answer to each case, in their order."""


Subject = AnswersFile | Program | Function | Callable[[Case], Mapping[str, Any]] | str | Path


def verify(subject: Subject, models: Sequence[str] | None = None) -> Suite:
    """Judge an implementation on the golden vectors of this package.

    Parameters
    ----------
    subject : callable, path, Function, Program or AnswersFile
        A callable takes a :class:`Case` and returns a dict of float64 arrays as :func:`judge` describes it; a path is
        that of a file of answers.
    models : sequence of str or None
        Only the cases of these models.

    Raises
    ------
    OptionError
        ``subject`` is none of these, or a model has no golden vectors.
    DataError
        The file of answers is missing, not JSON, or not a file of answers of this version.
    DependencyError
        jsonschema is not installed (files and programs need it).
    """
    source, cases = source_of(subject), load()
    return Suite(source.name, tuple(judged(source, cases, models)))


def source_of(subject: Subject) -> Source:
    """``subject`` as a source."""
    if isinstance(subject, (AnswersFile, Program, Function)):
        return subject
    if isinstance(subject, (str, os.PathLike)):
        return AnswersFile(subject)
    if callable(subject):
        return Function(subject)
    raise OptionError(f"subject is {subject!r}; expected a callable, the path of a file of answers, or a Program.")


def judged(source: Source, cases: Sequence[Case], models: Sequence[str] | None = None) -> Generator[Report, None, None]:
    """A report for each case of the given models as soon as it is answered, then one for each unknown answer."""
    known = tuple(dict.fromkeys(case.model for case in cases))
    wanted = known if models is None else [choice("model", name, known) for name in models]
    failed: Counter[str] = Counter()
    with closing(source.answers([case for case in cases if case.model in wanted])) as answers:
        for answer in answers:
            report = judge(*answer, diagnose=failed[answer.case.model] < DIAGNOSED)
            failed[answer.case.model] += not report.passed
            yield report
    if isinstance(source, AnswersFile):
        ids = {case.id for case in cases}
        for stranger in source.ids:
            if stranger not in ids:
                row = unanswered("answer", Verdict.SHAPE, "there is no golden vector of this id")
                yield Report(stranger, (row,), {"model": "unknown"})
