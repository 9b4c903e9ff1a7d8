"""One step is: forward, loss, backward, clip, update; nothing else, and nothing is modified."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enrnn_ref import losses, optimizers, tasks
from enrnn_ref.arrays import Arrays
from enrnn_ref.backends import Backend
from enrnn_ref.cells import ModRelu
from enrnn_ref.errors import DegenerateEigenvalueError, NotFiniteError
from enrnn_ref.models import RNN, ExpRNN, Model, NnRNN, Recurrence, Stacked
from enrnn_ref.optimizers import SGD, Adam
from enrnn_ref.parametrizations import Free
from enrnn_ref.tasks import Batch
from enrnn_ref.training import Experiment, RunDirectory, TrainingState, build
from tests.training.small import assert_same_bits, carrying_rnn, go_on, run_through, switching_enrnn

STILL = SGD(0.0).to_config()


def started(**changes: object) -> tuple[Experiment, TrainingState]:
    config = switching_enrnn(**changes)
    experiment = build(config)
    return experiment, experiment.start(config.seed, config.dtype)


@pytest.mark.parametrize("clip", [None, 1e-3])
def test_a_step_is_its_parts(clip: float | None) -> None:
    experiment, state = started(clip=clip)
    model, task, optimizer = experiment.model, experiment.task, experiment.optimizer
    for number in range(3):
        batch = task.batch(number)
        run = model.forward(state.params, batch.x, buffers=state.buffers, backend="reference")
        loss, dy = losses.mean_squared_error(run.y, batch.target)
        grads = model.backward(run, dy).params
        norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
        if clip is not None:
            assert norm > clip, "nothing would be clipped"
            grads, _ = optimizers.clip_by_global_norm(grads, clip)
        params, memory = optimizer.step(state.params, grads, state.optimizer)

        state, record = experiment.step(state)
        expected = TrainingState(number + 1, params, memory, run.buffers, run.state)
        assert_same_bits(state, expected)
        assert record["step"] == number + 1
        assert record["train_loss"] == loss
        assert record["gradient_norm"] == pytest.approx(norm, rel=1e-12, abs=0)
        assert "degeneracy" not in record


class Decaying(Free):
    """A user's own term of the loss, of which nothing but the method itself tells."""

    def _penalty(self, raw: Arrays) -> tuple[float, Arrays]:
        return 0.5 * float(np.sum(raw["matrix"] ** 2)), {"matrix": raw["matrix"].copy()}


SIZES: dict[str, Any] = {"output_size": 1, "readout": "last"}
BUSY: dict[str, Callable[[], Model]] = {
    "a penalty": lambda: NnRNN(2, 4, modulus_penalty=0.3, lower_decay=0.2, **SIZES),
    "a user's penalty": lambda: Recurrence(Decaying(3, 3), ModRelu(), 2, 1, readout="last"),
    "a moving base": lambda: ExpRNN(2, 5, rebase_every=2, **SIZES),
    "both, stacked": lambda: Stacked([NnRNN(2, 4, lower_decay=0.2), RNN(4, 3), ExpRNN(3, 5, rebase_every=2, **SIZES)]),
}


@pytest.mark.parametrize("name", BUSY)
def test_what_parametrizations_do_between_steps_is_done(name: str) -> None:
    model = BUSY[name]()
    task = tasks.build("adding", length=5, batch_size=3, seed=1, test_size=3, dtype=np.float64)
    experiment = Experiment(model, task, Adam(1e-2), None, "reference")
    state = experiment.start(0, np.float64)
    for number in range(4):
        batch = task.batch(number)
        run = model.forward(state.params, batch.x, buffers=state.buffers, backend="reference")
        grads = model.backward(run, task.loss(run.y, batch)[1]).params
        penalty, pull = model.penalty(state.params)
        grads = {key: gradient + pull[key] for key, gradient in grads.items()}
        params, memory = experiment.optimizer.step(state.params, grads, state.optimizer)
        params, buffers = model.after_update(params, run.buffers)
        assert number == 0 or bool(penalty) == ("base" not in name)
        state, record = experiment.step(state)
        assert_same_bits(state, TrainingState(number + 1, params, memory, buffers, run.state))
        assert record.get("penalty", 0.0) == penalty


