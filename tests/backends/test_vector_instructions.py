"""Loops over units run in vector instructions: what a cell divides, or takes the floor of, is several units at once."""

import re

import numpy as np
import pytest

from enrnn_ref.backends import cpu, kernels
from enrnn_ref.backends.base import States, Step, parts, room
from enrnn_ref.cells import ComplexModRelu
from enrnn_ref.cells.nesterov_lstm import NesterovLstm
from enrnn_ref.filters import ScheduledMomentum

T, B, N = 2, 2, 3
CELLS = {
    "complex modrelu": (ComplexModRelu(), "fdiv"),
    "nesterov": (NesterovLstm(0.7, 3), "floor"),  # an LSTM, and more arrays than any other cell
    "scheduled": (ScheduledMomentum(0.7, 3), "floor"),
}
OF_SEVERAL = {"fdiv": r"fdiv <\d+ x float>", "floor": r"@llvm\.floor\.v\d+f32\("}


@pytest.fixture
def compiled_anew(tmp_path, monkeypatch):
    """The kernels of a cell, which are not found on disk: from there comes no text of theirs."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernels, "_compile", kernels._compile.__wrapped__)

    def compiled(cell):
        found = kernels.compile_kernels(cell)
        monkeypatch.setattr(cpu, "compile_kernels", lambda _: found)
        return found

    return compiled


@pytest.mark.parametrize("name", CELLS)
def test_several_units_at_once(name, compiled_anew):
    """In both loops over time; the products beside them have neither."""
    cell, operation = CELLS[name]
    found, engine = compiled_anew(cell), cpu.CpuBackend()

    def zeros(*shape):
        return np.zeros(shape, np.float32)

    width, others = cell.output_components * N, sum(cell.memory.values())
    rows = len(cell.recurrent) * N
    everywhere = ((slice(0, rows), slice(0, width)),)
    step = Step(zeros(rows, width), zeros(sum(cell.parameters.values()), N), parts(cell, everywhere, N))
    initial = States(zeros(B, width), zeros(others, B, N))
    tape = room(engine, cell, T, initial, projected=False)
    tape.z[...] = 0
    engine.forward(cell, step, tape)
    engine.backward(cell, step, tape, None, initial)
    for loop in (found.forward, found.backward):
        (text,) = loop.inspect_llvm().values()
        assert re.search(OF_SEVERAL[operation], text), loop.__name__
        assert not re.search(r"frem|@fmodf?\(", text), f"{loop.__name__} calls the C library for every unit"
