"""What is trained on what, and how: the objects behind a configuration, and one step with them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from enrnn_ref import backends, models, optimizers, tasks
from enrnn_ref.arrays import Arrays
from enrnn_ref.backends import Backend
from enrnn_ref.errors import ConfigError, DtypeError, NotFiniteError, OptionError
from enrnn_ref.models import Model
from enrnn_ref.optimizers import Optimizer
from enrnn_ref.optimizers.clipping import begin_clipping
from enrnn_ref.tasks.base import Task
from enrnn_ref.training.config import RunConfig
from enrnn_ref.training.parametrized import add_penalty, after_update
from enrnn_ref.training.state import TrainingState

# A training run goes on through a degenerate leading eigenvalue, and records it; a direct call raises.
_TRAINING_OPTIONS: dict[str, dict[str, Any]] = {"enrnn": {"on_degenerate": "proceed"}}

_ADVICE = "Lower the learning rate or clip the gradient."


class Begun(NamedTuple):
    """A step that a device need not have taken yet.

    Attributes
    ----------
    state : TrainingState
        The one after it, for the next step to begin with.
    settled : function
        The record of the step, as ``Experiment.step`` returns it, or its NotFiniteError; waits for the step, and for
        nothing that was begun after it. Before that the state is not to be relied on.
    """

    state: TrainingState
    settled: Callable[[], dict[str, Any]]


@contextmanager
def _diverging(step: int, where: str = "") -> Iterator[None]:
    """Divergence in words, wherever in a step it surfaces."""
    try:
        yield
    except NotFiniteError as error:
        raise NotFiniteError(f"Training diverged at step {step}: {where}{error} {_ADVICE}") from error


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        raise NotFiniteError(f"the loss is {loss}.")
    return loss


@dataclass(frozen=True)
class Experiment:
    """A model, a task and an optimiser: enough to take steps, in memory, without any file.

    Parameters
    ----------
    model, task, optimizer
        Any that keep to the interfaces of ARCHITECTURE.md; the user's own too.
    clip : float or None
        Limit of the gradient's global norm.
    backend : str
        With "cuda" a state lives on the device from the start on; of a step the numbers of its record come to the host,
        and the free arrays of a parametrization that has a penalty, or a base point that moves.

    Examples
    --------
    >>> experiment = Experiment(model, task, RMSprop(1e-3))  # doctest: +SKIP
    >>> state = experiment.start(seed=0)  # doctest: +SKIP
    >>> for _ in range(300):  # doctest: +SKIP
    ...     state, record = experiment.step(state)
    """

    model: Model
    task: Task
    optimizer: Optimizer
    clip: float | None = None
    backend: str = "cpu"

    @property
    def engine(self) -> Backend:
        """The backend itself."""
        return backends.get(self.backend)

    def start(self, seed: int, dtype: npt.DTypeLike = np.float32) -> TrainingState:
        """The state before the first step."""
        state = TrainingState(step=0, params=self.model.init(seed, dtype), optimizer={}).brought(self.engine)
        return replace(state, optimizer=self.optimizer.init(state.params))

    def blank(self, batch_size: int, dtype: npt.DTypeLike = np.float32) -> TrainingState:
        """Every array a state has after its first step, with its shape and dtype, on the host and of no meaning."""
        params = {name: np.zeros(shape, dtype) for name, shape in self.model.shapes.items()}
        carried = {name: np.zeros(shape, dtype) for name, shape in self.model.state_shapes(batch_size).items()}
        buffers = self.model.initial_buffers()
        return TrainingState(0, params, self.optimizer.init(params), buffers, carried)

    def step(self, state: TrainingState) -> tuple[TrainingState, dict[str, Any]]:
        """One optimiser step on batch ``state.step``; ``state`` itself, which may lie on the host, is left as it is.

        Returns
        -------
        state : TrainingState
        record : dict
            ``step`` (of the new state), ``train_loss`` (before the update, in the unit of the baseline),
            ``gradient_norm`` (before clipping, of loss and penalty), ``penalty`` where the model has one,
            ``degeneracy`` where the leading eigenvalue had no derivative, and where it is tracked ``fallbacks``, how
            often so far the dense method had to decide.

        Raises
        ------
        NotFiniteError
            The output, the gradient or an updated parameter is NaN or infinite.
        """
        begun = self.begin(state)
        return begun.state, begun.settled()

    def begin(self, state: TrainingState) -> Begun:
        """As ``step``, of which a device need not have done anything yet; ``state`` may be one that a step has begun.

        NotFiniteError, as far as it takes what a device computes to see it, is raised by what is returned.
        """
        engine, number = self.engine, state.step + 1
        state, batch = state.brought(engine), self.task.batch(state.step)
        with _diverging(number):
            # Overflow on the way to a diverged loss is caught where it surfaces, and reported once, in words.
            with np.errstate(over="ignore", invalid="ignore"):
                run = self.model.forward(
                    state.params,
                    engine.take(batch.x),
                    None if batch.fresh else state.carried,
                    buffers=state.buffers,
                    backend=self.backend,
                )
                loss, dy = self.task.loss(run.y, batch)
                grads = dict(self.model.backward(run, dy).params)
                penalty = add_penalty(self.model, engine, state.params, grads)
            grads, norm = begin_clipping(grads, self.clip)
            params, memory, settle_update = self.optimizer.begin(state.params, grads, state.optimizer)
            params, buffers = after_update(self.model, params, run.buffers)
            later = engine.later(loss)

        record: dict[str, Any] = {"step": number, "train_loss": None, "gradient_norm": None}
        if penalty:
            record["penalty"] = penalty
        degeneracies = dict(state.degeneracies)
        if run.degeneracy is not None:
            kind = run.degeneracy.kind
            degeneracies[kind] = degeneracies.get(kind, 0) + 1
            record["degeneracy"] = {"kind": kind, "gap": run.degeneracy.gap, "condition": run.degeneracy.condition}
        record |= self._fallbacks(params, buffers)
        # The final state is a slice of the tape; a copy lets the tape go.
        carried = {name: array.copy() for name, array in run.state.items()}

        def settled() -> dict[str, Any]:
            with _diverging(number):
                record.update(train_loss=_finite(later()), gradient_norm=norm())
                settle_update()
            return record

        return Begun(TrainingState(number, params, memory, buffers, carried, degeneracies), settled)

    def evaluate(self, state: TrainingState) -> dict[str, Any]:
        """Test loss and the health of the spectrum; nothing of it feeds back into training.

        Returns
        -------
        dict
            ``test_loss`` in the unit of the baseline; where a matrix is normalised by its spectral radius (the short
            block of the ENRNN) its ``spectral_radius`` and the leader's ``gap`` and ``condition``; where the leader is
            tracked ``fallbacks``, the count so far; ``degeneracies``, the count so far by kind.

        Raises
        ------
        NotFiniteError
            The output is NaN or infinite.
        """
        state, here = state.brought(self.engine), state.fetched(self.engine)
        with _diverging(state.step, "in the test, "), np.errstate(over="ignore", invalid="ignore"):
            record: dict[str, Any] = {"test_loss": self._test_loss(state)}
        for prefix, recurrence, params, buffers in self.model.recurrences(here.params, here.buffers):
            leader = recurrence.evaluate(params, buffers).eigenpair
            if leader is not None:
                health = {"spectral_radius": leader.modulus, "gap": leader.gap, "condition": leader.condition}
                record |= {prefix + key: value for key, value in health.items()}
        record |= self._fallbacks(here.params, here.buffers)
        return record | {"degeneracies": dict(state.degeneracies)}

    def _fallbacks(self, params: Arrays, buffers: Arrays | None) -> dict[str, int]:
        """How often so far a tracked leader was left to the dense method, for every recurrence that has one."""
        return {
            f"{prefix}fallbacks": int(own["fallbacks"])
            for prefix, _, _, own in self.model.recurrences(params, buffers)
            if own is not None and "fallbacks" in own
        }

    def _test_loss(self, state: TrainingState) -> float:
        """Mean over all terms of the test set; the state is carried from batch to batch as in training."""
        total, weight, engine = 0.0, 0.0, self.engine
        carried: Arrays | None = None
        for batch in self.task.test_batches():
            run = self.model.forward(
                state.params,
                engine.take(batch.x),
                None if batch.fresh else carried,
                buffers=state.buffers,
                keep=False,
                backend=self.backend,
            )
            loss, _ = self.task.loss(run.y, batch)
            carried = run.state
            total += batch.weight * _finite(float(loss))
            weight += batch.weight
        return total / weight


def build(config: RunConfig) -> Experiment:
    """The objects that ``config`` describes.

    Raises
    ------
    ConfigError
        A name or an option that the task, the model or the optimiser refuses.
    OptionError, BackendUnavailable
        There is no such backend, or it cannot run here.
    DataError, DependencyError
        The data of the task cannot be had.
    """
    task = build_task(config)
    model = build_model(config, task)
    backends.get(config.backend)  # an unknown or unavailable one is refused now, not at the first step
    return Experiment(model, task, optimizers.from_config(config.optimizer), config.clip, config.backend)


def build_task(config: RunConfig) -> Task:
    """The task of ``config``; errors as those of :func:`build`."""
    shared = {"batch_size": config.batch_size, "seed": config.seed, "dtype": config.dtype}
    if "seed" not in _built("task", tasks.options, config.task, {}):
        del shared["seed"]  # the data come from a file, in its order
    task: Task = _built("task", tasks.build, config.task, _joined("task_options", config.task_options, shared))
    return task


def build_model(config: RunConfig, task: Task) -> Model:
    """The model of ``config`` with the sizes and the readout that ``task`` wants; errors as those of :func:`build`."""
    sizes = {"input_size": task.input_size, "output_size": task.output_size, "readout": task.readout}
    options = _joined("model_options", config.model_options, sizes)
    _require_model(config, given=sizes)
    model: Model = _built("model", models.build, config.model, _TRAINING_OPTIONS.get(config.model, {}) | options)
    return model


def _joined(key: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """``own`` and what is decided elsewhere; an option that is in both would be ignored in one of them."""
    for name in own:
        if name in given:
            raise ConfigError(f"Key {key!r} of the configuration holds {name!r}; expected it nowhere but in its place.")
    return {**own, **given}


def _require_model(config: RunConfig, given: Mapping[str, Any]) -> None:
    """Raise ConfigError unless there is such a model and its constructor takes ``model_options``, none missing."""
    if config.model not in models.NAMED:
        raise ConfigError(
            f"Key 'model' of the configuration is {config.model!r}; expected one of {', '.join(models.NAMED)}."
        )
    signature = inspect.signature(models.NAMED[config.model]).parameters
    parameters = {name: parameter for name, parameter in signature.items() if name not in given}
    unknown = [name for name in config.model_options if name not in parameters]
    missing = [
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and name not in config.model_options
    ]
    if unknown or missing:
        found = "; ".join(
            text for text, names in ((f"unknown: {unknown}", unknown), (f"missing: {missing}", missing)) if names
        )
        raise ConfigError(
            f"Key 'model_options' of the configuration does not suit model {config.model!r} ({found}); expected some "
            f"of {list(parameters)}."
        )


def _built(what: str, factory: Callable[..., Any], name: str, options: Mapping[str, Any]) -> Any:
    """``factory(name, **options)``; what it refuses is the configuration's fault."""
    try:
        return factory(name, **options)
    except (OptionError, DtypeError) as error:
        raise ConfigError(f"Key {what!r} or '{what}_options' of the configuration is refused: {error}") from error