def test_a_step_leaves_its_argument_alone() -> None:
    experiment, state = started()
    state, _ = experiment.step(state)
    before = copy.deepcopy(state)
    experiment.step(state)
    experiment.evaluate(state)
    assert_same_bits(state, before)


def test_the_state_goes_over_into_a_batch_that_is_not_fresh(tmp_path: Path) -> None:
    """Frozen parameters: losses of consecutive chunks average to the loss of the uncut text."""
    config = carrying_rnn(tmp_path, optimizer=STILL, dtype="float64")
    experiment = build(config)
    state = experiment.start(config.seed, config.dtype)
    chunks = [experiment.task.batch(step) for step in range(4)]
    assert [chunk.fresh for chunk in chunks] == [True, False, False, False]
    found = []
    for _ in chunks:
        state, record = experiment.step(state)
        found.append(record["train_loss"])

    x = np.concatenate([chunk.x for chunk in chunks])
    run = experiment.model.forward(state.params, x, backend="reference")
    whole = Batch(x, np.concatenate([chunk.target for chunk in chunks]))
    assert np.mean(found) == pytest.approx(experiment.task.loss(run.y, whole)[0], rel=1e-12, abs=0)


def test_a_fresh_batch_starts_from_zero(tmp_path: Path) -> None:
    config = carrying_rnn(tmp_path, optimizer=STILL, dtype="float64")
    experiment = build(config)
    first = state = experiment.start(config.seed, config.dtype)
    losses_of_fresh = []
    while len(losses_of_fresh) < 2:
        fresh = experiment.task.batch(state.step).fresh
        state, record = experiment.step(state)
        if fresh:
            losses_of_fresh.append(record["train_loss"])
    assert state.step > first.step + 2
    assert losses_of_fresh[0] == losses_of_fresh[1]


def test_the_test_loss_is_the_mean_over_the_whole_test_set() -> None:
    experiment, state = started()
    batches = list(experiment.task.test_batches())
    assert len({batch.x.shape[1] for batch in batches}) > 1, "all batches have the same weight"
    x = np.concatenate([batch.x for batch in batches], axis=1)
    target = np.concatenate([batch.target for batch in batches])
    y = experiment.model.forward(state.params, x, backend="reference").y
    assert experiment.evaluate(state)["test_loss"] == pytest.approx(np.mean((y - target) ** 2), rel=1e-12, abs=0)


def test_the_test_text_is_read_with_the_state_carried(tmp_path: Path) -> None:
    config = carrying_rnn(tmp_path, dtype="float64")
    experiment = build(config)
    state = experiment.start(config.seed, config.dtype)
    batches = list(experiment.task.test_batches())
    assert len({len(batch.x) for batch in batches}) > 1, "all batches have the same weight"
    whole = Batch(np.concatenate([b.x for b in batches]), np.concatenate([b.target for b in batches]))
    y = experiment.model.forward(state.params, whole.x, backend="reference").y
    assert experiment.evaluate(state)["test_loss"] == pytest.approx(experiment.task.loss(y, whole)[0], rel=1e-12, abs=0)


def test_the_leader_is_reported() -> None:
    experiment, state = started()
    record = experiment.evaluate(state)
    moduli = np.sort(np.abs(np.linalg.eigvals(state.params["short"])))
    assert record["spectral_radius"] == pytest.approx(moduli[-1], rel=1e-12, abs=0)
    assert record["condition"] >= 1
    assert record["gap"] == pytest.approx(moduli[-1] - moduli[-3], rel=1e-9)  # the second is the conjugate


@dataclass(frozen=True, eq=False)
class Kinked:
    """A start at which two eigenvalues, 0.9 and −0.9, share the lead; frozen there."""

    policy: str

    def start(self) -> tuple[Experiment, TrainingState]:
        config = switching_enrnn(
            optimizer=STILL,
            model_options={"long_size": 5, "short_size": 3, "normalize": "always", "on_degenerate": self.policy},
        )
        experiment = build(config)
        state = experiment.start(config.seed, config.dtype)
        return experiment, replace(state, params=state.params | {"short": np.diag([0.9, -0.9, 0.4])})


