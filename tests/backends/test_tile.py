"""Tiles of every size, for the registers of every processor: each adds a product and touches nothing else."""

import ctypes
import mmap
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np
import pytest

from enrnn_ref.backends.tile import AVX512, OTHERS, ROWS, lanes, panels_abreast, registers, tiles_for

KINDS = (np.float32, np.float64)
DEPTH = 37
ROOT = Path(__file__).parents[2]


def _compiled(has):
    """Tiles, called from Python; those for registers that this processor does not have run too."""
    add_tile = tiles_for(has)

    @numba.njit
    def add(rows, columns, c, c_at, a, a_at, b, b_at, depth):
        add_tile(rows, columns, c, c_at, c.shape[1], a, a_at, a.shape[1], b, b_at, depth)

    return add


ADD = {has: _compiled(has) for has in ROWS}
SIZES = [
    (has, rows, panels)
    for has in ROWS
    for rows, most in enumerate(panels_abreast(has), start=1)
    for panels in range(1, most + 1)
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("has", "rows", "panels"), SIZES)
def test_a_tile_of_every_size(has, rows, panels, kind):
    """With any number of columns in its last panel; what stands beside them stays."""
    rng, wide = np.random.default_rng([rows, panels]), lanes(kind)
    a = rng.integers(-9, 9, (rows + 3, DEPTH + 4)).astype(kind)  # whole numbers: exact in any order
    b = rng.integers(-9, 9, (panels, DEPTH, wide)).astype(kind)
    memory = np.concatenate([np.zeros(7, kind), b.ravel()])
    for columns in range((panels - 1) * wide + 1, panels * wide + 1):
        c = rng.integers(-9, 9, (rows + 2, columns + 5)).astype(kind)
        expected = c.copy()
        products = a[2 : 2 + rows, 3 : 3 + DEPTH] @ np.concatenate(b, axis=1)
        expected[1 : 1 + rows, 2 : 2 + columns] += products[:, :columns]
        ADD[has](rows, columns, c, c.shape[1] + 2, a, 2 * a.shape[1] + 3, memory, 7, DEPTH)
        np.testing.assert_array_equal(c, expected, err_msg=f"{columns} columns")


@pytest.mark.parametrize("kind", KINDS)
def test_columns_beyond_the_last_are_neither_read_nor_written(kind):
    """They may be another thread's, or not a number, or no memory at all: a page that cannot be read follows."""
    page = mmap.PAGESIZE
    with mmap.mmap(-1, 2 * page) as memory:
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(_address(memory) + page), page, 0) == 0
        try:
            for has in ROWS:
                for columns in range(1, lanes(kind) + 1):
                    c = np.frombuffer(memory, kind, columns, page - columns * np.dtype(kind).itemsize).reshape(1, -1)
                    c[:] = 1
                    ADD[has](1, columns, c, 0, np.ones((1, 3), kind), 0, np.ones(3 * lanes(kind), kind), 0, 3)
                    np.testing.assert_array_equal(c, 4)
                    del c
        finally:
            ctypes.CDLL(None).mprotect(ctypes.c_void_p(_address(memory) + page), page, 3)


def _address(memory):
    return np.frombuffer(memory, np.uint8).ctypes.data


def test_two_products_of_one_function_share_their_tiles():
    """Its module has them once; a second definition of that name would not compile."""
    add_tile = tiles_for(AVX512)

    @numba.njit
    def twice(c, a, b):
        add_tile(1, 2, c, 0, 2, a, 0, 3, b, 0, 3)
        add_tile(1, 2, c, 0, 2, a, 0, 3, b, 0, 3)

    c, a, b = np.zeros((1, 2)), np.ones((1, 3)), np.ones(3 * lanes(np.float64))
    twice(c, a, b)
    np.testing.assert_array_equal(c, [[6.0, 6.0]])


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_has_the_same_bits_in_a_tile_of_any_size(kind):
    """Nor does it matter for which registers the tile was made."""
    rng, wide = np.random.default_rng(3), lanes(kind)
    a, b = rng.standard_normal((1, DEPTH)).astype(kind), rng.standard_normal((DEPTH, wide)).astype(kind)
    found = set()
    for has, rows, panels in SIZES:
        c = np.ones((rows, panels * wide), kind)
        ADD[has](rows, panels * wide, c, 0, np.tile(a, (rows, 1)), 0, np.tile(b, (panels, 1, 1)).ravel(), 0, DEPTH)
        found |= {c[i, q * wide : (q + 1) * wide].tobytes() for i in range(rows) for q in range(panels)}
    assert len(found) == 1
    tolerance = DEPTH * np.finfo(kind).eps * (1 + np.abs(a) @ np.abs(b))
    assert np.all(np.abs(np.frombuffer(found.pop(), kind) - (1 + a @ b)) <= tolerance)


