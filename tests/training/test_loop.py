"""What the loop writes, when, and what it leaves behind when it has to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enrnn_ref.backends import Backend
from enrnn_ref.errors import ConfigError, DegenerateEigenvalueError, NotFiniteError
from enrnn_ref.optimizers import SGD
from enrnn_ref.training import RunDirectory, build, train
from enrnn_ref.training.checkpoint import CheckpointFolder
from enrnn_ref.training.experiment import Begun, Experiment
from enrnn_ref.training.metrics import MetricsLog
from enrnn_ref.training.run_directory import unused_path
from enrnn_ref.training.state import TrainingState
from tests.training.small import assert_same_bits, finite, go_on, latest, run_through, switching_enrnn


@pytest.fixture(params=[False, True], ids=["waiting", "ahead"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step by itself, or the next one begun before the last is settled, as on a device."""
    monkeypatch.setattr(Backend, "ahead", request.param)


class Listener:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.saves: list[int] = []
        self.warnings: list[str] = []

    def stepped(self, record: Mapping[str, Any]) -> None:
        self.steps.append(record["step"])

    def saved(self, step: int) -> None:
        self.saves.append(step)

    def warned(self, message: str) -> None:
        self.warnings.append(message)


@pytest.mark.usefixtures("either_way")
def test_steps_evaluations_and_checkpoints_fall_where_they_should(tmp_path: Path) -> None:
    config = switching_enrnn(evaluation_interval=4, checkpoint_interval=3)
    experiment, run, listener = build(config), RunDirectory.create(tmp_path / "run", config), Listener()
    train(experiment, run, experiment.start(3, config.dtype), 10, observer=listener)
    records = run.metrics.read()
    assert listener.steps == [record["step"] for record in records] == list(range(1, 11))
    assert [record["step"] for record in records if "test_loss" in record] == [4, 8, 10]
    assert listener.saves == [3, 6, 9, 10]
    assert listener.warnings == []


