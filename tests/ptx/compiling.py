"""Every kernel of the CUDA backend as PTX, the assembly of NVIDIA's GPUs, compiled without one."""

import re
from types import SimpleNamespace
from typing import NamedTuple

import numba
import numpy as np
from cuda.bindings import nvjitlink
from numba.cuda import dispatcher

from enrnn_ref.backends.base import settings_of
from enrnn_ref.backends.cuda.algebra import add_diagonal, cut_skew, fill_skew, lay_blocks
from enrnn_ref.backends.cuda.arithmetic import OPERATIONS, of_number, of_two
from enrnn_ref.backends.cuda.arrays import copying_all, entrywise, filling, reversing
from enrnn_ref.backends.cuda.entrywise import applying
from enrnn_ref.backends.cuda.inverse import exchange, invert_tile
from enrnn_ref.backends.cuda.leader import deflate, find_ranges, rank_two, take_apart
from enrnn_ref.backends.cuda.losses import add_entropies, add_squares
from enrnn_ref.backends.cuda.norm import add_scaled_squares, combine, limiting
from enrnn_ref.backends.cuda.persistent import persistent_kernels
from enrnn_ref.backends.cuda.power import square
from enrnn_ref.backends.cuda.products import add_slices, products, sum_rows
from enrnn_ref.backends.cuda.steps import add_product, add_rows, clear_rows, keep_rows, step_kernels
from enrnn_ref.backends.cuda.sums import add_parts, add_products
from enrnn_ref.backends.cuda.target import cuda
from enrnn_ref.backends.cuda.units import units_of

INTEGER, INDICES = numba.int64, numba.types.Array(numba.int32, 1, "C")
HELD, THREADS = 80, 320  # the adding problem's 160 columns, of which two threads take 80 each


# What makes blocks meet comes with the driver; for the assembler it is enough that somebody offers it.
MEETING = """
.version 7.8
.target sm_{}{}
.address_size 64
.visible .func (.param .b64 result) cudaCGGetIntrinsicHandle(.param .b32 scope)
{{ .reg .b64 %r; mov.u64 %r, 1; st.param.b64 [result], %r; ret; }}
.visible .func (.param .b32 result) cudaCGSynchronize(.param .b64 handle, .param .b32 flags)
{{ .reg .b32 %r; mov.u32 %r, 0; st.param.b32 [result], %r; ret; }}
"""


class Assembled(NamedTuple):
    """What the assembler gave a thread, and bytes that did not fit it."""

    registers: int
    spilled: int


def kernels_of(cell, dtype, threads=THREADS, held=HELD):
    """Name → (kernel, types of its arguments), for what the backend launches for one cell."""
    kind = np.dtype(dtype)
    number = numba.from_dtype(kind)

    def array(axes):
        return numba.types.Array(number, axes, "C")

    units, two, three, four = units_of(cell), array(2), array(3), array(4)
    steps = step_kernels(units)
    settings = numba.typeof(settings_of(cell, dtype))
    unit = (two, settings, four, four, INTEGER, four)  # theta, settings, z, h, its time, memory
    along = (two, settings, two, four, four, four, four, INTEGER, four, four)
    found = {
        "step": (steps.step, (*unit, four, INTEGER, INTEGER, number)),
        "pullback": (steps.pullback, (*unit, three, three, four, three, INTEGER, number)),
        "tangent": (steps.tangent, (*along, four, four, INTEGER, INTEGER, number)),
    }
    if cell.relayed:
        found["relay"] = (steps.relay, (*unit, three, INTEGER))
        found["relay_pullback"] = (steps.relay_pullback, (*unit, three, three, three, four, three, INTEGER, number))
        found["relay_tangent"] = (steps.relay_tangent, (*along, three, three, INTEGER))
        return found
    if not cell.recurrent:
        return found
    shape = (INTEGER,) * 4 + (number,)
    for rung in ("shared", "registers", "grid"):
        weights = 0 if rung == "shared" else held
        forward, backward = persistent_kernels(units, kind, threads, weights, rung == "grid")
        found[f"{rung} forward"] = (forward, (two, settings, four, four, four, two, INDICES, *shape))
        found[f"{rung} backward"] = (
            backward,
            (two, settings, four, four, four, four, three, three, four, three, two, INDICES, *shape),
        )
    return found


