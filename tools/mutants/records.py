"""What is known already: verdicts in a file of JSON lines, each with what it depends on.

A killed mutant stays killed while its file and the test that failed are the same; a survivor survives while its file
and all tests that judge it are the same.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.mutants.suite import COMMON, Suite


@dataclass(frozen=True)
class Record:
    """A verdict: ``killer`` is the test that failed, or None."""

    key: str
    source: str
    tests: str
    killer: str | None
    seconds: float


class Records:
    """The verdicts in a file, the last on each mutant; ``add`` appends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Record] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                record = Record(**json.loads(line))
                self._known[record.key] = record

    def get(self, key: str, path: str, suite: Suite) -> Record | None:
        """The verdict on a mutant of ``path``, if it still holds."""
        record = self._known.get(key)
        if record is None or record.source != digest((path,)) or record.tests != tests_digest(record.killer, suite):
            return None
        return record

    def add(self, key: str, path: str, suite: Suite, killer: str | None, seconds: float) -> Record:
        record = Record(key, digest((path,)), tests_digest(killer, suite), killer, round(seconds, 2))
        self._known[key] = record
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
        return record


def tests_digest(killer: str | None, suite: Suite) -> str:
    """Of the files that a verdict depends on beside the changed one."""
    if killer is None:
        return digest((*suite.files, *COMMON))
    test = killer.partition("::")[0]
    return digest((test,)) if Path(test).is_file() else ""


@functools.cache
def digest(paths: tuple[str, ...]) -> str:
    """Of the contents of files."""
    return hashlib.sha256(b"\0".join(Path(path).read_bytes() for path in paths)).hexdigest()[:16]
