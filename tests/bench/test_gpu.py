"""The benchmark for GPUs, as far as it goes without one: what bars make of samples, and a run on the simulator."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu
from enrnn_ref.backends.cuda import target
from enrnn_ref.backends.cuda.backend import CudaBackend
from enrnn_ref.bench import Size, Timing

ROOT = Path(__file__).parents[2]

RUN = """
import sys

sys.modules["torch"] = None  # as where it is not installed
from benchmarks import gpu
from enrnn_ref.bench import Size

cases = [gpu.Case(Size("tiny", 2, 1, 2, 3, 2), peers=("eager",)), gpu.Case(Size("left over", 2, 0, 1, 2), peers=())]
gpu.STEPS = 2
sys.exit(gpu.main(["--quick", "--repeats", "2", "--out", sys.argv[1]], cases))
"""

GRADIENTS = """
import numpy as np

from benchmarks import gpu
from tests.bench.small import expected, made

size = gpu.Size("tiny", 2, 1, 2, 3, 2)
for kind in ("ENRNN", "RNN", "LSTM"):
    work = made(size)
    model, params = gpu.model_of(gpu.Case(size, kind), work)
    if kind == "ENRNN":
        wanted = expected(work, free=False)
    else:
        start = {name: np.zeros(shape) for name, shape in model.state_shapes(2).items()} | {"h": work.start}
        found = model.backward(model.forward(params, work.x, start, backend="reference"), work.dy)
        wanted = {**found.params, "matrix": found.params["recurrent"], "x": found.x}
    ours = gpu.OnDevice(model, params, work)
    for rung in ("steps", "registers"):  # of what one pass leaves behind the next must see nothing
        gradients = ours.both(*(ours.shape(rung, backwards=backwards) for backwards in (False, True)))
        for name, other in {"dR": "matrix", "dU": "input", "dx": "x", "db": "bias"}.items():
            found = gradients[name].copy_to_host().reshape(wanted[other].shape)
            np.testing.assert_allclose(found, wanted[other], 1e-9, 1e-12, err_msg=f"{kind} {rung} {name}")
