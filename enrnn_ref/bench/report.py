"""The report of a run as text: bars, times, parts, and what all of it means."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enrnn_ref.bench.compare import Change
from enrnn_ref.bench.measure import AFRESH, FEW, PAUSE, PREPARATION, SLOW
from enrnn_ref.bench.parts import PARTS
from enrnn_ref.bench.ratios import BARS, BARS_THREADS, SHARE, TEXTS
from enrnn_ref.bench.sizes import Size

Case = dict[str, Any]

NOTES = f"""\
- A contender runs forward and backward and finds dL/dx and the gradients of all parameters, from the same numbers.
  Ours starts from the free parameters and ends with their gradients, always, and from other ones in every call, as in
  training: R is made anew each time.
- "From the free parameters": the peer finds R by a linear system and by eigenvalues, and the gradients behind them, as
  ours does: the same ENRNN. "R given": it is handed R and stops at dL/dR, so it does less than ours. The bars are put
  to both.
- The products alone are the drive, R h of every step in turn, Rᵀ dz of every step in turn, dR, dU and dx, dense, with
  no sum and no nonlinearity. Of the two ways to use the threads (BLAS splits every product; the sequences are split and
  each thread has products of its own) the faster one counts.
- The multiply-adds alone are as many as ours does (the zero block of R left out), all on the same few numbers in the
  first-level cache: what the processor could do if memory cost nothing. One thread over all threads of it says how
  many processors there really are.
- `torch.compile` compiles stretches of at most 16 steps, which are called in turn: unrolled as a whole, a loop is not
  compiled in bearable time. A contender that is not ready after {PREPARATION:g} s is left out.
- All calls of a case take turns, after two rounds that do not count and {1e3 * PAUSE:g} ms apart, because workers of
  OpenMP and OpenBLAS wait actively for a while. What takes less than {AFRESH:g} s is called twice, and the second time
  counts. What takes more than {SLOW:g} s takes part in {FEW} rounds only.
- Ratios are medians of the quotients round by round, quartiles in brackets. Of several pairs the one counts that suits
  us least.
- Parts: what is indented is inside the pass above it, and timed alone, so not in a warm cache; the loops are what
  remains of the pass.
"""


@dataclass(frozen=True)
class Judged:
    """A bar beside what was measured."""

    text: str
    size: str
    dtype: str
    wanted: str
    measured: str
    met: bool


def bars(report: dict[str, Any]) -> list[Judged]:
    """Every bar whose ratio was measured, at every size it is for."""
    found = []
    for bar in BARS:
        for case in report["cases"]:
            size = case["size"]["name"]
            if size in bar.limits and bar.ratio in case["ratios"]:
                value = case["ratios"][bar.ratio]
                met = bar.met(size, value["median"])
                found.append(
                    Judged(TEXTS[bar.ratio], size, case["dtype"], bar.wanted(size), quotient(bar.ratio, value), met)
                )
    return found


def quotient(name: str, value: dict[str, float]) -> str:
    """The median, and the quartiles; a share in percent."""
    form = (
        "{median:.1%} ({lower_quartile:.1%} to {upper_quartile:.1%})"
        if name == SHARE
        else ("{median:.2f} ({lower_quartile:.2f} to {upper_quartile:.2f})")
    )
    return form.format(**value)


def to_json(report: dict[str, Any]) -> str:
    return json.dumps(report, indent=1) + "\n"


def to_markdown(report: dict[str, Any], picture: str | None = None, changes: Sequence[Change] = ()) -> str:
    """The whole report; ``picture`` is the name of a file beside it."""
    lines = [
        "# Forward + backward of an ENRNN, wall clock",
        "",
        ", ".join(f"{key} {value}" for key, value in report["machine"].items()) + ".",
        "",
        "Threads: " + "; ".join(f"{key} {value}" for key, value in report["threads"].items()) + ".",
        "",
        f"Medians of {report['repeats']} rounds (of {FEW} where a call takes more than {SLOW:g} s).",
        "",
    ]
    if picture is not None:
        lines += [f"![Times of all contenders over ours]({picture})", ""]
    lines += [*_bars(report), *_times(report), *_ratios(report), *_parts(report), *_left_out(report)]
    if changes:
        lines += ["## Beside the older run", "", *changes_table(changes), ""]
    return "\n".join([*lines, "## What is measured", "", NOTES])


def changes_table(changes: Iterable[Change]) -> list[str]:
    """The ratios of two runs."""
    rows = [
        (TEXTS[change.ratio], change.size, change.dtype, f"{change.before:.3g}", f"{change.now:.3g}", change.verdict)
        for change in changes
    ]
    return _table(("ratio", "size", "dtype", "before", "now", ""), rows)


def write(report: dict[str, Any], path: Path, text: str) -> None:
    """``path``.json and ``path``.md."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(to_json(report), encoding="utf-8")
    path.with_suffix(".md").write_text(text, encoding="utf-8")


