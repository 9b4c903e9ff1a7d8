"""Answers in a file: JSON that a program in any language wrote."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from enrnn_ref.errors import DataError
from enrnn_ref.verify.vectors.answer import Answer, Unusable
from enrnn_ref.verify.vectors.case import Case
from enrnn_ref.verify.vectors.decoding import decoded, parse
from enrnn_ref.verify.vectors.schema import misfits, shortened
from enrnn_ref.verify.verdicts import Verdict

FORMAT = "enrnn_ref answers"
VERSION = 1


class AnswersFile:
    """A file that fits ``data/answers.schema.json``.

    Parameters
    ----------
    path : path

    Attributes
    ----------
    name : str
        What reports call it.

    Raises
    ------
    DataError
        The file is missing, not JSON, or not a file of answers of this version.
    DependencyError
        jsonschema is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        try:
            document = parse(Path(path).read_bytes())
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise DataError(f"{path} is not JSON: {error}.") from error
        found = (document.get("format"), document.get("version")) if isinstance(document, dict) else (None, None)
        if found != (FORMAT, VERSION):
            came = shortened(f"format {found[0]!r}, version {found[1]!r}")
            raise DataError(f"{path} has {came}; expected {FORMAT!r}, version {VERSION}.")
        # Answers are looked at one by one, so that what is wrong with one concerns its case alone.
        answers = document.get("answers")
        empty = document | {"answers": {} if isinstance(answers, dict) else answers}
        for place, message in misfits("answers", "file", empty).items():
            inside = f" at {'.'.join(map(str, place))}" if place else ""
            raise DataError(f"{path} does not fit answers.schema.json{inside}: {message}.")
        self._answers, self._dtype = answers, np.dtype(document["dtype"])

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all cases that are answered, known or not."""
        return tuple(self._answers)

    def answers(self, cases: Sequence[Case]) -> Generator[Answer, None, None]:
        """The answer to each case, in their order."""
        for case in cases:
            if case.id not in self._answers:
                yield Answer(case, Unusable(Verdict.NO_ANSWER, "the file has no answer to this case"), self._dtype)
                continue
            document = self._answers[case.id]
            yield Answer(case, decoded(document, misfits("answers", "answer", document)), self._dtype)