@pytest.mark.parametrize("has", ROWS)
def test_a_tile_of_no_or_of_too_many_rows_or_panels_does_nothing(has):
    abreast, wide = panels_abreast(has), lanes(np.float64)
    most = max(abreast)
    sizes = [(0, 1), (len(abreast) + 1, 1), *((rows, 0) for rows in range(1, len(abreast) + 1))]
    sizes += [(rows, fit * wide + 1) for rows, fit in enumerate(abreast, start=1) if fit < most]
    for rows, columns in sizes:
        c = np.zeros((len(abreast) + 1, most * wide))
        ADD[has](rows, columns, c, 0, np.ones((len(c), 2)), 0, np.ones(most * 2 * wide), 0, 2)
        assert not c.any(), (rows, columns)


@pytest.mark.parametrize(("has", "expected"), [(OTHERS, (6, 2, 1, 1, 1, 1)), (AVX512, (6, 6, 6, 6, 5, 4, 3, 3, 3))])
def test_a_tile_fits_the_registers(has, expected):
    assert panels_abreast(has) == expected
    assert registers() in ROWS


CHOSEN = {"NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_ENABLE_AVX"}


@pytest.mark.skipif(bool(CHOSEN & os.environ.keys()), reason="another processor than this one is compiled for")
def test_tiles_are_those_of_this_processor():
    has_avx512 = llvmlite.binding.get_host_cpu_features().get("avx512f", False)
    assert registers() == (AVX512 if has_avx512 else OTHERS)


def test_tiles_are_those_of_a_processor_that_is_named():
    """The generic one has no features but those that all have."""
    ask = "from enrnn_ref.backends.tile import registers; print(registers())"
    environment = {key: value for key, value in os.environ.items() if key not in CHOSEN} | {"NUMBA_CPU_NAME": "generic"}
    said = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(OTHERS)


def assembly(kind, has):
    """Of all tiles, compiled and not run."""
    matrix, panels, index = numba.types.Array(kind, 2, "C"), numba.types.Array(kind, 1, "C"), numba.intp
    signature = (index, index, matrix, index, matrix, index, panels, index, index)
    ADD[has].compile(signature)
    return ADD[has].inspect_asm(signature)


PROCESSORS = {AVX512: ("skylake-avx512", "+avx2,+fma,+avx512f,+avx512vl,+avx512dq"), OTHERS: ("haswell", "+avx2,+fma")}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the registers are those of x86")
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("has", PROCESSORS)
def test_sums_stay_in_registers(has, kind):
    """No loop of multiply-adds stores any vector, or loads one that was: a tile that is too large takes 2.5 times as
    long."""
    name, features = PROCESSORS[has]
    ask = f"import numba; from tests.backends import test_tile as t; print(t.assembly(numba.{kind}, t.registers()))"
    environment = os.environ | {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    said = subprocess.run(
        [sys.executable, "-c", ask], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    loops = [block for block in re.split(r"^\S+:$", said.stdout, flags=re.MULTILINE) if "vfmadd" in block]
    assert len(loops) >= sum(panels_abreast(has))
    assert ("zmm" in said.stdout) == (has == AVX512)
    for loop in loops:
        assert not re.search(r"mm\d+, [^,\n]*\(%rsp|\(%rsp\), %[xyz]mm", loop)
