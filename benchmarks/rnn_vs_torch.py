"""Time the compiled backend next to torch.nn.RNN, LSTM and GRU, and a decayed state next to a fresh one.

    python benchmarks/rnn_vs_torch.py [--repeats N]

Writes benchmarks/results/rnn_vs_torch.json and .md. Nothing here is asserted by a test: times belong to a machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch

import enrnn_ref as er
from enrnn_ref.bench import Timing, interleaved, machine, ratio

RESULTS = Path(__file__).parent / "results"
LONG, SHORT, INPUT, BATCH, STEPS = 96, 64, 2, 50, 750  # the released setting of the adding problem
GATED = {"LSTM": (er.LSTM, torch.nn.LSTM), "GRU": (er.GRU, torch.nn.GRU)}
GATED_UNITS, GATED_INPUT, GATED_BATCH, GATED_STEPS = 128, 128, 64, 256  # the input as wide as the state: an inner layer
DECAY_UNITS, DECAY_STEPS = 128, 2000


def our_pass(model: er.Recurrence, x: np.ndarray, dy: np.ndarray) -> Callable[[], object]:
    """Forward and backward, all gradients, that of x too."""
    params = model.init(0, x.dtype)
    return lambda: model.backward(model.forward(params, x), dy)


def torch_pass(network: torch.nn.Module, x: np.ndarray, dy: np.ndarray, *, of_x: bool) -> Callable[[], object]:
    """Forward and backward of a recurrent layer of PyTorch, gradients of its parameters, and of x where ``of_x``."""
    x_torch, dy_torch = torch.from_numpy(x).requires_grad_(of_x), torch.from_numpy(dy)

    def call() -> None:
        network.zero_grad(set_to_none=True)
        x_torch.grad = None
        y, _ = network(x_torch)
        y.backward(dy_torch)

    return call


def _threads(count: int) -> None:
    numba.set_num_threads(count)
    torch.set_num_threads(count)


def against_torch(threads: int, repeats: int) -> dict[str, Any]:
    """ENRNN and torch.nn.RNN on the same input with the same number of threads; torch need not find dL/dx."""
    _threads(threads)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((STEPS, BATCH, INPUT)).astype(np.float32)
    dy = rng.standard_normal((STEPS, BATCH, LONG + SHORT)).astype(np.float32)
    torch.manual_seed(0)
    theirs = torch_pass(torch.nn.RNN(INPUT, LONG + SHORT), x, dy, of_x=False)
    times = interleaved({"enrnn_ref": our_pass(er.ENRNN(INPUT, LONG, SHORT), x, dy), "torch": theirs}, repeats=repeats)
    return {"threads": threads, **_side_by_side(times, "enrnn_ref", "torch")}


def gated_against_torch(name: str, threads: int, repeats: int) -> dict[str, Any]:
    """A gated layer on the same input with the same number of threads, dL/dx included on both sides."""
    _threads(threads)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((GATED_STEPS, GATED_BATCH, GATED_INPUT)).astype(np.float32)
    dy = rng.standard_normal((GATED_STEPS, GATED_BATCH, GATED_UNITS)).astype(np.float32)
    ours, theirs = GATED[name]
    torch.manual_seed(0)
    calls = {
        "enrnn_ref": our_pass(ours(GATED_INPUT, GATED_UNITS), x, dy),
        "torch": torch_pass(theirs(GATED_INPUT, GATED_UNITS), x, dy, of_x=True),
    }
    times = interleaved(calls, repeats=repeats)
    return {"layer": f"{name}, {threads} thread(s)", **_side_by_side(times, "enrnn_ref", "torch")}


def decayed_against_fresh(dtype: str, repeats: int) -> dict[str, Any]:
    """One short block, run from ones and run from the smallest normal number, with a gradient as small.

    eps = 0 keeps the leading eigenvalue on the unit circle, so without flushing the decayed run would compute on
    subnormal numbers at every one of its steps: the worst case, and the same work otherwise.
    """
    model = er.ENRNN(INPUT, 0, DECAY_UNITS, eps=0.0, readout="last")
    params = model.init(0, np.dtype(dtype))
    x = np.zeros((DECAY_STEPS, BATCH, INPUT), dtype)
    ones = np.ones((BATCH, DECAY_UNITS), dtype)

    def whole_pass(scale: float) -> Callable[[], object]:
        start = ones * ones.dtype.type(scale)
        return lambda: model.backward(model.forward(params, x, {"h": start}), start)

    times = interleaved({"decayed": whole_pass(np.finfo(dtype).tiny), "fresh": whole_pass(1.0)}, repeats=repeats)
    return {"dtype": dtype, **_side_by_side(times, "decayed", "fresh")}


def _side_by_side(times: dict[str, Timing], first: str, second: str) -> dict[str, Any]:
    return {
        "printed": {name: str(timing) for name, timing in times.items()},
        "seconds": {name: timing.to_dict() for name, timing in times.items()},
        "ratio": ratio(times[first], times[second]),
    }


def markdown(report: dict[str, Any]) -> str:
    """The report as two tables; a ratio below one is in favour of the first column."""
    lines = [
        "# Forward + backward, wall clock",
        "",
        f"Median of {report['repeats']} rounds taken in turns (fastest to slowest); median of the ratios (quartiles).",
        "",
        ", ".join(f"{key} {value}" for key, value in report["machine"].items()),
        "",
        f"## ENRNN (L = {LONG}, S = {SHORT}) and torch.nn.RNN ({LONG + SHORT}), B = {BATCH}, T = {STEPS}, float32",
        "",
        "| threads | enrnn_ref | torch.nn.RNN | ratio |",
        "|---|---|---|---|",
        *(_row(case, "threads", "enrnn_ref", "torch") for case in report["against_torch"]),
        "",
        f"## LSTM and GRU, H = I = {GATED_UNITS}, B = {GATED_BATCH}, T = {GATED_STEPS}, float32",
        "",
        "| layer | enrnn_ref | torch.nn | ratio |",
        "|---|---|---|---|",
        *(_row(case, "layer", "enrnn_ref", "torch") for case in report["gated_against_torch"]),
        "",
        f"## A decayed state and a fresh one, S = {DECAY_UNITS}, L = 0, B = {BATCH}, T = {DECAY_STEPS}",
        "",
        "| dtype | decayed | fresh | ratio |",
        "|---|---|---|---|",
        *(_row(case, "dtype", "decayed", "fresh") for case in report["decayed_against_fresh"]),
    ]
    return "\n".join(lines) + "\n"


def _row(case: dict[str, Any], key: str, first: str, second: str) -> str:
    spread = "{median:.2f} ({lower_quartile:.2f} to {upper_quartile:.2f})".format(**case["ratio"])
    return f"| {case[key]} | {case['printed'][first]} | {case['printed'][second]} | {spread} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9, help="rounds that count (default: 9)")
    repeats = parser.parse_args().repeats
    available = numba.get_num_threads()
    report = {
        "repeats": repeats,
        "machine": machine("enrnn-ref", "numpy", "numba", "scipy", "torch"),
        "against_torch": [against_torch(threads, repeats) for threads in sorted({1, available})],
        "gated_against_torch": [
            gated_against_torch(name, threads, repeats) for threads in sorted({1, available}) for name in GATED
        ],
        "decayed_against_fresh": [decayed_against_fresh(dtype, repeats) for dtype in ("float32", "float64")],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "rnn_vs_torch.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "rnn_vs_torch.md").write_text(markdown(report), encoding="utf-8")
    print(markdown(report))


if __name__ == "__main__":
    main()
