"""A new run beside an older one: by their ratios, since times belong to a machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enrnn_ref.bench.measure import FORMAT, VERSION
from enrnn_ref.bench.ratios import LARGE_IS_GOOD, TEXTS
from enrnn_ref.errors import DataError

TOLERANCE = 1.25  # a median that moved by less is noise on most machines


@dataclass(frozen=True)
class Change:
    """One ratio of two runs.

    ``verdict`` is "as before", "better" or "worse"; never one of the last two while the ranges between the quartiles
    overlap, or while the medians are within ``TOLERANCE`` of each other.
    """

    size: str
    dtype: str
    ratio: str
    before: float
    now: float
    verdict: str


def load(path: Path) -> dict[str, Any]:
    """A report that ``enrnn-ref bench`` wrote.

    Raises
    ------
    DataError
        There is none, or it is something else.
    """
    try:
        report: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; expected a cpu.json that enrnn-ref bench wrote.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON; expected what enrnn-ref bench wrote.") from error
    if not isinstance(report, dict) or report.get("format") != FORMAT or report.get("version") != VERSION:
        raise DataError(f"{path} is no report of enrnn-ref bench, version {VERSION}; it can be compared with nothing.")
    return report


def compare(report: dict[str, Any], older: dict[str, Any]) -> list[Change]:
    """Every ratio that both have, at the same size and dtype."""
    return list(_changes(report, older))


def differences(report: dict[str, Any], older: dict[str, Any]) -> list[str]:
    """What else differs between the two: machine, versions, threads."""
    found = []
    for part in ("machine", "threads"):
        for key in {**older[part], **report[part]}:
            before, now = older[part].get(key, "none"), report[part].get(key, "none")
            if before != now:
                found.append(f"{key}: {before} before, {now} now")
    return found


def _changes(report: dict[str, Any], older: dict[str, Any]) -> Iterator[Change]:
    before = {_key(case): case["ratios"] for case in older["cases"]}
    for case in report["cases"]:
        ratios = before.get(_key(case), {})
        for name, now in case["ratios"].items():
            if name in ratios and name in TEXTS:
                verdict = _verdict(name, ratios[name], now)
                yield Change(case["size"]["name"], case["dtype"], name, ratios[name]["median"], now["median"], verdict)


def _key(case: dict[str, Any]) -> str:
    """A size of the same name and other numbers is another one."""
    return json.dumps([case["size"], case["dtype"]], sort_keys=True)


def _verdict(name: str, before: dict[str, float], now: dict[str, float]) -> str:
    apart = now["lower_quartile"] > before["upper_quartile"] or now["upper_quartile"] < before["lower_quartile"]
    factor = now["median"] / before["median"]
    if not apart or 1 / TOLERANCE <= factor <= TOLERANCE:
        return "as before"
    return "better" if (factor > 1) == LARGE_IS_GOOD[name] else "worse"