def test_every_degeneracy_is_recorded_and_counted() -> None:
    experiment, state = Kinked("proceed").start()
    for number in (1, 2, 3):
        state, record = experiment.step(state)
        assert record["degeneracy"]["kind"] == "tied"
        assert record["degeneracy"]["gap"] <= 1e-15
        assert record["degeneracy"]["condition"] == pytest.approx(1.0)
        assert state.degeneracies == {"tied": number}
    assert experiment.evaluate(state)["degeneracies"] == {"tied": 3}


def test_a_tracked_leader_is_counted_and_survives_a_checkpoint(tmp_path: Path) -> None:
    """The same training as with the dense method; interrupted and resumed, the same bits."""
    options = {"long_size": 5, "short_size": 33, "eps": 1e-3, "normalize": "always"}
    dense, tracked = (
        switching_enrnn(optimizer=Adam(1e-3).to_config(), model_options=options | {"eigenpair": way})
        for way in ("dense", "tracked")
    )
    whole = run_through(tmp_path / "whole", tracked, 60)
    run_through(tmp_path / "parts", tracked, 30)
    parts, _ = go_on(tmp_path / "parts", 60)
    assert_same_bits(whole, parts)
    expected = run_through(tmp_path / "dense", dense, 60)
    for name, array in expected.params.items():
        np.testing.assert_allclose(whole.params[name], array, rtol=1e-9, atol=1e-11)
    records = RunDirectory.open(tmp_path / "whole").metrics.read()
    assert whole.buffers is not None
    assert records[-1]["fallbacks"] == whole.buffers["fallbacks"] <= 3
    assert "fallbacks" not in RunDirectory.open(tmp_path / "dense").metrics.read()[-1]


def test_fall_backs_of_a_tracked_leader_are_in_the_records() -> None:
    """Frozen at a tie: every step but the first, which has nothing to start from."""
    options = {"long_size": 5, "short_size": 33, "normalize": "always", "eigenpair": "tracked"}
    experiment = build(switching_enrnn(optimizer=STILL, model_options=options))
    state = experiment.start(0, "float64")
    state = replace(state, params=state.params | {"short": np.diag(np.r_[0.9, -0.9, np.linspace(0.4, 0.0, 31)])})
    found = []
    for _ in range(4):
        state, record = experiment.step(state)
        found.append(record["fallbacks"])
    assert found == [0, 1, 2, 3]
    assert experiment.evaluate(state)["fallbacks"] == 3


def test_a_degeneracy_stops_a_run_that_was_told_so() -> None:
    experiment, state = Kinked("raise").start()
    with pytest.raises(DegenerateEigenvalueError, match="tied"):
        experiment.step(state)


def test_divergence_is_named_with_its_step() -> None:
    experiment, state = started(optimizer=SGD(1e200).to_config(), clip=None)
    good, _ = experiment.step(state)
    with pytest.raises(NotFiniteError, match="diverged at step 2"):
        experiment.step(good)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_update_out_of_range_is_named_though_loss_and_gradient_are_in_it(
    dtype: str, ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the next step may have been begun on it."""
    monkeypatch.setattr(Backend, "ahead", ahead)
    rate = 10.0 * float(np.finfo(dtype).max) if dtype == "float32" else 1e308
    experiment, state = started(optimizer=SGD(rate).to_config(), clip=None, dtype=dtype)
    grown = replace(state, params=state.params | {"readout": 1e3 * state.params["readout"]})
    with pytest.raises(NotFiniteError, match=r"diverged at step 1: the update of '\w+' leaves the range"):
        experiment.step(grown)


@pytest.mark.parametrize("ahead", [False, True])
def test_a_loss_that_is_no_number_is_named_though_its_gradient_is(ahead: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backend, "ahead", ahead)
    experiment, state = started()
    plain = type(experiment.task).loss
    monkeypatch.setattr(type(experiment.task), "loss", lambda task, y, batch: (np.inf, plain(task, y, batch)[1]))
    with pytest.raises(NotFiniteError, match="diverged at step 1: the loss is inf"):
        experiment.step(state)
    with pytest.raises(NotFiniteError, match="diverged at step 0: in the test, the loss is inf"):
        experiment.evaluate(state)
