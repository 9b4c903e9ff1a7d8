"""What the compiler makes of every kernel: one precision, no memory where registers were meant, the barriers due."""

import math

import numba
import numpy as np
import pytest
from cuda.core._utils.cuda_utils import CUDAError

import enrnn_ref as er
from enrnn_ref.backends.cuda import rule, target
from enrnn_ref.backends.cuda.target import cuda
from enrnn_ref.cells import Lstm, ModRelu
from tests.mutants.systems import SYSTEMS
from tests.ptx.compiling import (
    assembled,
    instructions,
    kernels_of,
    kernels_of_maps,
    ptx,
    rule_kernel,
    shared_kernels,
)
from tests.test_optimizers import RULES

CAPABILITIES = [(8, 0), (9, 0)]
FLOAT64_ALLOWED = {  # long sums, by intention
    "add_slices",
    "add_slices of a view",
    "add_squares",
    "add_entropies",
    "add_scaled_squares",
    "combine",
    "limiting",  # its factor, once
}
BARRIERS = {
    # name: (of the block, of the grid); forward: states staged, sums complete, step done; backward the same.
    "shared forward": (3, 0),
    "shared backward": (3, 0),
    "registers forward": (3, 0),
    "registers backward": (3, 0),
    "grid forward": (2, 1),
    "grid backward": (2, 1),
    "over_time": (2, 0),
    "over_time of views": (2, 0),
    "over_columns": (2, 0),
    "combine": (8, 0),  # 256 threads, halved eight times
    "add_squares": (10, 0),  # a sum over a block, as below
    "add_entropies": (10, 0),
    "matrix times a transpose": (2, 0),
    "matrix times a matrix": (2, 0),
    "transpose times a matrix": (2, 0),
    # A sum over a block of 256 threads meets ten times: when the terms are there, eight times halved, and when read.
    "add_products": (10, 0),
    "square": (12, 1),  # a tile's factors staged, and read; a sum; the square complete
    "deflate": (10, 0),
    "find_ranges": (30, 3),  # of one row, and of a loop of two rounds the products and the other; three products
    "take_apart": (120, 0),
    "invert_tile": (9, 0),  # once, and twice in each of four copies of a loop's body
    "exchange": (2, 0),
}


def cells():
    """One of every kind that the systems have, with their filters."""
    found = {}
    for system in SYSTEMS.values():
        params = system.init(0)
        for _, recurrence, _, _ in system.recurrences(params):
            for cell in (recurrence.cell, recurrence.filter):
                if cell is not None:
                    key = (type(cell).__name__, cell.unit_step)
                    found.setdefault(key, cell)
    return list(found.values())


CELLS = cells()
H200 = rule.Limits(blocks=132, threads=1024, shared=48 * 1024, registers=65536)
A100 = H200._replace(blocks=108)


def assert_clean(name, text, dtype):
    lines = instructions(text)
    assert len(lines) > 10, f"{name} does nothing"
    assert ".local" not in text, f"{name} keeps an array in memory"
    if dtype == np.float32 and name not in FLOAT64_ALLOWED:
        assert not [line for line in lines if ".f64" in line], f"{name} computes in float64"
    of_block = sum(line.startswith(("bar.sync", "barrier.sync")) for line in lines)
    of_grid = text.count("\tcudaCGSynchronize,")  # the calls, each over several lines
    assert (of_block, of_grid) == BARRIERS.get(name, (0, 0)), name
    assert not [line for line in lines if line.startswith(("atom.", "red."))], f"{name} depends on an order"


@pytest.mark.parametrize("capability", CAPABILITIES, ids=str)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: type(cell).__name__)
def test_kernels_of_a_cell_in_single_precision(cell, capability):
    for name, (kernel, types) in kernels_of(cell, np.float32).items():
        assert_clean(name, ptx(kernel, types, capability), np.float32)


@pytest.mark.parametrize("cell", [ModRelu(), Lstm()], ids=lambda cell: type(cell).__name__)
def test_kernels_of_a_cell_in_double_precision(cell):
    for name, (kernel, types) in kernels_of(cell, np.float64).items():
        assert_clean(name, ptx(kernel, types, (9, 0)), np.float64)


