"""Backward takes time in blocks; how long they are changes nothing but rounding."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.filters import AdaptiveMomentum
from enrnn_ref.models import time_blocks
from enrnn_ref.parametrizations import Free
from tests.gated_cell import GatedCell
from tests.relayed_cell import RelayedCell

MODELS = [
    pytest.param(er.Recurrence(Free(15, 5), RelayedCell(), 3, 2), id="relay"),
    pytest.param(er.LSTM(3, 5, 2, peephole=True, projection_size=4), id="projection"),
    pytest.param(er.Recurrence(Free(10, 5), GatedCell(), 3, filter=AdaptiveMomentum(0.6, 0.7, 0.9)), id="filter"),
    pytest.param(er.ScuRNN(3, 5, 2, readout="last"), id="trained start"),
]


@pytest.mark.parametrize("model", MODELS)
def test_the_length_of_a_block_does_not_matter(model, monkeypatch):
    rng = np.random.default_rng(0)
    params = {key: 0.5 * rng.standard_normal(shape) for key, shape in model.shapes.items()}
    x = rng.standard_normal((11, 7, 3))
    run = model.forward(params, x, backend="reference")
    dy = rng.standard_normal(run.y.shape)
    dstate = {key: rng.standard_normal(array.shape) for key, array in run.state.items()}

    def gradients(size):
        monkeypatch.setattr(time_blocks, "GRADIENT_BYTES", size)
        monkeypatch.setattr(time_blocks, "LEAST_ROWS", 0)
        found = model.backward(run, dy, dstate)
        return {**found.params, "x": found.x, **{f"state {key}": array for key, array in found.state.items()}}

    row = 8 * 7 * model.cell.gates * model.hidden_size  # bytes of one step
    whole = gradients(1 << 30)
    for steps in (0, 1, 3, 10):
        for key, array in gradients(steps * row).items():
            # the same sums in another order: a few roundings of their largest terms
            bound = 100 * np.finfo(np.float64).eps * (1 + np.abs(whole[key]).max())
            np.testing.assert_allclose(array, whole[key], rtol=0, atol=bound, err_msg=key)


def test_blocks_cover_all_times_once():
    z = np.empty((11, 2, 8))
    blocks = time_blocks.time_blocks(*z.shape[:2], z[0].nbytes)
    assert [slice(0, 11)] == blocks
    lengths = [block.stop - block.start for block in time_blocks.time_blocks(5000, 64, 64 * 128 * 8)]
    assert sum(lengths) == 5000
    assert max(lengths) * 64 * 128 * 8 <= time_blocks.GRADIENT_BYTES


def test_segments_are_the_fewest_whole_blocks_of_that_many_steps(monkeypatch):
    monkeypatch.setattr(time_blocks, "GRADIENT_BYTES", 30)
    monkeypatch.setattr(time_blocks, "LEAST_ROWS", 11)
    for at_least, steps in ((1, 3), (3, 3), (4, 6), (7, 9), (100, 102)):
        assert time_blocks.segments(20, 5, 10, at_least) == time_blocks.stretches(20, steps)


def test_a_block_has_a_step_however_large_and_no_fewer_rows_than_are_worth_a_sum():
    assert time_blocks.time_blocks(2, 5000, 1 << 40) == [slice(0, 1), slice(1, 2)]
    assert time_blocks.time_blocks(9, 256, 1 << 40) == [slice(0, 4), slice(4, 8), slice(8, 9)]
