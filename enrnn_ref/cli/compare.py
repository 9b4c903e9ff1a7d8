"""``enrnn-ref compare``: several models on one task, over several seeds, in one table and one picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from enrnn_ref import models as systems
from enrnn_ref import tasks
from enrnn_ref.arrays import choice, integer
from enrnn_ref.cli.overrides import Overrides
from enrnn_ref.cli.train import INTERRUPTED, PARAMETERS, plain, within_budget
from enrnn_ref.errors import ConfigError, OptionError
from enrnn_ref.training import RunConfig, preset
from enrnn_ref.training.comparison import Comparison, Row
from enrnn_ref.training.files import write_atomically
from enrnn_ref.training.interrupt import deferred_interrupt
from enrnn_ref.training.presets import PRESETS
from enrnn_ref.training.run_directory import unused_path

HEADER = ("model", "parameters", "seeds", "test loss", "best", "steps to 1/10", "ms/step")
_NOTE = (
    "Test loss: median over seeds (range) after the last step. Best: of any seed, at any step. 1/10: of the baseline."
)


def compare(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help=f"One of {', '.join(tasks.TASKS)}; left out with --resume.")
    ] = None,
    models: Annotated[
        str | None, typer.Option(help=f"Names with commas between them, of {', '.join(systems.NAMED)}.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of every model, seeds 0, 1, …; 3 by default.")] = None,
    preset_name: Annotated[
        str | None, typer.Option("--preset", help=f"Settings to start from: {', '.join(PRESETS)}; quick by default.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of every run.")] = None,
    length: Annotated[int | None, typer.Option(help="Sequence length; copying: the delay.")] = None,
    parameters: Annotated[int | None, typer.Option(help=PARAMETERS)] = None,
    batch: Annotated[int | None, typer.Option(help="Sequences a step.")] = None,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate of all parameters without a rate of their own.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or float64.")] = None,
    backend: Annotated[str | None, typer.Option(help="cpu, reference or cuda.")] = None,
    file: Annotated[Path | None, typer.Option(help="text: any text file; mnist: the folder of its files.")] = None,
    permuted: Annotated[bool | None, typer.Option("--permuted", help="mnist: permute the pixels.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the runs; runs/TASK-comparison-N by default.")] = None,
    resume_from: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Go on with the comparison in DIR.")
    ] = None,
) -> None:
    """Train several models on one task and show their curves and a table; momentum models with their run at μ = 0."""
    from enrnn_ref.plotting import save  # fails first, if matplotlib is missing
    from enrnn_ref.plotting.comparison import comparison_figure

    console = Console()
    say = plain(console)
    overrides = Overrides(length, None, batch, lr, dtype, backend, file, permuted)
    if resume_from is not None:
        others: dict[str, Any] = {
            "TASK": task,
            "--models": models,
            "--seeds": seeds,
            "--preset": preset_name,
            "--steps": steps,
        }
        others |= {"--parameters": parameters, "--out": out}
        others |= {f"--{name}": value for name, value in overrides.given().items()}
        _require_nothing_else(others)
        comparison = Comparison.open(resume_from)
    else:
        if task is None:
            raise OptionError(f"TASK is missing; expected one of {', '.join(tasks.TASKS)}, or --resume DIR.")
        if steps is not None:
            integer("--steps", steps)
        count = integer("--seeds", 3 if seeds is None else seeds)
        choice("task", task, tuple(tasks.TASKS))
        configs: list[RunConfig] = []
        for name in _names(models):
            config = overrides.apply(preset(preset_name or "quick", task, name))
            config = config if steps is None else replace(config, steps=steps)
            configs.append(config if parameters is None else within_budget(config, parameters, say))
        path = out or unused_path(Path("runs"), f"{task}-comparison")
        comparison = Comparison.create(path, configs, count)

    goal = comparison.task
    say(f"{len(comparison.contenders)} models × {len(comparison.seeds)} seeds on {goal.name}, in {comparison.path}")
    say(f"baseline {goal.baseline:.4g} ({goal.baseline_text}; {goal.unit})")
    if not _train_all(console, comparison):
        say(f"interrupted; go on with: enrnn-ref compare --resume {comparison.path}")
        raise typer.Exit(INTERRUPTED)

    rows = comparison.write_results()
    cells = [row_cells(row) for row in rows]
    title = f"{goal.name} ({', '.join(f'{key} {value}' for key, value in _shown(comparison).items())})"
    console.print(_table(cells, title, f"{goal.unit}; baseline {goal.baseline:.4g} ({goal.baseline_text})"))
    figure = comparison_figure(
        comparison.curves(),
        HEADER,
        cells,
        baseline=goal.baseline,
        baseline_text=goal.baseline_text,
        unit=goal.unit,
        title=title,
    )
    text = markdown(cells, f"{title}: {goal.unit}, baseline {goal.baseline:.4g} ({goal.baseline_text})")
    write_atomically(comparison.path / "comparison.md", text.encode())
    say(str(save(figure, comparison.path / "comparison.png")))
    for name in ("comparison.md", "comparison.json"):
        say(str(comparison.path / name))


def row_cells(row: Row) -> tuple[str, ...]:
    """The texts of one row of the table, under :data:`HEADER`."""
    runs = str(row.seeds)
    if row.loss is None:
        loss = f"diverged at step {row.diverged_at}"
    else:
        loss = f"{row.loss:.3g}"
        if row.seeds - row.diverged > 1:
            loss += f" ({row.lowest:.3g}–{row.highest:.3g})"
        if row.diverged:
            runs += f", {row.diverged} diverged"
    reached = "–"
    if row.learnt_at is not None:
        reached = f"{row.learnt_at:.0f}" + (f" ({row.learnt} of {row.seeds})" if row.learnt < row.seeds else "")
    best = "–" if row.best is None else f"{row.best:.3g}"
    seconds = "–" if row.seconds_per_step is None else f"{1000 * row.seconds_per_step:.3g}"
    return row.label, str(row.parameters), runs, loss, best, reached, seconds


def markdown(cells: Sequence[Sequence[str]], title: str) -> str:
    """The table as Markdown."""
    rows = (HEADER, ["---"] + ["---:"] * (len(HEADER) - 1), *cells)
    lines = [" | ".join(row) for row in rows]
    return f"# {title}\n\n" + "".join(f"| {line} |\n" for line in lines) + f"\n{_NOTE}\n\n![curves](comparison.png)\n"


def _table(cells: Sequence[Sequence[str]], title: str, caption: str) -> Table:
    table = Table(
        title=escape(title),
        caption=escape(f"{caption}. {_NOTE}"),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for number, name in enumerate(HEADER):
        longest = max(map(len, name.split()))  # on a narrow screen a word is not cut in two
        table.add_column(name, justify="right" if number else "left", no_wrap=number == 0, min_width=longest)
    for row in cells:
        style = "red" if "diverged" in " ".join(row) else None
        table.add_row(*map(escape, row), style=style)
    return table


def _names(models: str | None) -> list[str]:
    """The names in ``--models``."""
    if models is None or not models.strip():
        raise OptionError(f"--models is empty; expected names out of {', '.join(systems.NAMED)}, commas between them.")
    return [choice("--models", name.strip(), tuple(systems.NAMED)) for name in models.split(",")]


def _require_nothing_else(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"{name} {value} does not go with --resume; expected a comparison's folder alone.")


def _shown(comparison: Comparison) -> dict[str, Any]:
    """What the title says of the settings, all models having it in common."""
    config = comparison.contenders[0].config
    options = {key: value for key, value in config.task_options.items() if key in ("length", "delay", "permuted")}
    return options | {"batch": config.batch_size, "steps": config.steps}


class _Board:
    """An observer of all runs of a comparison: a line for every run that has ended."""

    def __init__(self, console: Console) -> None:
        self._say = plain(console)

    def begins(self, name: str, before: int) -> None:
        """The run called ``name`` begins, ``before`` steps of the others are behind us."""

    def ended(self, line: str) -> None:
        self._say(line)

    def stepped(self, record: Mapping[str, Any]) -> None:
        pass

    def saved(self, step: int) -> None:
        pass

    def warned(self, message: str) -> None:
        self._say(f"warning: {message}")


class _Bar(_Board):
    """Moreover shows the run in progress, and how far all of them are."""

    def __init__(self, console: Console, progress: Progress, total: int) -> None:
        super().__init__(console)
        self._progress = progress
        self._task = progress.add_task("", total=total)
        self._name, self._before = "", 0

    def begins(self, name: str, before: int) -> None:
        self._name, self._before = escape(name), before
        self._progress.update(self._task, description=f"{self._name}: compiling …", completed=before)

    def stepped(self, record: Mapping[str, Any]) -> None:
        shown = f"{self._name}: loss [bold]{record['train_loss']:.4g}[/]"
        self._progress.update(self._task, description=shown, completed=self._before + record["step"])


@contextmanager
def _board(console: Console, total: int) -> Iterator[_Board]:
    """What suits ``console``: one bar for all runs on a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield _Board(console)
        return
    columns: list[ProgressColumn] = [
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    ]
    with Progress(*columns, console=console) as progress:
        yield _Bar(console, progress, total)


def _train_all(console: Console, comparison: Comparison) -> bool:
    """Train what is not trained yet; False if Ctrl-C came before all of it was."""
    before = 0
    with deferred_interrupt() as interruption, _board(console, comparison.steps) as board:
        for contender, seed, folder in comparison.runs():
            if interruption.requested:
                return False
            name, planned = f"{contender.label}, seed {seed}", contender.config.steps
            board.begins(name, before)
            outcome = comparison.train(
                contender, seed, folder, observer=board, stop=lambda record: interruption.requested
            )
            if outcome.failure is not None:
                board.ended(f"{name}: {outcome.failure}")
            elif outcome.step < planned:
                return False
            else:
                board.ended(f"{name}: test loss {outcome.loss:.4g} after {outcome.step} steps")
            before += planned
    return True