def shared_kernels(dtype):
    """Those that know no cell."""
    kind = np.dtype(dtype)
    number = numba.from_dtype(kind)

    def array(axes):
        return numba.types.Array(number, axes, "C")

    def doubles(axes):
        return numba.types.Array(numba.float64, axes, "C")

    def view(axes):
        """An array whose entries do not follow each other."""
        return numba.types.Array(number, axes, "A")

    def columns(axes):
        """An array whose first axis runs fastest, as that of a transpose does."""
        return numba.types.Array(number, axes, "F")

    three, product = array(3), products(kind)
    found = {
        "add_product": (add_product, (three, INTEGER, INDICES, array(2), three, INTEGER, INDICES)),
        "add_rows": (add_rows, (array(2), three, INTEGER)),
        "keep_rows": (keep_rows, (three, array(2), INTEGER)),
        "clear_rows": (clear_rows, (three, INTEGER)),
        "fill an entry": (filling(0), (array(0), number, INTEGER)),
        "fill": (filling(3), (array(3), number, INTEGER)),
        "copy": (entrywise(3, 3, False), (view(3), three, INTEGER, INTEGER)),
        "copies": (copying_all(3), [numba.types.UniTuple(array(1), 3)] * 2),
        "copy of many axes": (entrywise(5, 5, False), (array(5), view(5), INTEGER, INTEGER)),
        "add": (entrywise(3, 1, True), (three, array(1), INTEGER, INTEGER)),
        "add of a view": (entrywise(3, 3, True), (view(3), view(3), INTEGER, INTEGER)),
        "reversing": (reversing, (three, three, INTEGER)),
        "add_squares": (add_squares, (doubles(1), array(1), array(1), array(1), numba.float64)),
        "add_entropies": (
            add_entropies,
            (doubles(1), array(2), array(2), numba.types.Array(numba.intp, 1, "C"), doubles(1)),
        ),
        "add_scaled_squares": (add_scaled_squares(3), (doubles(2), numba.types.UniTuple(array(1), 3))),
        "combine": (combine, (doubles(0), doubles(2))),
        "limiting": (limiting(3), (*[numba.types.UniTuple(array(1), 3)] * 2, doubles(0), numba.float64)),
        "over_time": (product.over_time, (three, three, three, array(1), INTEGER)),
        "over_time of views": (product.over_time, (three, view(3), view(3), array(1), INTEGER)),
        "over_columns": (product.over_columns, (three, three, three, array(1), INTEGER)),
        "sum_rows": (sum_rows, (three, three, INTEGER)),
        "add_slices of a view": (add_slices, (doubles(2), view(3))),
        "add_slices": (add_slices, (doubles(2), three)),
        "matrix times a transpose": (product.over_columns, (three, three, view(3), array(1), INTEGER)),
        "matrix times a matrix": (product.over_columns, (three, three, columns(3), array(1), INTEGER)),
        "transpose times a matrix": (product.over_columns, (three, view(3), view(3), array(1), INTEGER)),
        "fill_skew": (fill_skew, (array(2), array(1))),
        "cut_skew": (cut_skew, (array(1), array(2))),
        "add_diagonal": (add_diagonal, (array(2), number, array(2), array(1))),
        "add_diagonal to a transpose": (add_diagonal, (array(2), number, columns(2), array(1))),
        "lay_blocks": (lay_blocks, [array(2)] * 4),
    }
    for name in OPERATIONS:
        found |= {
            f"{name} a number": (of_number(name, 2), (array(2), array(2), number, INTEGER)),
            f"{name} an entry": (of_two(name, 2, 0), (array(2), array(2), array(0), INTEGER, INTEGER)),
            f"{name} a row": (of_two(name, 2, 1), (array(2), array(2), array(1), INTEGER, INTEGER)),
            f"{name} a matrix": (of_two(name, 2, 2), (array(2), view(2), array(2), INTEGER, INTEGER)),
        }
    return found


