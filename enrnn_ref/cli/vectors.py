"""``enrnn-ref vectors``: golden vectors for implementations in any language, and their judge."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from enrnn_ref.cli.reports import FAILED
from enrnn_ref.errors import DataError, OptionError

vectors = typer.Typer(help="Golden vectors: write them out, judge an implementation by them.", no_args_is_help=True)


@vectors.command()
def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty, or is to be made.")],
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="Only this model's cases; may be repeated.")
    ] = None,
) -> None:
    """Compute the golden vectors anew, to fifty digits, and write them with schemas and specification to DIR."""
    from enrnn_ref.verify.vectors.export import export as compute

    with Progress(*Progress.get_default_columns(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")

        def show(case: str, done: int, total: int) -> None:
            progress.update(task, description=case, completed=done, total=total)

        paths = compute(directory, models or None, show)
    for path in paths:
        typer.echo(path)


@vectors.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Answers, as answers.schema.json has it.")
    ] = None,
    command: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="A program that speaks JSON lines, with its arguments.")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="Only this model's cases; may be repeated.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML here.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the reports here.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with pictures here.")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="For every reply of PROGRAM; 60 by default.")
    ] = None,
) -> None:
    """Judge the answers in FILE, or a PROGRAM, by the golden vectors. Exit status 1 when a case does not pass."""
    from enrnn_ref.verify.vectors import AnswersFile, Program, Suite, load
    from enrnn_ref.verify.vectors.sources import Source, judged
    from enrnn_ref.verify.vectors.suite import line

    if (file is None) == (command is None):
        came = "neither came" if file is None else f"both came: {file} and {command!r}"
        raise OptionError(f"vectors verify takes FILE or --command PROGRAM; {came}.")
    if file is not None and timeout is not None:
        raise OptionError(f"--timeout {timeout:g} goes with --command; a file takes no time to answer.")
    for option, path in (("--junit", junit), ("--json", json_file), ("--html", html)):
        if path is not None and not path.parent.is_dir():  # before minutes of work, not after
            raise DataError(f"{option} {path} cannot be written: there is no folder {path.parent}.")
    source: Source
    if command is not None:
        source = Program(command) if timeout is None else Program(command, timeout)
    else:
        assert file is not None
        source = AnswersFile(file)
    cases = load()
    width = max(len(case.id) for case in cases)
    reports = []
    typer.echo(f"{source.name}:")
    with closing(judged(source, cases, models or None)) as judgement:
        for report in judgement:
            typer.echo(line(report, width))
            reports.append(report)
    suite = Suite(source.name, tuple(reports))
    typer.echo("\n".join(suite.findings()))
    for path, form in ((junit, suite.to_junit), (json_file, suite.to_json), (html, suite.to_html)):
        if path is not None:
            path.write_text(form(), encoding="utf-8")
    if not suite.passed:
        raise typer.Exit(FAILED)
