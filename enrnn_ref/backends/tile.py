"""A tile of a matrix product, held in registers: the innermost loop of everything that multiplies on the CPU.

    C[i, j] += Σ_k A[i, k] B[k, j]      i < rows ≤ ROWS,  j < columns ≤ panels · lanes(dtype)

One entry of A times a row of B, added to a row of sums: per k a processor loads ``panels · vectors`` vectors of B and
``rows`` numbers of A, and does ``rows · panels · vectors`` fused multiply-adds on sums that never leave their
registers. Each sum runs through k in order, so an entry of C has the same bits in whatever tile it falls.

A fused multiply-add takes several cycles, and the next one to the same sum waits for it. So there are as many sums as
the processor has registers for, and a row or two of vectors beside them: six rows of two vectors where there are 16
registers, nine of three where there are 32.

This is written in LLVM's own language because no loop in Python compiles to it dependably: whether sums stay in
registers would be the compiler's choice. The vectors are of LLVM's portable kind; nothing here names an instruction. A
tile for other registers than the processor has gives the same numbers, only slower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

PANEL_BYTES = 64
"""A row of a panel: a line of the cache, and a register of AVX-512 or two of AVX2."""

ABREAST = 6
"""Panels side by side at most: with one row that is a dozen sums of AVX2; more streams from memory bring nothing."""


class Registers(NamedTuple):
    """Those for vectors: the bytes of one, and how many there are."""

    size: int
    number: int


AVX512, OTHERS = Registers(64, 32), Registers(32, 16)
"""The others have AVX2; where registers are of 16 bytes two stand for one."""

ROWS = {AVX512: 9, OTHERS: 6}
"""Of the tallest tile: 9 · 3 sums, 3 vectors of B and a number of A make 31; 6 · 2 sums, 2 vectors and a number 15."""


def registers() -> Registers:
    """Those of the processor that Numba compiles for."""
    features: str = cpu_target.target_context.codegen().magic_tuple()[2]
    return AVX512 if "+avx512f" in features.split(",") else OTHERS


def panels_abreast(has: Registers) -> tuple[int, ...]:
    """Panels that a tile of 1, 2, … rows takes side by side at most, for as many sums as there are registers.

    Beside the sums there are a number of A and the vectors of a row of B, or one of these where a single row of A needs
    each of them once.
    """

    def fits(rows: int, panels: int) -> bool:
        vectors = panels * PANEL_BYTES // has.size
        return rows * vectors + (vectors if rows > 1 else 1) + 1 <= has.number

    return tuple(max(p for p in range(1, ABREAST + 1) if fits(rows, p)) for rows in range(1, ROWS[has] + 1))


def lanes(dtype: Any) -> int:
    """Columns of a panel: 16 in float32, 8 in float64."""
    return PANEL_BYTES // int(np.dtype(dtype).itemsize)


def tiles_for(has: Registers) -> Callable[..., None]:
    """``add_tile(rows, columns, c, c_at, c_row, a, a_at, a_row, b, b_at, depth)``: C += A B, for compiled code.

    1 ≤ rows ≤ ROWS[has], and the columns lie in 1 to panels_abreast(has)[rows - 1] panels, the last of which they need
    not fill; else nothing happens. C[i, j] is entry ``c_at + i·c_row + j`` of the memory of ``c``, counted from its
    first, and A[i, k] entry ``a_at + i·a_row + k`` of that of ``a``; a panel of B is ``depth`` rows of ``lanes``
    entries, the first from entry ``b_at`` of ``b`` on, the others behind it.
    """

    def add_tile(
        typingctx: Any, rows: Any, columns: Any, c: Any, c_at: Any, c_row: Any, a: Any, a_at: Any, a_row: Any, b: Any,
        b_at: Any, depth: Any,
    ) -> Any:  # fmt: skip
        at = types.intp

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def entry(k: int) -> Any:
                """Of the array that is argument k, the one from which the tile begins."""
                array = context.make_array(signature.args[k])(context, builder, arguments[k])
                return builder.gep(array.data, [arguments[k + 1]])

            operands = [*arguments[:2], entry(2), arguments[4], entry(5), arguments[7], entry(8), arguments[10]]
            builder.call(_tiles(builder.module, has, operands[2].type.pointee, operands[0].type), operands)
            return context.get_dummy_value()

        return types.void(at, at, c, at, at, a, at, at, b, at, at), generate

    made: Callable[..., None] = intrinsic(add_tile)
    return made


def _tiles(module: Any, has: Registers, number: Any, index: Any) -> Any:
    """The function ``(rows, columns, *c, c_row, *a, a_row, *b, depth)`` of a module with the tiles of all sizes.

    It is never inlined: there are more than a dozen tiles, and compiling them again for every product takes long.
    """
    name = f"enrnn_ref.add_tile.{has.size}.{number}"
    if name in module.globals:
        return module.globals[name]
    pointer = number.as_pointer()
    kinds = [index, index, pointer, index, pointer, index, pointer, index]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"  # a module that calls another's kernels has the same function twice
    function.attributes.add("noinline")
    rows, columns, *operands = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    done = function.append_basic_block("done")
    wide = PANEL_BYTES // _bytes_of(number)
    panels = builder.sdiv(builder.add(columns, ir.Constant(index, wide - 1)), ir.Constant(index, wide))
    last = builder.sub(columns, builder.mul(builder.sub(panels, ir.Constant(index, 1)), ir.Constant(index, wide)))
    row = ABREAST + 1  # sizes in a table with a column for 0 panels too
    choice = builder.switch(builder.add(builder.mul(rows, ir.Constant(index, row)), panels), done)
    for count, abreast in enumerate(panels_abreast(has), start=1):
        for side in range(1, abreast + 1):
            block = function.append_basic_block(f"tile.{count}.{side}")
            choice.add_case(ir.Constant(index, count * row + side), block)
            builder.position_at_end(block)
            _Emitter(builder, has, number, *operands).tile(count, side, last)
            builder.branch(done)
    builder.position_at_end(done)
    builder.ret_void()
    return function


def _bytes_of(number: Any) -> int:
    """Of a number of one of LLVM's two types."""
    return 8 if number == ir.DoubleType() else 4


