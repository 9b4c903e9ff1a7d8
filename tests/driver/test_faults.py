"""Where the driver refuses, one typed error says so, and what the caller had is as it was."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from enrnn_ref import ENRNN, RNN, backends, tasks
from enrnn_ref.errors import DeviceError
from enrnn_ref.optimizers import SGD
from enrnn_ref.training import Experiment
from tests.mutants.systems import case

ROOT = Path(__file__).parents[2]
OUT_OF_MEMORY, OUT_OF_RESOURCES, FAILED = 2, 701, 719
REFUSALS = {
    "no device": ("DRIVER.have(0)", "no GPU"),
    "no memory": ("DRIVER.fail('cuDevicePrimaryCtxRetain', 2)", "CUDA_ERROR_OUT_OF_MEMORY"),
    "in use": ("DRIVER.fail('cuDevicePrimaryCtxRetain', 46)", "46"),
    "too old": ("DRIVER.have(capability=5)", "compute capability 5.0 is not supported"),
    "no kernel": ("DRIVER.fail('cuLibraryLoadData', 209)", "209"),
    "not run": ("DRIVER.fail('cuCtxSynchronize', 719)", "LAUNCH_FAILED"),
    "not started": ("DRIVER.fail('cuInit', 100)", "100"),
}
ASK = """
from tests.driver.driver import DRIVER
{change}
from enrnn_ref import backends, errors
try:
    backends.get("cuda")
except errors.BackendUnavailable as error:
    print(error)
    print(type(error.__cause__).__name__)
"""


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("function", "code", "reported"),
    [
        ("cuMemAlloc", OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY.*checkpoint_every"),
        ("cuLaunchKernelEx", OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES.*another rung"),
        ("cuLaunchKernelEx", FAILED, "CUDA_ERROR_LAUNCH_FAILED.*start a new one"),
        ("cuMemcpyHtoDAsync", FAILED, "CUDA_ERROR_LAUNCH_FAILED.*start a new one"),
        ("cuMemcpyDtoH", FAILED, "CUDA_ERROR_LAUNCH_FAILED.*start a new one"),
    ],
)
@pytest.mark.parametrize("name", ["enrnn", "lstm"])
def test_any_call_of_a_pass_may_fail(name, function, code, reported, driver):
    """The first, the second, to the last: whichever it is, the error is this package's, and the next pass succeeds."""
    point = case(name, times=3, batch=2)
    given = {**point.params, "x": point.x, **point.state}
    kept = {key: array.copy() for key, array in given.items()}
    point.gradients("cuda")
    driver.forget()
    point.gradients("cuda")
    calls = driver.calls(function)
    assert calls > 0
    for after in range(calls):
        driver.fail(function, code, after)
        with pytest.raises(DeviceError, match=f"'cuda' stopped.*{reported}"):
            point.gradients("cuda")
        driver.recover()
    for key, array in given.items():
        np.testing.assert_array_equal(array, kept[key])
    point.gradients("cuda")


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("function", "code"),
    [
        ("cuMemHostAlloc", OUT_OF_MEMORY),
        ("cuMemcpyDtoHAsync", FAILED),
        ("cuEventRecord", FAILED),
        ("cuEventSynchronize", FAILED),
    ],
)
def test_any_call_may_fail_by_which_the_host_reads_later(function, code, driver):
    model, engine = ENRNN(2, 4, 3, on_degenerate="proceed"), backends.get("cuda")
    params = {key: engine.take(array) for key, array in model.init(0).items()}

    x = engine.take(np.ones((3, 2, 2)))

    def forward():
        return model.forward(params, x, backend="cuda")

    forward()
    driver.forget()
    forward()
    calls = driver.calls(function)
    assert calls == 2  # of (I + A)^-1 and of the leader
    for after in range(calls):
        driver.fail(function, code, after)
        with pytest.raises(DeviceError, match="'cuda' stopped"):
            forward()
        driver.recover()
    forward()


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("function", ["cuMemHostAlloc", "cuMemcpyDtoHAsync", "cuMemcpyHtoDAsync", "cuEventRecord"])
def test_any_call_of_a_step_may_fail(function, driver):
    """Whatever crosses: the batch, the loss, the norm, whether the update is finite."""
    task = tasks.build("adding", length=3, batch_size=2, seed=1, test_size=2, dtype=np.float32)
    model = RNN(task.input_size, 3, task.output_size, readout=task.readout)
    experiment = Experiment(model, task, SGD(1e-3), 1.0, "cuda")
    state, _ = experiment.step(experiment.start(0))
    driver.forget()
    experiment.step(state)
    calls = driver.calls(function)
    assert calls > 1
    for after in range(calls):
        driver.fail(function, FAILED, after)
        with pytest.raises(DeviceError, match="'cuda' stopped"):
            experiment.step(state)
        driver.recover()
    assert experiment.step(state)[0].step == 2


@pytest.mark.parametrize("name", REFUSALS)
def test_a_device_that_is_refused_is_told_before_anything_runs(name):
    """In a process of its own, since a driver begins once."""
    change, reason = REFUSALS[name]
    asked = [sys.executable, "-W", "error", "-c", ASK.format(change=change)]
    found = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.startswith("backend 'cuda' cannot run here: ")
    assert reason in found.stdout
    cause = found.stdout.splitlines()[-1]
    assert (cause == "NoneType") == (name in ("no device", "not started")), cause
