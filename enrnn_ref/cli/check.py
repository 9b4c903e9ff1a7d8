"""``enrnn-ref check``: every gradient of the shipped models, in both precisions."""

from __future__ import annotations

import itertools
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from enrnn_ref import backends
from enrnn_ref import models as systems
from enrnn_ref.arrays import choice
from enrnn_ref.cli.reports import FAILED, report_table
from enrnn_ref.errors import DataError
from enrnn_ref.verify import Report, check_model, page

# Pairwise distinct sizes, also beside the 7 steps of the check, whose batch is none of them either.
CHECKED: dict[str, dict[str, Any]] = {
    "enrnn": {"input_size": 3, "long_size": 5, "short_size": 4, "output_size": 2},
    "scornn": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "rnn": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "scurnn": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "exprnn": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "nnrnn": {"input_size": 3, "hidden_size": 8, "output_size": 2},
    "lstm": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "gru": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "momentumrnn": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "momentumlstm": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "adamlstm": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "rmsproplstm": {"input_size": 3, "hidden_size": 5, "output_size": 2},
    "scheduledrestartlstm": {"input_size": 3, "hidden_size": 5, "output_size": 2},
}


def check(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help=f"{', '.join(CHECKED)}; all.")
    ] = None,
    backend: Annotated[str, typer.Option(help="reference, cpu or cuda.")] = "cpu",
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the reports here.")] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with pictures here.")
    ] = None,
) -> None:
    """Check the gradients of models: laws, differences, invariants. Exit status 1 when a check does not pass."""
    names = [choice("MODEL", name, tuple(CHECKED)) for name in models or CHECKED]
    console = Console()
    reports = []
    for report in _reports(names, backend):
        console.print(report_table(report), "")
        reports.append(report)
    findings = {verdict: verdict.help for report in reports for verdict in report.findings()}
    for verdict, text in findings.items():
        console.print(f"[bold]{verdict}[/]: {text}\n")
    for option, path, form in (("--json", json_file, _json), ("--html", html_file, _html)):
        if path is not None:
            try:
                path.write_text(form(reports), encoding="utf-8")
            except OSError as error:
                raise DataError(f"{option} {path} cannot be written: {error.strerror}.") from error
    if not all(report.passed for report in reports):
        raise typer.Exit(FAILED)


def _reports(names: list[str], backend: str) -> Iterator[Report]:
    """Every model in both precisions, in order; several models share the processors."""
    tasks = list(itertools.product(names, ("float64", "float32"), (backend,)))
    if len(names) == 1:  # done before another process has loaded NumPy
        yield from itertools.starmap(_report, tasks)
        return
    backends.get(backend)  # raises here and at once if it cannot run
    # Not forked: a child would inherit locks of threads that it does not have.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_report, *zip(*tasks, strict=True))


def _report(name: str, dtype: str, backend: str) -> Report:
    return check_model(systems.build(name, **CHECKED[name]), backend=backend, dtype=dtype)


def _json(reports: list[Report]) -> str:
    return json.dumps([report.to_dict() for report in reports], indent=2, allow_nan=False) + "\n"


def _html(reports: list[Report]) -> str:
    return page.suite_page("enrnn-ref check", reports)
