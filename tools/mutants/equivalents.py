"""Survivors that are no mistakes, each with its reason: ``equivalents.toml``.

[[equivalent]]
file = "enrnn_ref/cells/relu.py"
function = "unit_step"
before = "a statement"
after = ["the statement with a change", "with another"]
because = "Why no test can tell them apart."
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.mutants.catalogue import Mutant

FILE = Path(__file__).with_name("equivalents.toml")

Name = tuple[str, str, str, str]


@dataclass(frozen=True)
class Equivalents:
    """Reasons by file, function, statement and changed statement."""

    reasons: dict[Name, str]

    @classmethod
    def read(cls, path: Path = FILE) -> Equivalents:
        reasons = {}
        for entry in tomllib.loads(path.read_text()).get("equivalent", []):
            for after in entry["after"]:
                reasons[entry["file"], entry["function"], entry["before"], after] = entry["because"]
        return cls(reasons)

    def reason(self, mutant: Mutant) -> str | None:
        return self.reasons.get(_name(mutant))

    def stale(self, mutants: Iterable[Mutant]) -> list[Name]:
        """Entries of the files of ``mutants`` that are none of them: the code has changed."""
        there = {_name(mutant) for mutant in mutants}
        files = {name[0] for name in there}
        return [name for name in self.reasons if name[0] in files and name not in there]


def _name(mutant: Mutant) -> Name:
    return mutant.path, mutant.function, mutant.before, mutant.after