class _Emitter:
    """Writes the instructions of a tile."""

    def __init__(
        self, builder: Any, has: Registers, number: Any, c: Any, c_row: Any, a: Any, a_row: Any, b: Any, depth: Any
    ) -> None:
        self.builder, self.bytes, self.width = builder, _bytes_of(number), has.size // _bytes_of(number)
        self.vectors = PANEL_BYTES // has.size
        self.c, self.c_row, self.a, self.a_row, self.b, self.depth = c, c_row, a, a_row, b, depth
        self.vector = ir.VectorType(number, self.width)
        # Fused where the processor does that in one instruction.
        self.multiply_add = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fmuladd.v{self.width}f{8 * self.bytes}",
        )

    def tile(self, rows: int, panels: int, last: Any) -> None:
        """C += A B for so many rows and panels; of the last panel C has ``last`` columns."""
        builder, width, vectors = self.builder, self.width, panels * self.vectors
        # Variables on the stack, which LLVM turns into registers.
        variable = cgutils.alloca_once
        sums = [[variable(builder, self.vector) for _ in range(vectors)] for _ in range(rows)]  # type: ignore[no-untyped-call]
        for row in sums:
            for total in row:
                builder.store(ir.Constant(self.vector, None), total)
        panel = self._times(self.vectors * width, self.depth)
        panels_of_b = [builder.gep(self.b, [self._times(q, panel)]) for q in range(panels)]
        with cgutils.for_range(builder, self.depth, intp=self.depth.type) as loop:
            k = self._times(self.vectors * width, loop.index)
            of_b = [self._load(self._part(builder.gep(b, [k]), v)) for b in panels_of_b for v in range(self.vectors)]
            of_a = builder.gep(self.a, [loop.index])
            for i, row in enumerate(sums):
                factor = self._everywhere(builder.load(builder.gep(of_a, [self._times(i, self.a_row)])))
                for total, value in zip(row, of_b, strict=True):
                    builder.store(builder.call(self.multiply_add, [factor, value, builder.load(total)]), total)
        whole = ir.Constant(last.type, self.vectors * width)
        with builder.if_else(builder.icmp_signed("==", last, whole)) as (all_of_it, some_of_it):
            with all_of_it:
                self._add(sums, lambda v: None)
            with some_of_it:
                first = vectors - self.vectors  # vector of the last panel
                masks = [self._below(last, v * width) for v in range(self.vectors)]
                self._add(sums, lambda v: masks[v - first] if v >= first else None)

    def _add(self, sums: list[list[Any]], mask: Callable[[int], Any]) -> None:
        """Add every row of sums to C; of vector v those entries that its mask has, if there is one."""
        for i, row in enumerate(sums):
            target = self.builder.gep(self.c, [self._times(i, self.c_row)])
            for v, total in enumerate(row):
                place, value = self._part(target, v), self.builder.load(total)
                if mask(v) is None:
                    stored = self.builder.store(self.builder.fadd(self._load(place), value), place)
                    stored.align = self.bytes
                else:
                    self._add_masked(place, value, mask(v))

    def _times(self, count: int, stride: Any) -> Any:
        return self.builder.mul(ir.Constant(stride.type, count), stride)

    def _part(self, pointer: Any, v: int) -> Any:
        """The v-th vector from ``pointer`` on."""
        first = self.builder.gep(pointer, [ir.Constant(self.depth.type, v * self.width)])
        return self.builder.bitcast(first, self.vector.as_pointer())

    def _load(self, pointer: Any) -> Any:
        value = self.builder.load(pointer)
        value.align = self.bytes  # of its entries; no more is known
        return value

    def _below(self, count: Any, first: int) -> Any:
        """The mask of the entries of a vector from column ``first`` on that are left of column ``count``."""
        kind = ir.VectorType(count.type, self.width)
        columns = ir.Constant(kind, [first + lane for lane in range(self.width)])
        return self.builder.icmp_signed("<", columns, self._everywhere(count))

    def _add_masked(self, place: Any, value: Any, mask: Any) -> None:
        """To the entries of the vector at ``place`` that the mask has; the others are not touched."""
        aligned, name = ir.Constant(ir.IntType(32), self.bytes), f"v{self.width}f{8 * self.bytes}.p0"
        load, store = (
            cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.{way}.{name}")  # type: ignore[no-untyped-call]
            for way, kind in (
                ("load", ir.FunctionType(self.vector, [place.type, aligned.type, mask.type, self.vector])),
                ("store", ir.FunctionType(ir.VoidType(), [self.vector, place.type, aligned.type, mask.type])),
            )
        )
        before = self.builder.call(load, [place, aligned, mask, ir.Constant(self.vector, None)])
        self.builder.call(store, [self.builder.fadd(before, value), place, aligned, mask])

    def _everywhere(self, number: Any) -> Any:
        """A vector of one number."""
        undefined = ir.Constant(ir.VectorType(number.type, self.width), ir.Undefined)
        first = ir.Constant(ir.IntType(32), 0)
        one = self.builder.insert_element(undefined, number, first)
        return self.builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), self.width), None))
