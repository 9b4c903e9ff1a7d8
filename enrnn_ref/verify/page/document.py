"""Reports as documents: one report as a page, many reports as a page with a summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from enrnn_ref.verify.page.pictures import curve, heat_map, steps
from enrnn_ref.verify.page.style import STYLE
from enrnn_ref.verify.page.text import escaped, index_text, number, plural, small
from enrnn_ref.verify.verdicts import Verdict

if TYPE_CHECKING:
    from enrnn_ref.verify.report import Entry, Report, Row

_CURVE = (
    "Plain central differences at the worst entry. They approach a right gradient like h², the dotted line, until "
    "rounding takes over; from a wrong one they stay away by the size of the mistake."
)
_NUMBERS = (
    "worst relative error",
    "time step",
    "analytic",
    "numeric",
    "difference",
    "tolerance",
    "error estimate",
)
_OPEN = (Verdict.KINK, Verdict.VANISHED, Verdict.ILL_CONDITIONED, Verdict.NO_ANSWER)


def page(report: Report) -> str:
    """The report as one self-contained page of well-formed HTML.

    Verdict, diagnosis, a table of all rows, what the verdicts mean, settings; of each row that was compared entry by
    entry the worst entries and pictures, unfolded where the row did not pass.
    """
    cards = {f"row-{k}": row for k, row in enumerate(report.rows) if _compared(row)}
    body = [
        f"<h1>{escaped(report.title)}</h1>",
        f"<p>{_outcome(passed=report.passed)} {escaped(_summary(report))}</p>",
        *_diagnosis(report, "h2"),
        _rows(report, "row", cards),
        *_meanings(report.findings(), "h2"),
        *_cards(cards, "h2"),
        *_settings(report, "h2"),
    ]
    return _document(report.title, body)


def suite_page(title: str, reports: Sequence[Report]) -> str:
    """Many reports on one page: a table of them, then each folded, those that did not pass unfolded.

    Worst entries and pictures are given for rows that did not pass.
    """
    good = sum(report.passed for report in reports)
    found = {verdict for report in reports for verdict in report.findings()}
    lines = [
        f'<tr><th scope="row"><a href="#report-{k}">{escaped(report.title)}</a></th>'
        f"<td>{_outcome(passed=report.passed)}</td><td>{escaped(_summary(report))}</td></tr>"
        for k, report in enumerate(reports)
    ]
    body = [
        f"<h1>{escaped(title)}</h1>",
        f"<p>{_outcome(passed=good == len(reports))} {good} of {plural(len(reports), 'report')} passed.</p>",
        _table(("report", "outcome", "rows"), lines),
        *_meanings([verdict for verdict in Verdict if verdict in found], "h2"),
        "<h2>Reports</h2>",
        *(_folded(f"report-{k}", report) for k, report in enumerate(reports)),
    ]
    return _document(title, body)


def _folded(identity: str, report: Report) -> str:
    """One report of a suite."""
    failed = ((k, row) for k, row in enumerate(report.rows) if _compared(row) and not row.passed)
    cards = {f"{identity}-row-{k}": row for k, row in failed}
    parts = [
        *_diagnosis(report, "h3"),
        _rows(report, f"{identity}-row", cards),
        *_cards(cards, "h3"),
        *_settings(report, "h3"),
    ]
    shown = "" if report.passed else ' open="open"'
    heading = f"<summary>{escaped(report.title)} {_outcome(passed=report.passed)}</summary>"
    return f'<details class="card" id="{identity}"{shown}>{heading}<div>{"".join(parts)}</div></details>'


def _document(title: str, body: list[str]) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _meanings(findings: Sequence[Verdict], heading: str) -> list[str]:
    """A paragraph for every verdict that was found."""
    if not findings:
        return []
    items = "".join(f"<dt>{_badge(verdict, passed=False)}</dt><dd>{escaped(verdict.help)}</dd>" for verdict in findings)
    return [f"<{heading}>What the verdicts mean</{heading}>", f"<dl>{items}</dl>"]


def _diagnosis(report: Report, heading: str) -> list[str]:
    if not report.diagnosis:
        return []
    sentences = "".join(f"<li>{escaped(sentence)}</li>" for sentence in report.diagnosis)
    return [f'<section class="diagnosis"><{heading}>Most likely mistake</{heading}><ul>{sentences}</ul></section>']


def _rows(report: Report, prefix: str, cards: Mapping[str, Row]) -> str:
    """The table of all rows; a name leads to the row's card, if it has one."""
    lines = []
    for k, row in enumerate(report.rows):
        name, identity = escaped(row.name), f"{prefix}-{k}"
        if identity in cards:
            name = f'<a href="#{identity}">{name}</a>'
        lines.append(
            f'<tr><th scope="row">{name}</th><td>{escaped(row.group)}</td>'
            f"<td>{_badge(row.verdict, passed=row.passed)}</td>"
            f'<td class="number">{small(row.error)}</td><td class="number">{small(row.tolerance)}</td>'
            f"<td>{escaped(row.detail)}</td></tr>"
        )
    return _table(("row", "kind", "verdict", "worst relative error", "tolerance", "remark"), lines)


