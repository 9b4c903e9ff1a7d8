"""All figures of a run directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from enrnn_ref.analysis import memory_profile, modes, spectrum, spectrum_history, step_jacobians
from enrnn_ref.arrays import Array
from enrnn_ref.errors import ConfigError, DataError, NotFiniteError, OptionError
from enrnn_ref.models import Model
from enrnn_ref.plotting.jacobian import jacobian_figure
from enrnn_ref.plotting.loss import loss_figure
from enrnn_ref.plotting.memory import memory_figure
from enrnn_ref.plotting.modes import modes_figure
from enrnn_ref.plotting.spectrum import spectrum_figure, spectrum_history_figure
from enrnn_ref.plotting.style import Figure, save
from enrnn_ref.training import RunDirectory, TrainingState, build

_BACKEND = "reference"  # its passes over few steps take less time than compiling others
_SEQUENCES = 3  # of the test set, for the memory profile
_JACOBIANS = 24  # times of the first of them, at which the Jacobian is shown
# What follows costs about the cube of the number D of states: from here on one sequence has to do, and the Jacobian is
# decomposed at fewer times, such that their number times D³ stays within the effort, but at this many at least.
_WIDE, _EFFORT, _LEAST = 256, 2.5e8, 4


class Figures(NamedTuple):
    """What was drawn, and one sentence for every figure that could not be."""

    paths: list[Path]
    notes: list[str]


def plot_run(run: RunDirectory) -> Figures:
    """Write the pictures of a run into its ``figures/``.

    ``loss.png``, ``spectrum.png`` (before and after), ``spectrum-history.png``, ``modes.png``, ``jacobian.png`` and
    ``memory.png``. "Before" are the initial parameters, drawn again from the run's seed; "after" is the newest usable
    checkpoint. A run that diverged has no memory to show: its loss and spectrum are drawn all the same.

    Raises
    ------
    ConfigError
        The run has not taken a step yet, or holds no checkpoint.
    """
    config = run.config
    records = run.metrics.read()
    experiment = build(replace(config, backend=_BACKEND))  # pictures of a run on a device need none
    after, _ = run.checkpoints.load_latest(config, experiment.blank(config.batch_size, config.dtype))
    if after is None or not records:
        raise ConfigError(f"{run.path} has nothing to plot yet; expected at least one step and one checkpoint.")
    model, task = experiment.model, experiment.task
    before = experiment.start(config.seed, config.dtype)
    size = sum(width for _, width in model.state_shapes(1).values())
    x = next(iter(task.test_batches())).x[:, :_SEQUENCES].astype(np.dtype(config.dtype), copy=False)
    name = f"{type(model).__name__} on {config.task}"

    def loss() -> Figure:
        return loss_figure(
            records, baseline=task.baseline, baseline_text=task.baseline_text, unit=task.unit, title=f"Loss: {name}"
        )

    def eigenvalues() -> Figure:
        return spectrum_figure(
            _spectrum(model, before),
            _spectrum(model, after),
            titles=("Spectrum of R before training", f"after {after.step} steps"),
        )

    def history() -> Figure:
        return spectrum_history_figure(spectrum_history(run), title=f"Eigenvalues over training: {name}")

    def durations() -> Figure:
        tables = {block: modes(values, dtype=config.dtype) for block, values in _spectrum(model, after).items()}
        return modes_figure(tables, title=f"Modes of R after {after.step} steps: {name}")

    def jacobian() -> Figure:
        count = int(np.clip(_EFFORT // size**3, _LEAST, _JACOBIANS))
        times = np.unique(np.linspace(1, len(x), count).round().astype(int)).tolist()
        jacobians = step_jacobians(model, after.params, x[:, :1], times=times, buffers=after.buffers, backend=_BACKEND)
        return jacobian_figure(
            jacobians, title=f"Jacobian of a step along a sequence, after {after.step} steps of training: {name}"
        )

    def memory() -> Figure:
        sequences = x if size <= _WIDE else x[:, :1]
        profile = memory_profile(model, after.params, sequences, buffers=after.buffers, backend=_BACKEND)
        return memory_figure(profile, title=f"Memory after {after.step} steps: {name}")

    drawings: dict[str, Callable[[], Figure]] = {
        "loss": loss,
        "spectrum": eigenvalues,
        "spectrum-history": history,
        "modes": durations,
        "jacobian": jacobian,
        "memory": memory,
    }
    figures = Figures([], [])
    for stem, draw in drawings.items():
        path = run.figures / f"{stem}.png"
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                figures.paths.append(save(draw(), path))
        except NotFiniteError as error:
            figures.notes.append(f"No {stem} figure: the states of the last checkpoint overflow ({error})")
        except (DataError, OptionError) as error:
            figures.notes.append(f"No {stem} figure: {error}")
        else:
            continue
        path.unlink(missing_ok=True)  # one of an earlier state would pass for this one's
    return figures


def _spectrum(model: Model, state: TrainingState) -> dict[str, Array]:
    """Eigenvalues to be drawn.

    Raises
    ------
    OptionError
        The model has no recurrent matrix that is square.
    """
    found = spectrum(model, state.params, state.buffers)
    if not found:
        raise OptionError(f"the recurrent matrix of {type(model).__name__} is not square; it has no eigenvalues.")
    return found
