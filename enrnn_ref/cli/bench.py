"""``enrnn-ref bench``: how fast this machine is, beside the same networks elsewhere and the matrix products alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from enrnn_ref.arrays import choice, integer
from enrnn_ref.cli.reports import FAILED
from enrnn_ref.errors import DataError, OptionError

DTYPES = ("float32", "float64")
ALL = "all"
OWN = "own"  # name of a size with a number of the user's


def bench(
    sizes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SIZE]...", help="adding, copying, wide, tiny, one, long, decayed, or all of them."),
    ] = None,
    long_size: Annotated[int | None, typer.Option(help="L; this and the next four change the SIZE, or adding.")] = None,
    short_size: Annotated[int | None, typer.Option(help="S.")] = None,
    batch: Annotated[int | None, typer.Option(help="B, sequences.")] = None,
    steps: Annotated[int | None, typer.Option(help="T, time steps.")] = None,
    input_size: Annotated[int | None, typer.Option(help="I.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or float64; both by default.")] = None,
    threads: Annotated[int | None, typer.Option(help="For every library alike; all cores by default.")] = None,
    repeats: Annotated[int, typer.Option(help="Rounds that count.")] = 7,
    contenders: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these, with commas between them: ours,eager,mkl,…")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write cpu.json, cpu.md and cpu.png here, after every size.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A cpu.json to compare ratios with; status 1 if one is worse."),
    ] = None,
) -> None:
    """Time forward + backward: ours, PyTorch, torch.compile, JAX, torch.nn, and the matrix products alone."""
    from enrnn_ref.backends.cpu import available_threads
    from enrnn_ref.bench import measured
    from enrnn_ref.bench.compare import compare, differences, load
    from enrnn_ref.bench.report import changes_table, to_markdown, write

    numbers = {"long": long_size, "short": short_size, "batch": batch, "steps": steps, "inputs": input_size}
    chosen = _sizes(sizes or [], numbers)
    dtypes = DTYPES if dtype is None else (choice("--dtype", dtype, DTYPES),)
    count = available_threads() if threads is None else integer("--threads", threads)
    names = None if contenders is None else [name.strip() for name in contenders.split(",")]
    older = None if against is None else load(against)  # before minutes of work, not after
    if out is not None:
        from enrnn_ref.plotting import save  # fails first, if matplotlib is missing
        from enrnn_ref.plotting.bench import bench_figure

        if out.exists() and not out.is_dir():
            raise DataError(f"--out {out} is a file; expected a folder.")

    def keep(report: dict[str, Any]) -> None:
        if out is None:
            return
        figure = bench_figure(report)
        if figure is not None:
            save(figure, out / "cpu.png")
        changes = () if older is None else compare(report, older)
        write(report, out / "cpu", to_markdown(report, None if figure is None else "cpu.png", changes))

    report = measured(
        chosen,
        dtypes,
        threads=count,
        repeats=integer("--repeats", repeats),
        contenders=names,
        say=lambda line: typer.echo(line, err=True),
        after=keep,
    )
    typer.echo(to_markdown(report))
    if out is not None:
        for suffix in ("json", "md", "png"):
            if (out / f"cpu.{suffix}").exists():
                typer.echo(out / f"cpu.{suffix}")
    if older is not None:
        changes = compare(report, older)
        if not changes:
            raise DataError(f"{against} has no ratio of this run: no size, in no dtype, is in both.")
        typer.echo("\n".join(changes_table(changes)))
        for line in differences(report, older):
            typer.echo(f"differs: {line}")
        if any(change.verdict == "worse" for change in changes):
            raise typer.Exit(FAILED)


def _sizes(names: list[str], numbers: dict[str, int | None]) -> list[Any]:
    """The named sizes; or one, with the user's numbers in it."""
    from enrnn_ref.bench import SIZES

    if names == [ALL]:
        names = list(SIZES)
    named = [SIZES[choice("SIZE", name, (*SIZES, ALL))] for name in names or ["adding"] if name != ALL]
    if len(named) < len(names):
        raise OptionError(f"SIZE is {' '.join(names)}; expected {ALL} alone, or names.")
    given: dict[str, Any] = {key: value for key, value in numbers.items() if value is not None}
    if not given:
        return named
    if len(named) != 1:
        raise OptionError(f"numbers of one's own change one SIZE; {len(named)} came: {' '.join(names)}.")
    return [replace(named[0], name=OWN, **given)]