@pytest.mark.parametrize("capability", CAPABILITIES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_that_know_no_cell(dtype, capability):
    for name, (kernel, types) in shared_kernels(dtype).items():
        assert_clean(name, ptx(kernel, types, capability), dtype)


@pytest.mark.parametrize("capability", CAPABILITIES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", RULES)
def test_kernels_of_an_optimiser(name, dtype, capability):
    text = ptx(*rule_kernel(RULES[name], dtype), capability)
    assert_clean(name, text, dtype)
    assert assembled(text, capability).spilled == 0


@pytest.mark.parametrize("capability", CAPABILITIES, ids=str)
def test_kernels_of_parametrizations(capability):
    for name, (kernel, types) in kernels_of_maps().items():
        text = ptx(kernel, types, capability)
        assert_clean(name, text, np.float64)
        assert assembled(text, capability).spilled == 0, name


@pytest.mark.parametrize("capability", CAPABILITIES, ids=str)
def test_a_tile_of_an_inverse_has_registers_for_all_its_threads(capability):
    threads = 32 * 32
    for name in ("invert_tile", "exchange"):
        used = assembled(ptx(*kernels_of_maps()[name], capability, launch_bounds=threads), capability)
        assert used.spilled == 0
        assert used.registers * threads <= H200.registers


@pytest.mark.parametrize(("n", "batch"), [(64, 50), (128, 32), (160, 50), (192, 20), (256, 256), (1024, 256)])
@pytest.mark.parametrize("cell", [ModRelu(), Lstm()], ids=lambda cell: type(cell).__name__)
@pytest.mark.parametrize(("limits", "capability"), [(A100, (8, 0)), (H200, (9, 0))], ids=["A100", "H200"])
def test_nothing_is_spilled_in_the_shapes_that_the_rule_gives(limits, capability, cell, n, batch):
    for dtype in (np.float32,) if limits is A100 else (np.float32, np.float64):
        for backwards in (False, True):
            shape = rule.plan(cell, rule.loop_of(cell, n, batch, np.dtype(dtype), backwards=backwards), False, limits)
            if shape.rung == "steps":
                assert n == 1024, "too large for all blocks"
                assert isinstance(cell, Lstm) or dtype == np.float64
                continue
            name = f"{shape.rung} {'backward' if backwards else 'forward'}"
            found = kernels_of(cell, dtype, threads=shape.threads, held=shape.held)
            used = assembled(ptx(*found[name], capability, launch_bounds=shape.threads), capability)
            assert used.spilled == 0, (name, shape)
            assert used.registers * 32 * math.ceil(shape.threads / 32) <= limits.registers


@pytest.mark.parametrize(
    ("name", "advice"), [("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "another rung"), ("CUDA_ERROR_LAUNCH_FAILED", "start")]
)
def test_what_a_launch_reports_is_an_error_of_this_package(name, advice):
    """Kernels are launched by a library of NVIDIA's, whose error is not Numba's."""
    with pytest.raises(er.errors.DeviceError, match=f"{name}.*{advice}"), target.device_errors():
        raise CUDAError(f"{name}: what it means")


def test_a_planted_literal_of_the_other_precision_is_found():
    @cuda.jit
    def doubles(x):
        x[0] = x[0] * 2.5 + x[1] * x[2] + x[3]

    array = numba.types.Array(numba.float32, 1, "C")
    with pytest.raises(AssertionError, match="computes in float64"):
        assert_clean("doubles", ptx(doubles, (array,), (9, 0)), np.float32)


def test_an_array_that_is_not_in_registers_is_found():
    @cuda.jit
    def indexed(x, i):
        kept = cuda.local.array(40, numba.float32)
        for k in range(40):
            kept[k] = x[k]
        x[0] = kept[i]

    array = numba.types.Array(numba.float32, 1, "C")
    with pytest.raises(AssertionError, match="keeps an array in memory"):
        assert_clean("indexed", ptx(indexed, (array, numba.int64), (9, 0)), np.float32)


def test_a_missing_barrier_is_found():
    @cuda.jit
    def unmet(x):
        shared = cuda.shared.array(32, numba.float32)
        shared[cuda.threadIdx.x] = x[cuda.threadIdx.x]
        x[cuda.threadIdx.x] = shared[31 - cuda.threadIdx.x]

    array = numba.types.Array(numba.float32, 1, "C")
    with pytest.raises(AssertionError, match="over_time"):
        assert_clean("over_time", ptx(unmet, (array,), (9, 0)), np.float32)


def test_a_spill_is_found():
    kernel, types = kernels_of(ModRelu(), np.float32, threads=1024, held=90)["registers forward"]
    assert assembled(ptx(kernel, types, (9, 0), launch_bounds=1024), (9, 0)).spilled > 0
