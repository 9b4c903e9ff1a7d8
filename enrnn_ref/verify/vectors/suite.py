"""All reports on one implementation: a table, JSON, JUnit XML, HTML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from enrnn_ref.verify import page
from enrnn_ref.verify.report import Report
from enrnn_ref.verify.vectors import junit
from enrnn_ref.verify.verdicts import Verdict

SHOWN = 20
"""How many failed cases a text tells in full."""


@dataclass(frozen=True)
class Suite:
    """What golden vectors found in one implementation.

    Attributes
    ----------
    title : str
        Which implementation.
    reports : tuple of Report
        One for each case, titled with the case's id; ``settings["model"]`` is its model.
    """

    title: str
    reports: tuple[Report, ...]

    @property
    def passed(self) -> bool:
        """Whether every case passed, and there was one."""
        return bool(self.reports) and all(report.passed for report in self.reports)

    def __getitem__(self, case: str) -> Report:
        """The report on the case of that id."""
        for report in self.reports:
            if report.title == case:
                return report
        raise KeyError(case)

    def require(self) -> None:
        """Raise AssertionError with the table unless every case passed."""
        if not self.passed:
            raise AssertionError(f"\n{self}")

    def __str__(self) -> str:
        """A line for each case, then what is known of those that did not pass, then counts."""
        width = max((len(report.title) for report in self.reports), default=0)
        lines = [line(report, width) for report in self.reports]
        return "\n".join([f"{self.title}:", *lines, *self.findings()])

    def findings(self) -> Iterator[str]:
        """Lines about the cases that did not pass, a paragraph for every verdict among them, and counts at the end."""
        failed = [report for report in self.reports if not report.passed]
        for report in failed[:SHOWN]:
            yield f"\n{report.title}:"
            yield from (f"  {row.name}: {row.verdict}: {row.detail}" for row in report.rows if not row.passed)
            yield from (f"  DIAGNOSIS: {sentence}" for sentence in report.diagnosis)
        if len(failed) > SHOWN:
            yield f"\n… and {len(failed) - SHOWN} more cases, which JSON, JUnit XML and HTML have in full."
        explained = Counter(sentence for report in failed for sentence in report.diagnosis)
        if explained:
            yield "\nlikely mistakes, by the number of cases they explain:"
            yield from (f"  {count:>4}  {sentence}" for sentence, count in explained.most_common())
        seen = {row.verdict for report in failed for row in report.rows if not row.passed}
        yield from (f"\n{verdict.name}: {verdict.help}" for verdict in Verdict if verdict in seen)
        yield f"\n{self.summary()}"

    def summary(self) -> str:
        """How many cases passed, and how many not, by verdict."""
        failed = [report for report in self.reports if not report.passed]
        counts = Counter(_verdict(report) for report in failed)
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
        passed = f"{len(self.reports) - len(failed)} of {len(self.reports)} cases passed"
        return f"{passed}; {told}" if told else passed

    def to_dict(self) -> dict[str, Any]:
        """The suite in built-in types."""
        return {
            "title": self.title,
            "passed": self.passed,
            "summary": self.summary(),
            "reports": [report.to_dict() for report in self.reports],
        }

    def to_json(self) -> str:
        """The suite as a JSON object."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_junit(self) -> str:
        """The suite as JUnit XML: a test suite for each model, a test case for each case."""
        return junit.document(self.title, self.reports)

    def to_html(self) -> str:
        """The suite as one self-contained HTML page, with pictures of what did not pass."""
        return page.suite_page(self.title, self.reports)


def line(report: Report, width: int) -> str:
    """One case: its id, its verdict, and how much of the tolerance the worst entry takes."""
    measured = [row.error / row.tolerance for row in report.rows if row.tolerance > 0.0 and row.verdict != Verdict.KINK]
    worst = f"{max(measured):.2g} of the tolerance" if measured else ""
    notes = [f"{row.name}: {row.verdict}" for row in report.rows if row.passed and row.verdict is not Verdict.PASSED]
    told = f"({', '.join(notes)})" if notes else ""
    return f"  {report.title:<{width}}  {_verdict(report):<13}  {worst} {told}".rstrip()


def _verdict(report: Report) -> Verdict:
    """Of the case: that of its first row that did not pass."""
    return next((row.verdict for row in report.rows if not row.passed), Verdict.PASSED)
