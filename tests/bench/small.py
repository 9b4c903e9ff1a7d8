"""Small sizes, times made up, and how gradients are compared."""

import os

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.bench import Size, Timing
from enrnn_ref.bench.ratios import ratios
from enrnn_ref.bench.workload import workload
from enrnn_ref.cells import ModRelu
from enrnn_ref.parametrizations import Free
from tests.strategies import relative_error

SIZES = (Size("both", 4, 3, 5, 6, 2), Size("long alone", 4, 0, 3, 6, 1), Size("short alone", 0, 3, 2, 6, 2))
TOLERANCE = 1e-12  # rounding of a few hundred operations, in float64


every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)


def made(size):
    """A workload whose bias is not zero, so that some units are off."""
    return workload(size, np.dtype(np.float64), 2, bias=0.3)


def untouched(monkeypatch):
    """What a run sets for XLA is taken back."""
    for name in ("NPROC", "XLA_FLAGS"):
        given = os.environ.get(name)
        monkeypatch.setenv(name, given or "")
        if given is None:
            monkeypatch.delenv(name)


def expected(work, *, free):
    """The gradients by this package: of the free arrays, or of R in their place."""
    model, params = work.model, work.params
    if not free:
        model = er.Recurrence(Free(*work.matrix.shape), ModRelu(), work.size.inputs)
        params = {"matrix": work.matrix, "input": params["input"], "bias": params["bias"]}
    run = model.forward(params, work.x, {"h": work.start}, backend="reference")
    found = model.backward(run, work.dy)
    return {**found.params, "x": found.x}


def require_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert relative_error(found[name], gradient) < TOLERANCE, name


def times(**medians):
    """Five samples around every median, the same spread for all."""
    return {name: Timing(tuple(median * spread for spread in (1, 0.98, 1.02, 0.99, 1.01))) for name, median in
            medians.items()}  # fmt: skip


def report(*cases, repeats=5):
    """A report as ``measured`` makes it, of (size, dtype, seconds by contender, share of a step or None)."""
    from enrnn_ref.bench.contenders import CONTENDERS

    found = []
    for size, dtype, seconds, share in cases:
        timings = times(**seconds)
        of_parts = None
        if share is not None:
            parts = {"median": share, "lower_quartile": share, "upper_quartile": share}
            of_parts = {"share": parts, "times": {}}
        found.append(
            {
                "size": size.to_dict(),
                "dtype": dtype,
                "times": {name: timing.to_dict() for name, timing in timings.items()},
                "parts": None,
                "ratios": ratios(timings, of_parts),
                "left_out": {},
            }
        )
    names = dict.fromkeys(name for case in cases for name in case[2])
    return {
        "format": "enrnn_ref bench",
        "version": 1,
        "machine": {"processor": "made up", "cores": "2"},
        "threads": {"asked for": "2"},
        "repeats": repeats,
        "labels": {name: CONTENDERS[name].label for name in names},
        "cases": found,
    }