"""


def python(*arguments, **environment):
    """A process of its own: what compiles kernels is decided when it is imported."""
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False
    )


def case(name, **seconds):
    """A case of a report, three samples of every time, of which the middle one is given."""
    times = {key: Timing((0.5 * value, value, 4 * value)).to_dict() for key, value in seconds.items()}
    chosen = {way: {"rung": "grid", "plan": "grid: made up"} for way in ("forward", "backward")}
    size = Size("made up", 2, 0, 1, 100).to_dict()
    return {"case": name, "size": size, "chosen": chosen, "times": times, "left_out": {}, "failed": {}}


def report(*cases):
    found = {
        "machine": {"device": "Made Up 1"},
        "repeats": 3,
        "seconds": 1.0,
        "cases": list(cases),
        "left_out": {},
        "failed": {},
    }
    return found | {"bars": gpu.bars(found)}


def judged(*cases):
    return {(bar["bar"], bar["case"]): bar for bar in report(*cases)["bars"]}


def test_bars_come_from_the_samples():
    found = judged(case("ENRNN adding", ours=0.005, resident=0.02, eager=0.06, jax=0.0125))
    time = found["forward + backward", "ENRNN adding"]
    assert (time["wanted"], time["met"]) == ("≤ 6 ms", True)
    assert time["measured"]["median"] == pytest.approx(5.0)
    assert time["with_model_calls"]["median"] == pytest.approx(20.0)
    eager = found["PyTorch eager / ours", "ENRNN adding"]
    assert eager["measured"]["median"] == pytest.approx(12.0)
    assert eager["with_model_calls"]["median"] == pytest.approx(3.0)
    assert (eager["wanted"], eager["met"]) == ("≥ 10", True)
    assert found["JAX jit + scan / ours", "ENRNN adding"]["met"] is False


@pytest.mark.parametrize(("ours", "met"), [(2.5, True), (2.6, False), (1.0, True)])
def test_a_bar_is_met_at_its_limit(ours, met):
    found = judged(case("ENRNN wide", ours=ours, cublas=1.0))
    assert found["ours / products alone by cuBLAS, float32", "ENRNN wide"]["met"] is met


def test_what_was_not_measured_is_neither_met_nor_unmet():
    adding = case("ENRNN adding", ours=0.005)
    adding["left_out"]["jax"] = "no such module"
    found = judged(adding)
    assert found["JAX jit + scan / ours", "ENRNN adding"]["met"] is None
    assert found["JAX jit + scan / ours", "ENRNN adding"]["why"] == "no such module"
    assert found["JAX jit + scan / ours", "ENRNN copying"]["measured"] is None


def test_bars_are_for_cases_that_are_run_and_times_that_are_taken():
    cases = {case.name: case for case in gpu.CASES}
    assert len(cases) == len(gpu.CASES)
    for bar in gpu.BARS:
        for name in bar.cases:
            steps = ("step", "queued") if cases[name].kind == "ENRNN" else ()
            assert {bar.above, bar.below} <= {"ours", "", *cases[name].peers, *steps}
    assert {name for case in gpu.CASES for name in case.peers} == gpu.PEERS.keys()
    assert gpu.PEERS.keys() < gpu.LABELS.keys()


def test_the_tables_have_every_rung_and_every_bar():
    adding = case("ENRNN adding", ours=0.005, eager=0.06, **{"forward grid": 0.002, "backward steps": 0.03, "dR": 1e-4})
    adding["failed"] = {"forward steps": "ValueError: made up", "backward grid": "ValueError: made up"}
    text = gpu.markdown(report(adding))
    assert "| PyTorch eager / ours | ENRNN adding | ≥ 10 | 12.00 (12.00 to 12.00) | met | – |" in text
    assert "| ENRNN adding | forward | – | – | – | 2 (20) | grid |" in text
    assert "| ENRNN adding | backward | 30 (300) | – | – | – | grid |" in text
    assert "| ENRNN adding | – | 0.1 (0.05 to 0.4) | – | – | – |" in text
    assert "- ENRNN adding, forward steps, backward grid: **failed**: ValueError: made up" in text
    assert f"## Bars: 2 of {len(gpu.bars(report(adding)))} met" in text


def test_rounds_stop_when_time_is_up():
    taken = []

    class Call:
        def seconds(self):
            taken.append(self)
            return 1e-3

    first, second = Call(), Call()
    times = gpu.rounds({"first": first, "second": second}, 5, until=0.0)
    assert taken == [first, second]  # a single round, which counts
    assert [timing.samples for timing in times.values()] == [(1e-3,), (1e-3,)]
    assert len(gpu.rounds({"first": first}, 5, until=math.inf)["first"].samples) == 5


def test_what_fails_is_named_and_costs_the_others_nothing(tmp_path, monkeypatch, capsys):
    def measured(tried, repeats, until):
        if tried.name == "ENRNN adding":
            raise ValueError("made\nup")
        return case(tried.name, ours=1.0)

    monkeypatch.setattr(gpu, "unavailable", str)
    monkeypatch.setattr(gpu, "hardware", lambda: {"device": "Made Up 1"})
    monkeypatch.setattr(gpu, "measured", measured)
    assert gpu.main(["--out", str(tmp_path)], gpu.CASES[:2]) == 1
    found = json.loads((tmp_path / "gpu-made-up-1.json").read_text())
    assert found["failed"] == {"ENRNN adding": "ValueError: made up"}
    assert [case["case"] for case in found["cases"]] == ["ENRNN copying"]
    assert found["bars"][0]["why"] == "ValueError: made up"
    assert "- ENRNN adding: **failed**: ValueError: made up" in capsys.readouterr().out
    assert gpu.main(["--out", str(tmp_path)], gpu.CASES[1:2]) == 0
    assert gpu.main(["--out", str(tmp_path)], gpu.CASES[:2], budget=-1.0) == 0
    found = json.loads((tmp_path / "gpu-made-up-1.json").read_text())
    assert found["left_out"] == dict.fromkeys(("ENRNN adding", "ENRNN copying"), "no time was left of -1 s")


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    path = gpu.write(report(case("ENRNN adding", ours=0.005)), tmp_path / "deeper")
    assert path.name == "gpu-made-up-1.json"
    with pytest.raises(TypeError):
        gpu.write(report() | {"cases": object()}, path.parent)
    assert json.loads(path.read_text())["cases"][0]["case"] == "ENRNN adding"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_limit_of_numba_cuda_is_explained(monkeypatch):
    monkeypatch.setattr(target, "SIMULATED", False)
    monkeypatch.setattr(target, "TARGET", "numba-cuda")
    monkeypatch.setattr(np, "__version__", "2.5.2")
    monkeypatch.setattr(gpu.backends, "get", lambda name: CudaBackend())
    reason = gpu.unavailable()
    assert "cannot compile with NumPy 2.5.2" in reason
    assert "expected a NumPy below 2.5" in reason
    assert "\n" not in reason


def test_without_a_gpu_it_says_so_in_a_line(tmp_path):
    done = python("benchmarks/gpu.py", "--out", str(tmp_path), CUDA_VISIBLE_DEVICES="")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("backend 'cuda' cannot run here")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_run_on_the_simulator(tmp_path):
    done = python("-c", RUN, str(tmp_path), NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu-simulator.json").read_text())
    assert (found["format"], found["version"], found["repeats"]) == ("enrnn_ref gpu bench", 1, 2)
    assert found["machine"]["device"] == found["machine"]["target"] == "simulator"
    assert {"driver", "python", "numpy", "numba"} <= found["machine"].keys()
    assert found["left_out"] == {"ENRNN left over": "--quick was given"}
    (tiny,) = found["cases"]
    assert (tiny["case"], tiny["size"]["steps"], tiny["failed"]) == ("ENRNN tiny", 3, {})
    assert "torch" in tiny["left_out"]["eager"]
    taken = {f"{way} {rung}" for way in ("forward", "backward") for rung in ("steps", "shared", "registers")}
    assert {"ours", "resident", "whole", "step", "queued", *gpu.PRODUCTS, *taken} <= tiny["times"].keys()
    assert all(len(timing["samples"]) == 2 and timing["fastest"] > 0 for timing in tiny["times"].values())
    assert tiny["chosen"]["forward"]["plan"].startswith(tiny["chosen"]["forward"]["rung"])
    assert {bar["met"] for bar in found["bars"]} == {None}
    assert "## The ladder" in done.stdout


@pytest.mark.slow
def test_what_is_timed_on_the_device_finds_the_gradients():
    done = python("-c", GRADIENTS, NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode == 0, done.stderr
