"""What came of it: per file, how many mutants there are, how many were killed, and which survived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.mutants.catalogue import Mutant
from tools.mutants.equivalents import Equivalents, Name
from tools.mutants.records import Record


@dataclass
class Count:
    """The mutants of one file.

    ``explained`` survive and are in the list of equivalents, ``open`` survive and are not. ``refuted`` are in the list
    and were killed all the same; ``stale`` entries of the list are no mutants any more.
    """

    killed: int = 0
    explained: int = 0
    open: list[Mutant] = field(default_factory=list)
    refuted: list[Mutant] = field(default_factory=list)
    stale: list[Name] = field(default_factory=list)

    @property
    def all(self) -> int:
        return self.killed + self.explained + len(self.open)

    def line(self, path: str, seconds: float) -> str:
        parts = [
            f"{path}: {self.all} mutants, {self.killed} killed, {self.explained} equivalent, {len(self.open)} open"
        ]
        parts += [f"  explained, but a test tells them apart: {mutant.key}" for mutant in self.refuted]
        parts += [f"  explained, but there is no such mutant: {' :: '.join(name)}" for name in self.stale]
        return "\n".join(parts)


def verdicts(found: list[Mutant], records: Mapping[str, Record | None], equivalents: Equivalents) -> Count:
    """Count the mutants of a file."""
    count = Count(stale=equivalents.stale(found))
    for mutant in found:
        record, reason = records[mutant.key], equivalents.reason(mutant)
        if record is not None and record.killer is not None:
            count.killed += 1
            if reason is not None:
                count.refuted.append(mutant)
        elif reason is not None:
            count.explained += 1
        else:
            count.open.append(mutant)
    return count


def table(counts: Mapping[str, Count]) -> str:
    """As Markdown."""
    rows = ["| file | mutants | killed | equivalent | open |", "|---|--:|--:|--:|--:|"]
    total = [0, 0, 0, 0]
    for path, count in counts.items():
        numbers = [count.all, count.killed, count.explained, len(count.open)]
        total = [a + b for a, b in zip(total, numbers, strict=True)]
        rows.append(_row(f"`{path}`", numbers))
    return "\n".join([*rows, _row("all", total)])


def _row(name: str, numbers: list[int]) -> str:
    return f"| {name} | " + " | ".join(map(str, numbers)) + " |"