def _settings(report: Report, heading: str) -> list[str]:
    if not report.settings:
        return []
    items = "".join(f"<dt>{escaped(key)}</dt><dd>{escaped(value)}</dd>" for key, value in report.settings.items())
    return [f"<{heading}>Settings</{heading}>", f"<dl>{items}</dl>"]


def _cards(cards: Mapping[str, Row], heading: str) -> list[str]:
    if not cards:
        return []
    return [f"<{heading}>Entry by entry</{heading}>", *(_card(identity, row) for identity, row in cards.items())]


def _card(identity: str, row: Row) -> str:
    """What is known of the entries of a row."""
    pictures = []
    if row.curve:
        picture = curve(row.curve, row.tolerance, f"{identity}-curve", row.name)
        pictures.append((picture, _CURVE))
    if row.ratios is not None and row.time_axis is not None:
        told = "The worst entry of every time step."
        pictures.append((steps(row.ratios, row.time_axis, f"{identity}-steps", row.name), told))
    if row.ratios is not None:
        pictures.append((heat_map(row.ratios, row.time_axis, f"{identity}-map", row.name), "Every entry."))
    figures = "".join(
        f"<figure>{picture}<figcaption>{caption}</figcaption></figure>" for picture, caption in pictures if picture
    )
    shown = "" if row.passed else ' open="open"'
    return (
        f'<details class="card" id="{identity}"{shown}><summary>{escaped(row.name)} '
        f'{_badge(row.verdict, passed=row.passed)} <span class="quiet">{escaped(row.detail)}</span></summary>'
        f'<div>{_entries(row.worst)}<div class="pictures">{figures}</div></div></details>'
    )


def _entries(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    timed = any(entry.step is not None for entry in entries)
    columns = (
        "entry",
        *(["time step"] if timed else []),
        "analytic",
        "numeric",
        "difference",
        "tolerance",
        "error estimate",
    )
    lines = []
    for entry in entries:
        step = f'<td class="number">{"–" if entry.step is None else entry.step}</td>' if timed else ""
        values = (
            number(entry.analytic),
            number(entry.numeric),
            small(abs(entry.analytic - entry.numeric)),
            small(entry.tolerance),
            small(entry.estimate),
        )
        cells = "".join(f'<td class="number">{value}</td>' for value in values)
        lines.append(f'<tr><th scope="row">{index_text(entry.index)}</th>{step}{cells}</tr>')
    return f"<h4>Worst entries</h4>{_table(columns, lines)}"


def _table(columns: Sequence[str], lines: Sequence[str]) -> str:
    """A table; the columns whose name is in ``_NUMBERS`` stand on the right."""
    head = "".join(
        f'<th scope="col" class="number">{column}</th>' if column in _NUMBERS else f'<th scope="col">{column}</th>'
        for column in columns
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _compared(row: Row) -> bool:
    """Whether there is anything to say about its entries."""
    return bool(row.worst or row.curve or row.ratios is not None)


def _summary(report: Report) -> str:
    good = sum(row.passed for row in report.rows)
    found = ", ".join(verdict.value for verdict in report.findings())
    return f"{good} of {plural(len(report.rows), 'row')} passed" + (f"; found: {found}." if found else ".")


def _outcome(*, passed: bool) -> str:
    style, words = ("good", "✓ passed") if passed else ("bad", "✗ not passed")
    return f'<span class="badge {style}">{words}</span>'


def _badge(verdict: Verdict, *, passed: bool) -> str:
    if verdict is Verdict.PASSED:
        return '<span class="badge good">✓ passed</span>'
    style, mark = ("open", "✓" if passed else "?") if verdict in _OPEN else ("bad", "✗")
    return f'<span class="badge {style}">{mark} {escaped(verdict.value)}</span>'
