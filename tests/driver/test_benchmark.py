"""The benchmark for GPUs goes through; what it times here are the host and nothing else."""

import json
import math

import pytest

from benchmarks import gpu
from enrnn_ref.bench import Size

LOOPS = {f"{way} {rung}" for way in ("forward", "backward") for rung in gpu.RUNGS}


@pytest.mark.usefixtures("nothing_kept")
def test_every_call_of_the_benchmark(tmp_path, driver):
    size = Size("small", 40, 24, 5, 4)
    cases = [gpu.Case(size, peers=()), gpu.Case(size, "LSTM", peers=())]
    status = gpu.main(["--repeats", "1", "--out", str(tmp_path)], cases)
    (path,) = tmp_path.iterdir()
    report = json.loads(path.read_text())
    enrnn, lstm = report["cases"]
    assert (report["left_out"], report["failed"]) == ({}, {})
    assert enrnn["times"].keys() >= {"ours", "whole", "step", "queued", *gpu.PRODUCTS, *LOOPS}
    assert lstm["times"].keys() >= {"ours", "resident", "whole", *gpu.PRODUCTS}
    assert lstm["failed"] == {}
    # No kernel has made R: it is zero, and so is its spectral radius, which has no derivative there.
    assert enrnn["failed"].keys() <= {"resident"}
    assert all("DegenerateEigenvalueError" in reason for reason in enrnn["failed"].values())
    assert status == len(enrnn["failed"])
    assert driver.calls("cuEventRecord") > 0


class Event:
    """Of a device that begins before all is queued, the first ``early`` times."""

    early: float

    def record(self):
        pass

    def synchronize(self):
        pass

    def query(self):
        type(self).early -= 1
        return self.early >= 0

    def elapsed_time(self, last):
        assert last is not self
        return 5.0


@pytest.mark.parametrize(("early", "waits"), [(0, 1), (1, 1 + 2), (3, 1 + 2 + 4 + 8)])
def test_the_device_is_kept_waiting_until_all_is_queued(early, waits, driver):
    ran = []
    gpu._wait[1, 1](0)  # compiled
    driver.forget()
    call = gpu.Call(lambda: ran.append(len(driver.launches)), event=type("Events", (Event,), {"early": early}), ahead=1)
    assert call.seconds() == 5e-3
    assert len(driver.launches) == waits
    assert ran == [2**k - 1 for k in range(1, early + 2)]  # each time behind all the waits before


def test_a_device_that_never_waits_is_an_error():
    call = gpu.Call(lambda: None, event=type("Events", (Event,), {"early": math.inf}), ahead=1)
    with pytest.raises(RuntimeError, match=f"began after {gpu.MOST_WAITS} waits"):
        call.seconds()


def test_what_is_not_queued_ahead_may_begin_at_once(driver):
    call = gpu.Call(lambda: None, event=type("Events", (Event,), {"early": math.inf}))
    driver.forget()
    assert call.seconds() == 5e-3
    assert driver.launches == []


def test_several_runs_are_timed_as_one():
    ran = []
    assert gpu.Call(lambda: ran.append(0), event=type("Events", (Event,), {"early": 0}), times=4).seconds() == 5e-3 / 4
    assert len(ran) == 4


@pytest.mark.parametrize("backwards", [False, True])
def test_only_what_is_a_few_launches_is_queued_ahead(backwards):
    case = gpu.Case(Size("small", 40, 24, 5, 4), peers=())
    work = gpu.workload(case.size, gpu.np.dtype("float32"), 1)
    ours = gpu.OnDevice(*gpu.model_of(case, work), work)
    ahead = {rung: gpu._loop(ours, rung, backwards=backwards).ahead for rung in gpu.RUNGS}
    assert ahead == {rung: int(rung != "steps") for rung in gpu.RUNGS}