def _bars(report: dict[str, Any]) -> Iterator[str]:
    judged = bars(report)
    if not judged:
        return
    yield f"## Bars, for {BARS_THREADS} threads: {sum(bar.met for bar in judged)} of {len(judged)} met"
    yield ""
    rows = [
        (bar.text, bar.size, bar.dtype, bar.wanted, bar.measured, "met" if bar.met else "**not met**") for bar in judged
    ]
    yield from _table(("ratio", "size", "dtype", "wanted", "measured", ""), rows)
    yield ""


def _times(report: dict[str, Any]) -> Iterator[str]:
    for dtype, cases in _by_dtype(report).items():
        yield f"## Milliseconds, {dtype}: median (fastest to slowest)"
        yield ""
        rows = [
            (label, *(_milliseconds(case["times"].get(name)) for case in cases))
            for name, label in report["labels"].items()
        ]
        yield from _table(("", *map(_title, cases)), [row for row in rows if set(row[1:]) != {"–"}])
        yield ""


def _ratios(report: dict[str, Any]) -> Iterator[str]:
    for dtype, cases in _by_dtype(report).items():
        yield f"## Ratios, {dtype}"
        yield ""
        rows = [
            (text, *(quotient(name, case["ratios"][name]) if name in case["ratios"] else "–" for case in cases))
            for name, text in TEXTS.items()
        ]
        names = (case["size"]["name"] for case in cases)
        yield from _table(("", *names), [row for row in rows if set(row[1:]) != {"–"}])
        yield ""


def _parts(report: dict[str, Any]) -> Iterator[str]:
    inside = PARTS.keys() - {"forward", "backward", "optimiser"}
    for dtype, cases in _by_dtype(report).items():
        having = [case for case in cases if case["parts"] is not None]
        if not having:
            continue
        yield f"## Parts of one of our training steps, {dtype}, milliseconds"
        yield ""
        rows = [
            (
                ("&nbsp;&nbsp;" if name in inside else "") + text,
                *(f"{1e3 * case['parts']['times'][name]['median']:.3g}" for case in having),
            )
            for name, text in PARTS.items()
        ]
        yield from _table(("", *(case["size"]["name"] for case in having)), rows)
        yield ""


def _left_out(report: dict[str, Any]) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for case in report["cases"]:
        for name, reason in case["left_out"].items():
            where = reasons.setdefault((report["labels"][name], reason), [])
            where.append(f"{case['size']['name']} {case['dtype']}")
    if reasons:
        yield "## Left out"
        yield ""
        yield from (f"- {label}: {reason} ({', '.join(where)})" for (label, reason), where in reasons.items())
        yield ""


def _by_dtype(report: dict[str, Any]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in report["cases"]:
        found.setdefault(case["dtype"], []).append(case)
    return found


def _title(case: Case) -> str:
    size = Size(**case["size"])
    return f"{size.name}: {size.text}"


def _milliseconds(timing: dict[str, Any] | None) -> str:
    if timing is None:
        return "–"
    return "{:.4g} ({:.4g} to {:.4g})".format(*(1e3 * timing[key] for key in ("median", "fastest", "slowest")))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
