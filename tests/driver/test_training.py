"""Training goes through on every task that has steps on the device, with every optimiser, and goes on from a file."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from enrnn_ref.cli.app import app
from enrnn_ref.optimizers import Adam, Groups, RMSprop
from enrnn_ref.training import RunDirectory, build
from tests.test_optimizers import RULES
from tests.training.small import switching_enrnn

OPTIMIZERS = {**RULES, "groups": Groups({"recurrent": RMSprop(1e-3)}, Adam(1e-2))}


def command(*arguments):
    result = CliRunner().invoke(app, ["train", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("task", "model"), [("adding", "rnn"), ("copying", "lstm"), ("text", "gru")])
def test_the_command_trains_and_resumes(task, model, tmp_path, driver):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat; a dog ate the hat. " * 13)
    run, small = tmp_path / "run", ("--length", 5, "--batch", 4, "--steps", 3)
    given = ("--file", text) if task == "text" else ()
    command(task, "--model", model, "--backend", "cuda", "--out", run, *small, *given)
    begun = len(driver.launches)
    assert begun > 0
    assert "step 5/5" in command("--resume", run, "--steps", 2)
    assert len(driver.launches) > begun
    assert RunDirectory.open(run).config.backend == "cuda"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser(name, driver):
    config = switching_enrnn(model="rnn", model_options={"hidden_size": 5}, dtype="float32", backend="cuda")
    options = {"length": 4, "train_size": 6, "test_size": 3}
    experiment = build(replace(config, task_options=options, optimizer=OPTIMIZERS[name].to_config()))
    state = experiment.start(0, config.dtype)
    for step in (1, 2):
        driver.forget()
        state, _ = experiment.step(state)
        assert state.step == step
        assert driver.launches
    experiment.evaluate(state)
