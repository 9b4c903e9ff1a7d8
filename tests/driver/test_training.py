"""Training goes through on every task that has steps on the device, with every optimiser, and goes on from a file."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from enrnn_ref import ENRNN, backends, tasks
from enrnn_ref.backends.cuda import leader, norm
from enrnn_ref.bench import Size
from enrnn_ref.bench.device_step import DeviceStep, launches_of
from enrnn_ref.cli.app import app
from enrnn_ref.linalg.eigenpair import eigenpair_of
from enrnn_ref.optimizers import Adam, Groups, RMSprop
from enrnn_ref.optimizers.clipping import begin_clipping
from enrnn_ref.training import Experiment, RunDirectory, build
from tests.test_optimizers import RULES
from tests.training.small import switching_enrnn

# Memory that is kept has anything in it, and no kernel puts zeros there: notes of broken numbers would be noise.
pytestmark = pytest.mark.usefixtures("nothing_kept")
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


def test_a_step_is_queued_without_waiting_but_for_the_proof_of_its_matrix(driver, monkeypatch):
    """Neither data nor numbers are waited for until a record is asked for, which the next step need not wait for."""
    monkeypatch.setattr(leader, "_proved", lambda *_: eigenpair_of(np.diag([0.9, 0.5, 0.4, 0.3, 0.2, 0.1])))
    task = tasks.build("adding", length=5, batch_size=4, seed=1, test_size=3, dtype=np.float32)
    model = ENRNN(task.input_size, 8, 6, task.output_size, readout=task.readout, on_degenerate="proceed")
    experiment = Experiment(model, task, Adam(1e-3), 1.0, "cuda")
    begun = experiment.begin(experiment.start(0))
    begun.settled()
    begun = experiment.begin(begun.state)
    driver.forget()
    following = experiment.begin(begun.state)
    waits = [call for call in driver.order if call in WAITS]
    assert waits == ["cuEventSynchronize"] * 2  # of (I + A)^-1, and of the leader
    assert driver.calls("cuMemcpyHtoD") == 0
    assert driver.calls("cuMemcpyHtoDAsync") == 3  # the batch, its targets, and the slope of the pair above
    for step in (begun, following):
        driver.forget()
        step.settled()
        assert driver.order.count("launch") == 0
        assert [call for call in driver.order if call in WAITS] == ["cuEventSynchronize"] * 3  # loss, norm, update


def kernels_of(step, driver):
    step()  # what is brought or made once
    driver.forget()
    step()
    return [launch.kernel for launch in driver.launches]


WAITS = {"cuMemcpyDtoH", "cuEventSynchronize", "cuCtxSynchronize", "cuStreamSynchronize"}


@pytest.mark.parametrize("proved", [True, False])
def test_a_pass_is_queued_before_it_is_known_whether_its_matrix_may_stand(proved, driver, monkeypatch):
    """And if it may not, a second one is, on what the host makes of the parameters."""
    model, engine = ENRNN(3, 8, 6, 2, readout="last", on_degenerate="proceed"), backends.get("cuda")
    params = {key: engine.take(array) for key, array in model.init(0, np.float32).items()}
    x = engine.take(np.ones((4, 5, 3), np.float32))
    monkeypatch.setattr(leader, "_proved", lambda *_: eigenpair_of(np.diag([0.5, 0.2])) if proved else None)
    model.forward(params, x, backend="cuda")
    driver.forget()
    model.forward(params, x, backend="cuda")
    order = driver.order
    first = min(order.index(wait) for wait in WAITS & set(order))
    behind = [launch.kernel for launch in driver.launches[order[:first].count("launch") :]]
    assert all("copying" in kernel for kernel in behind) == proved  # a copy of the last state, of what is shown
    assert order.count("cuEventSynchronize") == 2
    assert (order.count("cuMemcpyDtoH") == 0) == proved  # T, which the host looks at


def test_a_longer_sequence_takes_no_more_launches(driver):
    model, engine = ENRNN(3, 8, 6, 2, readout="last", on_degenerate="proceed"), backends.get("cuda")
    params = {key: engine.take(array) for key, array in model.init(0, np.float32).items()}

    def step(times):
        x = engine.take(np.ones((times, 5, 3), np.float32))
        run = model.forward(params, x, backend="cuda")
        return model.backward(run, engine.take(np.ones(run.y.shape, np.float32)))

    short, long = (kernels_of(functools.partial(step, times), driver) for times in (4, 40))
    assert short == long


@pytest.mark.parametrize("name", ["sgd", "adam torch"])
def test_more_parameters_take_no_more_launches(name, driver):
    """As long as all of them fit into one."""
    rule, engine = RULES[name], backends.get("cuda")

    def launches(count):
        params = {str(k): engine.take(np.ones((k, 3), np.float32)) for k in range(1, count + 1)}
        step = functools.partial(rule.step, params, params, rule.init(params))
        clip = functools.partial(begin_clipping, params, 1.0)
        return len(kernels_of(step, driver)), len(kernels_of(clip, driver))

    assert (0, 0) < launches(2) == launches(9)
    assert launches(norm.TOGETHER + 1)[1] == launches(norm.TOGETHER)[1] + 2


def test_the_launches_of_a_step_can_be_repeated_by_themselves(driver):
    """As the benchmark does: the same kernels in the same shapes and order, and nothing is asked of the host."""
    step = DeviceStep(Size("small", 8, 6, 5, 4))
    step.run()
    driver.forget()
    again = launches_of(step.run)
    first = driver.launches
    driver.forget()
    for launch in again:
        launch()
    assert driver.launches == first
    assert len(first) > 0
    assert driver.calls("cuMemcpyDtoH") == driver.calls("cuMemcpyHtoD") == 0
    driver.forget()
    step.run()
    assert driver.launches == first  # what records is gone
    assert len(again) == len(first)
