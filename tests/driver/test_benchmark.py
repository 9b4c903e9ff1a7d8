"""The benchmark for GPUs goes through; what it times here are the host and nothing else."""

import json

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
