"""Training on disk: steps, evaluations and checkpoints in a run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from enrnn_ref.analysis import spectrum
from enrnn_ref.errors import CheckpointError, EnrnnError
from enrnn_ref.training.experiment import Begun, Experiment
from enrnn_ref.training.observer import Observer, Silent
from enrnn_ref.training.run_directory import RunDirectory
from enrnn_ref.training.state import TrainingState

Stop = Callable[[Mapping[str, Any]], bool]


def train(
    experiment: Experiment,
    run: RunDirectory,
    state: TrainingState,
    until: int,
    *,
    observer: Observer | None = None,
    stop: Stop = lambda record: False,
) -> TrainingState:
    """Take steps from ``state`` until ``until`` are taken in all, or ``stop`` says so; the last state is checkpointed.

    Parameters
    ----------
    experiment, run
        Built from the same configuration.
    state : TrainingState
        From :meth:`Experiment.start` or :func:`resume`.
    until : int
        Steps in all. The test set is evaluated every ``evaluation_interval`` steps and there, and the spectrum of R
        recorded; that of the initial parameters too.
    observer : Observer, optional
    stop : callable
        Asked after every step with its record; a true answer ends the run early.

    Raises
    ------
    NotFiniteError, DegenerateEigenvalueError
        Training diverged, or met a degenerate leader under ``on_degenerate="raise"``. The state before that step is
        checkpointed first.
    """
    observer = observer or Silent()
    config = run.config

    def save(reached: TrainingState) -> None:
        run.metrics.sync()  # a checkpoint never knows more than the logs
        run.spectra.sync()
        run.checkpoints.save(reached.fetched(experiment.engine), config)
        observer.saved(reached.step)

    def note_spectrum(reached: TrainingState) -> None:
        here = reached.fetched(experiment.engine)
        run.spectra.note(here.step, spectrum(experiment.model, here.params, here.buffers))

    ahead: Begun | None = None
    while state.step < until:
        try:
            if state.step == 0:
                run.spectra.trim(-1)  # a run that was killed before its first checkpoint has that line already
                note_spectrum(state)
            reached, settled = ahead or experiment.begin(state)
            ahead = _begun_ahead(experiment, reached, until)
            record = settled()
            if reached.step % config.evaluation_interval == 0 or reached.step == until:
                record |= experiment.evaluate(reached)
                note_spectrum(reached)
        except EnrnnError:
            save(state)
            observer.warned(f"Stopped at step {state.step + 1}; the state after step {state.step} is checkpointed.")
            raise
        state = reached
        run.metrics.append(record)
        observer.stepped(record)
        stopped = stop(record)
        if stopped or state.step % config.checkpoint_interval == 0 or state.step == until:
            save(state)
        if stopped:
            break
    return state


def _begun_ahead(experiment: Experiment, state: TrainingState, until: int) -> Begun | None:
    """The step after a state that is not known to hold yet, where that keeps a device busy.

    What stands in its way counts when its turn has come: the step before may have failed.
    """
    if not experiment.engine.ahead or state.step >= until:
        return None
    try:
        return experiment.begin(state)
    except EnrnnError:
        return None


def resume(experiment: Experiment, run: RunDirectory) -> tuple[TrainingState, list[str]]:
    """The state of the newest usable checkpoint, with the log cut back to it; the run goes on from there bit for bit.

    Returns
    -------
    state : TrainingState
        For :func:`train`.
    notes : list of str
        What a person should know, a sentence each: checkpoints that were refused, a start from the first step.

    Raises
    ------
    CheckpointError
        There are checkpoints, and none is usable; or there are none, though the log says that there were.
    """
    config = run.config
    state, refused = run.checkpoints.load_latest(config, experiment.blank(config.batch_size, config.dtype))
    if state is None:
        logged = max((record["step"] for record in run.metrics.read()), default=0)
        if logged >= min(config.checkpoint_interval, config.steps):  # then the first checkpoint was due
            raise CheckpointError(
                f"{run.checkpoints.path} holds no checkpoint, though {run.metrics.path} holds {logged} steps; expected "
                "at least one: put it back, or begin a new run."
            )
        state = experiment.start(config.seed, config.dtype)
        notes = [f"{run.path} holds no checkpoint yet; starting from the first step."]
    else:
        notes = [f"{reason} Using the checkpoint of step {state.step} instead." for reason in refused]
    run.metrics.trim(state.step)
    run.spectra.trim(state.step)
    return state.brought(experiment.engine), notes
