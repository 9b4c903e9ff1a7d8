"""The rule that chooses a rung: what it gives fits the device and covers every unit of every sequence once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enrnn_ref as er
from enrnn_ref.backends.cuda import rule
from enrnn_ref.backends.cuda.target import SIMULATED
from enrnn_ref.cells import GruAfter, GruBefore, Lstm, ModRelu
from enrnn_ref.filters import Momentum
from tests.mutants.systems import case

H200 = rule.Limits(blocks=132, threads=1024, shared=48 * 1024, registers=65536)
CELLS = {"modrelu": ModRelu(), "lstm": Lstm(), "gru": GruAfter()}


@settings(max_examples=300)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    n=st.integers(1, 1500),
    batch=st.integers(1, 600),
    dtype=st.sampled_from((np.float32, np.float64)),
    backwards=st.booleans(),
    blocks=st.integers(1, 200),
)
def test_a_shape_fits_the_device_and_covers_everything(cell, n, batch, dtype, backwards, blocks):
    limits = H200._replace(blocks=blocks)
    loop = rule.loop_of(CELLS[cell], n, batch, np.dtype(dtype), backwards=backwards)
    shape = rule.plan(CELLS[cell], loop, False, limits)
    if shape.rung == "steps":
        assert "too large" in str(shape)
        return
    rows, columns = loop.out * shape.count, loop.into * n
    assert shape.grid[0] == -(-n // shape.count)
    assert shape.grid[1] == -(-batch // shape.group)
    assert 1 <= shape.staged <= shape.group
    assert shape.threads == rows * shape.shares <= limits.threads
    assert shape.shared <= limits.shared
    if shape.rung == "shared":
        assert shape.held == 0
        assert shape.shared >= rows * columns * loop.itemsize
    else:
        assert shape.held * shape.shares >= columns
        weights = shape.held * loop.itemsize // 4
        assert weights + rule.beside(shape.rung, loop, weights) <= rule.registers_of_a_thread(limits, shape.threads)
    if shape.rung == "grid":
        assert shape.grid[0] * shape.grid[1] <= blocks  # those that meet must all run at once
    else:
        assert shape.grid[0] == 1


@pytest.mark.parametrize(
    ("cell", "n", "batch", "dtype", "rung"),
    [
        ("modrelu", 64, 50, np.float32, "registers"),
        ("modrelu", 160, 50, np.float32, "registers"),  # adding
        ("modrelu", 192, 20, np.float32, "grid"),  # copying
        ("modrelu", 1024, 256, np.float32, "grid"),  # wide
        ("lstm", 256, 256, np.float32, "grid"),
        ("modrelu", 5000, 4, np.float32, "steps"),
    ],
)
def test_which_rung_runs(cell, n, batch, dtype, rung):
    for backwards in (False, True):
        loop = rule.loop_of(CELLS[cell], n, batch, np.dtype(dtype), backwards=backwards)
        assert rule.plan(CELLS[cell], loop, False, H200).rung == rung


@pytest.mark.parametrize(
    ("cell", "projected", "said"),
    [
        (GruBefore(), False, "second product"),
        (Lstm(), True, "second product"),
        (Momentum(0.5, 1.0), False, "no product"),
    ],
)
def test_what_stays_on_the_first_rung(cell, projected, said):
    loop = rule.loop_of(cell, 8, 4, np.dtype(np.float64), backwards=False)
    shape = rule.plan(cell, loop, projected, H200)
    assert shape.rung == "steps"
    assert said in str(shape)
    with (
        rule.forced("shared"),
        pytest.raises(er.errors.OptionError, match=rf"rung is 'shared'.*{type(cell).__name__}.*expected 'steps'"),
    ):
        rule.plan(cell, loop, projected, H200)


def test_a_rung_that_cannot_take_the_size_is_refused_by_name():
    loop = rule.loop_of(ModRelu(), 512, 4, np.dtype(np.float32), backwards=False)
    with (
        rule.forced("registers"),
        pytest.raises(er.errors.OptionError, match=r"rung is 'registers'.*512 units.*too large.*expected another rung"),
    ):
        rule.plan(ModRelu(), loop, False, H200)


def test_there_is_no_other_rung():
    with pytest.raises(er.errors.OptionError, match=r"rung is 'warp'.*'steps', 'shared', 'registers', 'grid'"):
        rule.forced("warp").__enter__()


def test_a_forced_rung_is_forgotten_after_an_error():
    with pytest.raises(ZeroDivisionError), rule.forced("steps"):
        raise ZeroDivisionError
    loop = rule.loop_of(ModRelu(), 8, 4, np.dtype(np.float32), backwards=False)
    assert rule.plan(ModRelu(), loop, False, H200).rung == "registers"


@pytest.mark.parametrize(
    ("threads", "registers"), [(1024, 64), (512, 128), (448, 128), (320, 168), (128, 255), (1, 255)]
)
def test_registers_go_by_four_warps_and_by_eight(threads, registers):
    assert rule.registers_of_a_thread(H200, threads) == registers


def test_a_shape_is_told_in_words():
    loop = rule.loop_of(ModRelu(), 160, 50, np.dtype(np.float32), backwards=False)
    text = str(rule.plan(ModRelu(), loop, False, H200))
    for said in (
        "registers: the weights fit",
        "1 x 50 blocks of 320 threads",
        "80 weights",
        "160 units of 1 sequences",
    ):
        assert said in text


@pytest.mark.skipif(not SIMULATED, reason="a GPU lets blocks meet")
def test_the_simulator_refuses_blocks_that_would_meet():
    point = case("enrnn", times=3, batch=3)
    with (
        rule.forced("grid"),
        pytest.raises(er.errors.BackendUnavailable, match=r"simulator.*cannot meet.*'grid'.*\(1, 2\)"),
    ):
        point.values("cuda")
