"""Time one materialisation plus pullback of a parametrization next to the LAPACK call that it cannot do without.

    python benchmarks/parametrizations.py [--repeats N] [--size N]

Writes benchmarks/results/parametrizations.json and .md. Nothing here is asserted by a test: times belong to a machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from enrnn_ref.bench import interleaved, machine, ratio
from enrnn_ref.linalg.skew import skew_matrix
from enrnn_ref.parametrizations.base import Parametrization
from enrnn_ref.parametrizations.eigenvalue_normalized import EigenvalueNormalized
from enrnn_ref.parametrizations.exponential_orthogonal import ExponentialOrthogonal
from enrnn_ref.parametrizations.scaled_cayley import ScaledCayley

RESULTS = Path(__file__).parent / "results"


def both_passes(p: Parametrization, raw: dict[str, np.ndarray], dmatrix: np.ndarray) -> Callable[[], object]:
    """What an optimiser step needs: the matrix, and the gradients of the free arrays.

    Two points in turn, a bit apart: a parametrization returns its last value again while no bit changes.
    """
    points = itertools.cycle([raw, {key: np.nextafter(array, np.inf) for key, array in raw.items()}])
    return lambda: p.pullback(p.evaluate(next(points)), dmatrix)


def cases(n: int) -> dict[str, tuple[Callable[[], object], str, Callable[[], object], float]]:
    """Name -> (both passes, the yardstick's name, the yardstick, how many of it are allowed), on the same matrix.

    Free entries are dense and of the size that training has: A with a norm of about 3, T with a spectral radius of 1.
    """
    rng = np.random.default_rng(0)
    dmatrix = rng.standard_normal((n, n))
    skew = rng.standard_normal(n * (n - 1) // 2) / np.sqrt(n)
    free = rng.standard_normal((n, n)) / np.sqrt(n)
    a, eye = skew_matrix(skew, n), np.eye(n)
    return {
        "ScaledCayley": (
            both_passes(ScaledCayley(n, n // 2), {"skew": skew}, dmatrix),
            "solve",
            lambda: scipy.linalg.solve(eye + a, eye - a),
            3.0,
        ),
        "ExponentialOrthogonal": (
            both_passes(ExponentialOrthogonal(n), {"skew": skew}, dmatrix),
            "expm",
            lambda: scipy.linalg.expm(a),
            4.0,
        ),
        "ExponentialOrthogonal, re-based": (
            both_passes(ExponentialOrthogonal(n, rebase_every=100), {"skew": skew}, dmatrix),
            "expm",
            lambda: scipy.linalg.expm(a),
            4.0,
        ),
        "EigenvalueNormalized, dense": (
            both_passes(EigenvalueNormalized(n, eigenpair="dense"), {"free": free}, dmatrix),
            "eig(left, right)",
            lambda: scipy.linalg.eig(free, left=True, right=True),
            1.3,
        ),
        "EigenvalueNormalized, tracked": (
            along_a_path(EigenvalueNormalized(n, eigenpair="tracked"), dmatrix),
            "eig(left, right)",
            lambda: scipy.linalg.eig(free, left=True, right=True),
            0.2,
        ),
    }


def along_a_path(p: EigenvalueNormalized, dmatrix: np.ndarray) -> Callable[[], object]:
    """Both passes on the next matrix of a path, each evaluation with the buffers of the one before.

    The path starts at the initialiser's own draw and moves every entry by 1e-3 a step, up or down, as Adam does at that
    rate before its averages settle. A step without buffers, which is dense, comes before the first that counts.
    """
    rng = np.random.default_rng(1)
    free = p.init(rng)["free"]
    buffers = p.evaluate({"free": free}).buffers

    def step() -> object:
        nonlocal free, buffers
        free = free + 1e-3 * rng.choice([-1.0, 1.0], free.shape)
        value = p.evaluate({"free": free}, buffers)
        buffers = value.buffers
        return p.pullback(value, dmatrix)

    return step


def measured(n: int, threads: int, repeats: int) -> list[dict[str, Any]]:
    """Every case with as many BLAS threads."""
    results = []
    with threadpool_limits(threads, user_api="blas"):
        for name, (call, yardstick, reference, allowed) in cases(n).items():
            times = interleaved({"ours": call, "yardstick": reference}, repeats=repeats)
            results.append(
                {
                    "threads": threads,
                    "parametrization": name,
                    "yardstick": yardstick,
                    "allowed": allowed,
                    "printed": {key: str(timing) for key, timing in times.items()},
                    "seconds": {key: timing.to_dict() for key, timing in times.items()},
                    "ratio": ratio(times["ours"], times["yardstick"]),
                }
            )
    return results


def markdown(report: dict[str, Any]) -> str:
    """The report as a table."""
    lines = [
        f"# Materialisation + pullback of a parametrization, n = {report['size']}, float64, wall clock",
        "",
        f"Median of {report['repeats']} rounds taken in turns (fastest to slowest); median of the ratios (quartiles).",
        "",
        ", ".join(f"{key} {value}" for key, value in report["machine"].items()),
        "",
        "| BLAS threads | parametrization | both passes | one SciPy call | | ratio | at most |",
        "|---|---|---|---|---|---|---|",
        *(_row(case) for case in report["cases"]),
    ]
    return "\n".join(lines) + "\n"


def _row(case: dict[str, Any]) -> str:
    spread = "{median:.2f} ({lower_quartile:.2f} to {upper_quartile:.2f})".format(**case["ratio"])
    return (
        f"| {case['threads']} | {case['parametrization']} | {case['printed']['ours']} | `{case['yardstick']}` | "
        f"{case['printed']['yardstick']} | {spread} | {case['allowed']:g} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9, help="rounds that count (default: 9)")
    parser.add_argument("--size", type=int, default=512, help="n (default: 512)")
    options = parser.parse_args()
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    report = {
        "size": options.size,
        "repeats": options.repeats,
        "machine": machine("enrnn-ref", "numpy", "scipy"),
        "cases": [
            case for threads in sorted({1, available}) for case in measured(options.size, threads, options.repeats)
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "parametrizations.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "parametrizations.md").write_text(markdown(report), encoding="utf-8")
    print(markdown(report))


if __name__ == "__main__":
    main()
