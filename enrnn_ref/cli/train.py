"""``enrnn-ref train``: train a model on a task, or go on with a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from enrnn_ref import models, tasks
from enrnn_ref.arrays import integer
from enrnn_ref.cli.overrides import Overrides
from enrnn_ref.cli.progress import watch
from enrnn_ref.errors import ConfigError, OptionError
from enrnn_ref.training import Experiment, RunConfig, RunDirectory, TrainingState, build, preset, resume
from enrnn_ref.training import train as run_training
from enrnn_ref.training.budget import fit
from enrnn_ref.training.comparison import control
from enrnn_ref.training.experiment import build_task
from enrnn_ref.training.interrupt import deferred_interrupt
from enrnn_ref.training.presets import PRESETS
from enrnn_ref.training.run_directory import unused_path

INTERRUPTED = 130  # what a shell reports for a process stopped by SIGINT
PARAMETERS = (
    "Hidden size: the largest with at most so many trainable parameters; an ENRNN keeps the preset's ratio of long to "
    "short units."
)


def train(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help=f"One of {', '.join(tasks.TASKS)}; left out with --resume.")
    ] = None,
    model: Annotated[str | None, typer.Option(help=f"One of {', '.join(models.NAMED)}; enrnn by default.")] = None,
    preset_name: Annotated[
        str | None, typer.Option("--preset", help=f"Settings to start from: {', '.join(PRESETS)}; quick by default.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps; with --resume: that many more.")] = None,
    length: Annotated[int | None, typer.Option(help="Sequence length; copying: the delay.")] = None,
    parameters: Annotated[int | None, typer.Option(help=PARAMETERS)] = None,
    batch: Annotated[int | None, typer.Option(help="Sequences a step.")] = None,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate of all parameters without a rate of their own.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of parameters and data; 0 by default.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or float64.")] = None,
    backend: Annotated[str | None, typer.Option(help="cpu, reference or cuda.")] = None,
    file: Annotated[Path | None, typer.Option(help="text: any text file; mnist: the folder of its files.")] = None,
    permuted: Annotated[bool | None, typer.Option("--permuted", help="mnist: permute the pixels.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory; runs/TASK-MODEL-N by default.")] = None,
    resume_from: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Go on with the run in DIR.")
    ] = None,
) -> None:
    """Train a model on a task, or go on with a run. Beside a momentum model the same without momentum is trained."""
    overrides = Overrides(length, seed, batch, lr, dtype, backend, file, permuted)
    if steps is not None and steps < 1:
        raise OptionError(f"--steps is {steps}; expected an integer of at least 1.")
    console = Console()
    if resume_from is not None:
        run = RunDirectory.open(resume_from)
        given = {"preset": preset_name, "out": out, "parameters": parameters}
        _require_same_run(run.config, overrides, task=task, model=model, **given)
        jobs = _resumed(console, run, steps)
    else:
        if task is None:
            raise OptionError(f"TASK is missing; expected one of {', '.join(tasks.TASKS)}, or --resume DIR.")
        config = overrides.apply(preset(preset_name or "quick", task, model or "enrnn"))
        config = config if steps is None else replace(config, steps=steps)
        if parameters is not None:
            config = within_budget(config, parameters, say=plain(console))
        jobs = _begun(config, out)
    main, *controls = jobs
    loss = drive(console, *main)
    say = plain(console)
    if not controls and hasattr(main[1].model, "without_momentum"):
        say("μ is 0 in this run: it needs no other one beside it")
    for job in controls:
        say("\nthe same with μ = 0 and the same ε, for comparison:")
        without = drive(console, *job, go_on=main[0].path)
        name = main[0].config.model
        say(f"\ntest loss of {name}: {loss:.4g}; with μ = 0 and the same ε: {without:.4g} (in {job[0].path})")


Job = tuple[RunDirectory, Experiment, TrainingState, int]  # the last: steps in all


def _begun(config: RunConfig, out: Path | None) -> list[Job]:
    """A new run, and its control if it has one; no folder is made before everything is known to fit."""
    path = out or unused_path(Path("runs"), f"{config.task}-{config.model}")
    experiment = build(config)
    plans = [(path, config, experiment, experiment.start(config.seed, config.dtype))]
    if (plan := control(config, experiment.model)) is not None:
        beside = control_path(path)
        if beside.exists():
            raise ConfigError(f"The run directory {beside} exists already; expected none, for the run with μ = 0.")
        experiment = build(plan)
        plans.append((beside, plan, experiment, experiment.start(plan.seed, plan.dtype)))
    return [
        (RunDirectory.create(folder, settings), built, state, settings.steps)
        for folder, settings, built, state in plans
    ]


def _resumed(console: Console, run: RunDirectory, more: int | None) -> list[Job]:
    """A run to go on with, and its control up to the same step; a control that is not there begins anew."""
    say = plain(console)
    experiment = build(run.config)
    state, notes = resume(experiment, run)
    until = run.config.steps if more is None else state.step + more
    jobs = [(run, experiment, state, until)]
    if (plan := control(run.config, experiment.model)) is not None:
        experiment = build(plan)
        path = control_path(run.path)
        if path.exists():
            beside = RunDirectory.open(path)
            if replace(beside.config, steps=plan.steps) != plan:
                raise ConfigError(
                    f"{path} is not the control of {run.path}; expected its run with μ = 0, or no such folder."
                )
            state, own_notes = resume(experiment, beside)
            notes += own_notes
        else:
            beside = RunDirectory.create(path, plan)
            state = experiment.start(plan.seed, plan.dtype)
        beside.extend(until)
        jobs.append((beside, experiment, state, until))
    run.extend(until)
    for note in notes:
        say(f"warning: {note}")
    return jobs


def control_path(path: Path) -> Path:
    """Where the run with μ = 0 of the run in ``path`` is: beside it."""
    whole = path if path.name not in ("", "..") else path.resolve()
    return whole.with_name(f"{whole.name}-control")


def within_budget(config: RunConfig, parameters: int, say: Callable[[str], None]) -> RunConfig:
    """``config`` with the sizes that ``--parameters`` pays for; ``say`` is told which, and what they cost."""
    found = fit(config, integer("--parameters", parameters), build_task(config))
    sizes = ", ".join(f"{name} {size}" for name, size in found.sizes.items())
    say(
        f"--parameters {parameters}: {config.model} with {sizes} has {found.parameters} trainable parameters (the next "
        f"larger one {found.exceeding})"
    )
    return found.config


def plain(console: Console) -> Callable[[str], None]:
    """Prints a line as it is: no markup, no colours, no line breaks of its own."""
    return lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)


def drive(
    console: Console,
    run: RunDirectory,
    experiment: Experiment,
    state: TrainingState,
    until: int,
    *,
    go_on: Path | None = None,
) -> float:
    """Train under the eyes of ``console`` and return the last test loss.

    Ctrl-C finishes the step, checkpoints, says that one can go on with ``go_on`` (by default this run), and exits with
    status 130.
    """
    config, task, say = run.config, experiment.task, plain(console)
    trainable = sum(array.size for array in state.params.values())
    say(f"{config.model} on {config.task}: {trainable} trainable parameters, {config.backend} backend, {config.dtype}")
    say(f"baseline {task.baseline:.4g} ({task.baseline_text}; {task.unit})")
    if state.step >= until:
        say(f"The run has taken all of its {state.step} planned steps; --steps N adds N more.")
        return _last_test_loss(run)
    with (
        deferred_interrupt() as interruption,
        watch(console, start=state.step, until=until, baseline=task.baseline) as observer,
    ):
        state = run_training(
            experiment, run, state, until, observer=observer, stop=lambda record: interruption.requested
        )
    if state.step < until:
        say(f"interrupted after step {state.step}; go on with: enrnn-ref train --resume {go_on or run.path}")
        raise typer.Exit(INTERRUPTED)
    test = _last_test_loss(run)
    say(f"test loss {test:.4g}, {test / task.baseline:.3g} of the baseline; the run is in {run.path}")
    return test


def _last_test_loss(run: RunDirectory) -> float:
    """NaN for a run that was stopped before its first test."""
    return next((float(one["test_loss"]) for one in reversed(run.metrics.read()) if "test_loss" in one), math.nan)


def _require_same_run(config: RunConfig, overrides: Overrides, **given: Any) -> None:
    """Raise ConfigError for the first option that does not go with resuming the run of ``config``, by name."""
    for name in ("preset", "out", "parameters"):
        if given[name] is not None:
            raise ConfigError(f"--{name} {given[name]} does not go with --resume; expected no such option.")
    for label, value, stored in (("TASK", given["task"], config.task), ("--model", given["model"], config.model)):
        if value is not None and value != stored:
            raise ConfigError(f"{label} {value} contradicts the run that is resumed; expected {stored}, or nothing.")
    overrides.require_agreement(config)