def test_the_log_is_on_the_disk_before_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power failure the log may know more than the checkpoint (it is trimmed), never less."""
    events: list[str] = []
    for owner, name in ((MetricsLog, "sync"), (CheckpointFolder, "save")):
        original = getattr(owner, name)

        def noted(*arguments: object, name: str = name, original: Callable[..., object] = original) -> object:
            events.append(name)
            return original(*arguments)

        monkeypatch.setattr(owner, name, noted)
    run_through(tmp_path / "run", switching_enrnn(checkpoint_interval=2), 4)
    assert events == ["sync", "save", "sync", "save"]


def test_evaluations_and_checkpoints_change_nothing(tmp_path: Path) -> None:
    often = run_through(tmp_path / "often", switching_enrnn(evaluation_interval=1, checkpoint_interval=1), 20)
    never = run_through(tmp_path / "never", switching_enrnn(evaluation_interval=99, checkpoint_interval=99), 20)
    assert_same_bits(often, never)


@pytest.mark.usefixtures("either_way")
def test_a_request_to_stop_is_followed_after_the_step_and_saved(tmp_path: Path) -> None:
    config = switching_enrnn()
    experiment, run, listener = build(config), RunDirectory.create(tmp_path / "run", config), Listener()
    state = train(
        experiment,
        run,
        experiment.start(3, config.dtype),
        200,
        observer=listener,
        stop=lambda record: record["step"] == 7,
    )
    assert state.step == 7
    assert listener.saves == [7]
    loaded, _ = latest(run)
    assert loaded is not None
    assert_same_bits(loaded, state)


@pytest.mark.usefixtures("either_way")
def test_divergence_leaves_the_last_good_state(tmp_path: Path) -> None:
    config = switching_enrnn(optimizer=SGD(1e3).to_config(), clip=None)
    experiment, run, listener = build(config), RunDirectory.create(tmp_path / "run", config), Listener()
    with pytest.raises(NotFiniteError, match="diverged at step"):
        train(experiment, run, experiment.start(3, config.dtype), 200, observer=listener)
    good, _ = latest(run)
    assert good is not None
    assert good.step == listener.steps[-1] == run.metrics.read()[-1]["step"] == listener.saves[-1]
    assert finite(good)
    assert f"after step {good.step} " in listener.warnings[-1]
    with pytest.raises(NotFiniteError, match=f"diverged at step {good.step + 1}:"):
        go_on(run.path, 200)


@pytest.mark.parametrize("ahead", [False, True])
def test_a_step_is_begun_before_the_last_is_settled_where_that_helps(
    ahead: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backend, "ahead", ahead)
    events: list[tuple[str, int]] = []
    begin = Experiment.begin

    def noted(experiment: Experiment, state: TrainingState) -> Begun:
        begun = begin(experiment, state)
        events.append(("begun", begun.state.step))

        def settled() -> dict[str, Any]:
            events.append(("settled", begun.state.step))
            return begun.settled()

        return begun._replace(settled=settled)

    monkeypatch.setattr(Experiment, "begin", noted)
    run_through(tmp_path / "run", switching_enrnn(), 3)
    in_turns = [(what, step) for step in (1, 2, 3) for what in ("begun", "settled")]
    staggered = [("begun", 1), ("begun", 2), ("settled", 1), ("begun", 3), ("settled", 2), ("settled", 3)]
    assert events == (staggered if ahead else in_turns)


def test_running_ahead_changes_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run_through(tmp_path / "waiting", switching_enrnn(), 20)
    monkeypatch.setattr(Backend, "ahead", True)
    assert_same_bits(run_through(tmp_path / "ahead", switching_enrnn(), 20), expected)
    records = [RunDirectory.open(tmp_path / name).metrics.read() for name in ("waiting", "ahead")]
    assert records[0] == records[1]


@pytest.mark.usefixtures("either_way")
def test_a_degenerate_leader_that_may_not_pass_leaves_the_last_good_state(tmp_path: Path) -> None:
    options = {"long_size": 5, "short_size": 3, "normalize": "always", "on_degenerate": "raise"}
    config = switching_enrnn(model_options=options)
    experiment, run = build(config), RunDirectory.create(tmp_path / "run", config)
    state = experiment.start(3, config.dtype)
    state.params["short"] = np.diag([0.9, -0.9, 0.4])
    with pytest.raises(DegenerateEigenvalueError):
        train(experiment, run, state, 200)
    kept, _ = latest(run)
    assert kept is not None
    assert_same_bits(kept, state)


def test_a_damaged_checkpoint_is_replaced_by_the_one_before_with_a_note(tmp_path: Path) -> None:
    config = switching_enrnn()
    whole = run_through(tmp_path / "run", config, 60)
    newest = tmp_path / "run" / "checkpoints" / "step-00000060.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    resumed, notes = go_on(tmp_path / "run", 60)
    assert len(notes) == 1
    assert str(newest) in notes[0]
    assert "step 50 instead" in notes[0]
    assert_same_bits(resumed, whole)
    assert [record["step"] for record in RunDirectory.open(tmp_path / "run").metrics.read()] == list(range(1, 61))


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    config = switching_enrnn()
    run = RunDirectory.create(tmp_path / "deep" / "run", config)
    with pytest.raises(ConfigError, match="exists already"):
        RunDirectory.create(run.path, config)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="exists already"):
        RunDirectory.create(tmp_path / "file", config)
    with pytest.raises(ConfigError, match="cannot be made"):
        RunDirectory.create(tmp_path / "file" / "run", config)
    (tmp_path / "empty").mkdir()
    assert RunDirectory.create(tmp_path / "empty", config).config == config


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a run directory"):
        RunDirectory.open(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"config\.json: Key 'task'"):
        RunDirectory.open(tmp_path)


def test_the_plan_grows_and_never_shrinks(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", switching_enrnn(steps=100))
    run.extend(80)
    assert RunDirectory.open(run.path).config.steps == 100
    run.extend(130)
    assert run.config.steps == RunDirectory.open(run.path).config.steps == 130


def test_unused_paths_are_counted_from_one(tmp_path: Path) -> None:
    for number in (1, 2, 4):
        (tmp_path / f"adding-rnn-{number}").mkdir()
    assert unused_path(tmp_path, "adding-rnn") == tmp_path / "adding-rnn-3"
