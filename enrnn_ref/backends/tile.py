"""A tile of a matrix product, held in registers: the innermost loop of everything that multiplies on the CPU.

    C[i, j] += Σ_k A[i, k] B[k, j]      i < rows ≤ TILE_ROWS,  j < lanes(dtype)

One entry of A times a row of B, added to a row of sums: per k a processor loads ``VECTORS`` vectors of B and ``rows``
numbers of A, and does ``rows · VECTORS`` fused multiply-adds on sums that never leave their registers. Each sum runs
through k in order, so an entry of C has the same bits in whatever tile it falls.

This is written in LLVM's own language because no loop in Python compiles to it dependably: whether sums stay in
registers would be the compiler's choice. The vectors are of LLVM's portable kind; nothing here names a processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

VECTOR_BYTES = 32
"""A register of AVX2; where registers are of 16 bytes (NEON) two stand for one, where they are of 64 a half is used."""

VECTORS, TILE_ROWS = 2, 6
"""6 · 2 sums, 2 vectors of B and a number of A make 15, one short of the 16 registers of AVX2."""

TILE_ROW_BYTES = VECTORS * VECTOR_BYTES


def lanes(dtype: Any) -> int:
    """Columns of a tile: 16 in float32, 8 in float64."""
    return TILE_ROW_BYTES // int(np.dtype(dtype).itemsize)


def _tile(rows: int) -> Callable[..., None]:
    """``tile(c, c_at, c_row, a, a_at, a_row, b, b_at, depth)`` for this many rows.

    C[i, j] is entry ``c_at + i·c_row + j`` of the memory of ``c``, counted from its first, and A[i, k] entry
    ``a_at + i·a_row + k`` of that of ``a``; B is ``depth`` rows of ``lanes`` entries from entry ``b_at`` of ``b`` on.
    """

    @intrinsic
    def tile(
        typingctx: Any, c: Any, c_at: Any, c_row: Any, a: Any, a_at: Any, a_row: Any, b: Any, b_at: Any, depth: Any
    ) -> Any:  # fmt: skip
        at = types.intp
        return types.void(c, at, at, a, at, at, b, at, at), generate

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        c, c_at, c_row, a, a_at, a_row, b, b_at, depth = arguments
        double = signature.args[0].dtype == types.float64
        number, bits = (ir.DoubleType(), 64) if double else (ir.FloatType(), 32)
        width = 8 * VECTOR_BYTES // bits
        vector = ir.VectorType(number, width)
        # Fused where the processor does that in one instruction.
        multiply_add = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{width}f{bits}"
        )

        def entry(position: int, array: Any, offset: Any) -> Any:
            data = context.make_array(signature.args[position])(context, builder, array).data
            return builder.gep(data, [offset])

        def times(count: int, stride: Any) -> Any:
            return builder.mul(ir.Constant(stride.type, count), stride)

        def part(pointer: Any, v: int) -> Any:
            return builder.bitcast(builder.gep(pointer, [ir.Constant(depth.type, v * width)]), vector.as_pointer())

        def load(pointer: Any) -> Any:
            value = builder.load(pointer)
            value.align = bits // 8  # of its entries; no more is known
            return value

        def everywhere(value: Any) -> Any:
            undefined, first = ir.Constant(vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
            one = builder.insert_element(undefined, value, first)
            return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), width), None))

        first_c, first_a, first_b = entry(0, c, c_at), entry(3, a, a_at), entry(6, b, b_at)
        # Variables on the stack, which LLVM turns into registers.
        variable = cgutils.alloca_once
        sums = [[variable(builder, vector) for _ in range(VECTORS)] for _ in range(rows)]  # type: ignore[no-untyped-call]
        for row in sums:
            for total in row:
                builder.store(ir.Constant(vector, None), total)
        with cgutils.for_range(builder, depth, intp=depth.type) as loop:
            b_k = builder.gep(first_b, [times(VECTORS * width, loop.index)])
            of_b = [load(part(b_k, v)) for v in range(VECTORS)]
            of_a = builder.gep(first_a, [loop.index])
            for i, row in enumerate(sums):
                factor = everywhere(builder.load(builder.gep(of_a, [times(i, a_row)])))
                for total, value in zip(row, of_b, strict=True):
                    builder.store(builder.call(multiply_add, [factor, value, builder.load(total)]), total)
        for i, row in enumerate(sums):
            target = builder.gep(first_c, [times(i, c_row)])
            for v, total in enumerate(row):
                stored = builder.store(builder.fadd(load(part(target, v)), builder.load(total)), part(target, v))
                stored.align = bits // 8
        return context.get_dummy_value()

    return tile


TILES = tuple(_tile(rows) for rows in range(1, TILE_ROWS + 1))
"""The tiles of 1, 2, … rows."""