def kernels_of_maps():
    """Those of the parametrizations, which compute in float64 whatever the dtype."""
    (one, two, three), flat = (numba.types.Array(numba.float64, axes, "C") for axes in (1, 2, 3)), numba.float64
    entry = numba.types.Array(numba.float64, 0, "C")
    transposed = numba.types.Array(numba.float64, 2, "A")
    return {
        "add_products": (add_products, (one, one, one)),
        "add_parts": (add_parts, (entry, one)),
        "invert_tile": (invert_tile, (two, two, INTEGER)),
        "exchange": (exchange, (two, two, two, INTEGER)),
        "square": (square, (three, two)),
        "find_ranges": (find_ranges, (three, two, two, two)),
        "take_apart": (take_apart, (one, two, three, one)),
        "deflate": (deflate, (two, two, one, two, one)),
        "rank_two": (rank_two, (two, two, *[flat] * 4)),
        "copies in another dtype": (
            copying_all(2),
            [numba.types.UniTuple(numba.types.Array(kind, 1, "C"), 2) for kind in (numba.float32, flat)],
        ),
        "conversion": (
            entrywise(2, 2, False),
            (numba.types.Array(numba.float32, 2, "C"), transposed, INTEGER, INTEGER),
        ),
    }


def entrywise_kernel(function, arrays, results, settings, dtype):
    """(kernel, types of its arguments) for two arrays' worth of a function of so many entries and settings."""
    number = numba.from_dtype(np.dtype(dtype))

    def several(kind, count):
        return numba.types.UniTuple(kind, count)

    flat = numba.types.Array(number, 1, "C")
    notes = numba.types.Array(numba.int32, 1, "C")
    of_all = (several(several(flat, count), 2) for count in (results, arrays))
    return applying(function, 2, arrays, results), (*of_all, several(number, settings), notes, INTEGER)


def rule_kernel(rule, dtype):
    """The kernel of an optimiser's rule."""
    update, slots = rule._update(1), len(rule._slots)
    return entrywise_kernel(update.entry, 2 + slots, 1 + slots, len(update.settings), dtype)


def ptx(kernel, signature, capability, launch_bounds=None):
    """The assembly of a kernel for a compute capability such as (9, 0)."""
    before = dispatcher.get_current_device
    # Device functions that a kernel calls ask the driver for the device's capability, and there is no driver.
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        text, _ = cuda.compile(
            kernel.py_func,
            numba.void(*signature),
            cc=capability,
            device=False,
            abi="numba",
            launch_bounds=launch_bounds,
        )
    finally:
        dispatcher.get_current_device = before
    return text


def assembled(text, capability):
    """The registers of a kernel, by the assembler of NVIDIA's linker."""
    linker = nvjitlink.create(2, ["-arch=sm_{}{}".format(*capability), "-verbose"])
    for name, source in (("kernel", text), ("meeting", MEETING.format(*capability))):
        data = source.encode()
        nvjitlink.add_data(linker, nvjitlink.InputType.PTX, data, len(data), name)
    nvjitlink.complete(linker)
    log = bytearray(nvjitlink.get_info_log_size(linker))
    nvjitlink.get_info_log(linker, log)
    nvjitlink.destroy(linker)
    registers, spilled = (
        re.findall(form, log.decode()) for form in (r"Used (\d+) registers", r"(\d+) bytes spill stores")
    )
    return Assembled(max(map(int, registers)), sum(map(int, spilled)))


def instructions(text):
    """The instructions, without comments, labels and directives."""
    lines = (re.sub(r"//.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line.endswith(";") and not line.startswith(".")]
