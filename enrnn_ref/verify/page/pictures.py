"""Pictures of a row as inline SVG: error against step size, and how far each entry is from its tolerance.

Each takes ``identity``, the prefix of its ids, which must differ from every other one on the page, and ``name``, what
it shows the errors of. Where there is nothing to draw, a picture is an empty string.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.verify.page.style import LEVELS
from enrnn_ref.verify.page.svg import Scale, decades, label, line, rectangle, svg
from enrnn_ref.verify.page.text import index_text, plural, small

CELLS = 64
"""Rows and columns of a map at most; more entries share a cell, which shows the worst of them."""

BARS = 128
"""Bars at most; more time steps share one."""

_EDGES = (1e-2, 1e-1, 1.0, 1e2, 1e4, 1e6, 1e8, 1e10)  # of error / tolerance, between the coloured levels
_NAMES = ("0", "≤10⁻²", "≤10⁻¹", "≤1", "≤10²", "≤10⁴", "≤10⁶", "≤10⁸", "≤10¹⁰", ">10¹⁰")
_SWATCH = 41  # width of a colour in the legend
_TOLERANCE = 4  # before this colour error and tolerance are equal
_WIDTH, _HEIGHT = 420.0, 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 408.0, 14.0, 218.0  # of what is inside the axes


def curve(points: Sequence[tuple[float, float]], tolerance: float, identity: str, name: str) -> str:
    """Relative error of the plain central difference against its step size, both logarithmic.

    Parameters
    ----------
    points : sequence of (step, error)
        An error of zero is drawn at the foot of the picture. The dotted line falls like the square of the step.
    tolerance : float
        Drawn as a line where it is a positive number.
    """
    drawn = sorted((h, e) for h, e in points if h > 0.0 and math.isfinite(h) and math.isfinite(e))
    positive = [e for _, e in drawn if e > 0.0]
    if not positive:
        return ""
    limit = [tolerance] if math.isfinite(tolerance) and tolerance > 0.0 else []
    across = Scale(*decades([h for h, _ in drawn]), _LEFT, _RIGHT)
    up = Scale(*decades([*positive, *limit]), _BOTTOM, _TOP)
    parts = _vertical(up)
    for x, words in across.ticks():
        parts += [line("grid", (x, _TOP), (x, _BOTTOM)), label(x, _BOTTOM + 15, words, "middle")]
    parts += [line("axis", (_LEFT, _BOTTOM), (_RIGHT, _BOTTOM)), line("axis", (_LEFT, _TOP), (_LEFT, _BOTTOM))]
    parts.append(label((_LEFT + _RIGHT) / 2, _HEIGHT - 8, "step size h; upwards, relative error", "middle"))
    largest, error = drawn[-1]
    if error > 0.0:
        reach = max(10.0**across.low, largest * math.sqrt(10.0**up.low / error))
        foot = (across.at(reach), up.at(error * (reach / largest) ** 2))
        parts.append(line("guide", foot, (across.at(largest), up.at(error))))
    for y in map(up.at, limit):
        parts += [line("limit", (_LEFT, y), (_RIGHT, y)), label(_RIGHT - 4, _beside(y), "tolerance", "end")]
    places = [(across.at(h), up.at(e)) for h, e in drawn]
    parts.append(f'<polyline class="curve" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>')
    parts += [f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places]
    at, least = min(drawn, key=lambda point: point[1])
    told = (
        f"Relative distance of the central difference from the analytic value at {plural(len(drawn), 'step size')} "
        f"from {small(drawn[0][0])} to {small(largest)}. It is smallest, {small(least)}, at h = {small(at)}."
    )
    return svg((_WIDTH, _HEIGHT), identity, f"Error against step size: {name}", told, parts)


def heat_map(ratios: Array, time_axis: int | None, identity: str, name: str) -> str:
    """error / tolerance of every entry as a coloured cell, with a legend."""
    if not ratios.size:
        return ""
    cells, axes = _folded(np.asarray(ratios, np.float64), time_axis)
    pooled, block = _pooled(cells, CELLS)
    rows, columns = pooled.shape
    side = max(4, min(24, 396 // columns, 260 // rows))
    parts = [label(0, 11, axes)]
    for i, row in enumerate(pooled):
        for level, first, length in _runs([_level(ratio) for ratio in row]):
            parts.append(rectangle(level, (first * side + 1, 20 + i * side), (length * side, side)))
    parts.append(rectangle("axis", (0.5, 19.5), (columns * side + 1, rows * side + 1)))
    parts += _legend(36 + rows * side)
    told = _told(ratios)
    if block != (1, 1):
        told += f" Each cell shows the worst of {block[0]} × {block[1]} entries."
    size = (_SWATCH * len(_NAMES) + 2, rows * side + 78)
    return svg(size, identity, f"Error / tolerance of every entry: {name}", told, parts)


def steps(ratios: Array, time_axis: int, identity: str, name: str) -> str:
    """The worst error / tolerance of every time step, as bars on a logarithmic scale."""
    if not ratios.size:
        return ""
    others = tuple(axis for axis in range(ratios.ndim) if axis != time_axis)
    worst = np.max(np.nan_to_num(ratios, nan=0.0, posinf=np.inf), axis=others)
    pooled, block = _pooled(worst[np.newaxis], BARS)
    bars = pooled[0]
    seen = np.clip(bars[bars > 0.0], 1e-6, 1e12)
    up = Scale(*decades([1.0, 10.0, *seen.tolist()]), _BOTTOM, _TOP)
    parts = _vertical(up)
    width = (_RIGHT - _LEFT) / len(bars)
    every = math.ceil(len(bars) / 10)
    for t, ratio in enumerate(bars):
        y = min(up.at(float(ratio)), _BOTTOM - 2.0)
        parts.append(rectangle(_level(ratio), (_LEFT + (t + 0.1) * width, y), (0.8 * width, _BOTTOM - y)))
        if t % every == 0:
            parts.append(label(_LEFT + (t + 0.5) * width, _BOTTOM + 15, str(t * block[1]), "middle"))
    one = up.at(1.0)
    parts += [line("axis", (_LEFT, _BOTTOM), (_RIGHT, _BOTTOM)), line("limit", (_LEFT, one), (_RIGHT, one))]
    parts.append(label(_RIGHT - 4, _beside(one), "tolerance", "end"))
    parts.append(label((_LEFT + _RIGHT) / 2, _HEIGHT - 8, "time step; upwards, error / tolerance", "middle"))
    beyond = np.flatnonzero(worst > 1.0)
    at = int(np.argmax(worst))
    told = f"The worst of {plural(len(worst), 'time step')} is {at}, with error / tolerance {small(float(worst[at]))}."
    if beyond.size:
        told += f" Beyond tolerance: {plural(beyond.size, 'step')}, the first {beyond[0]}, the last {beyond[-1]}."
    return svg((_WIDTH, _HEIGHT), identity, f"Worst error / tolerance of every time step: {name}", told, parts)


def _vertical(up: Scale) -> list[str]:
    """Grid lines and labels of the vertical axis."""
    parts = []
    for y, words in up.ticks():
        parts += [line("grid", (_LEFT, y), (_RIGHT, y)), label(_LEFT - 6, y + 4, words, "end")]
    return parts


def _beside(y: float) -> float:
    """Where a label goes at a horizontal line: above, or below where there is no room."""
    return y - 5 if y > _TOP + 16 else y + 14


def _folded(ratios: Array, time_axis: int | None) -> tuple[Array, str]:
    """An array of any rank as one of rank two, and what its axes are; NaN where the last row has no entries."""
    if time_axis is not None:
        moved = np.moveaxis(ratios, time_axis, 0)
        others = " × ".join(map(str, moved.shape[1:])) or "1"
        return moved.reshape(len(moved), -1), f"{len(moved)} time steps down, {others} entries across"
    if ratios.ndim > 1:
        down = " × ".join(map(str, ratios.shape[:-1]))
        return ratios.reshape(-1, ratios.shape[-1]), f"{down} rows, {plural(ratios.shape[-1], 'column')}"
    flat = ratios.ravel()
    if len(flat) <= CELLS:
        return flat[np.newaxis], plural(len(flat), "entry")
    filled = np.full(math.ceil(len(flat) / CELLS) * CELLS, np.nan)
    filled[: len(flat)] = flat
    return filled.reshape(-1, CELLS), f"{len(flat)} entries, {CELLS} in a row"


def _pooled(cells: Array, most: int) -> tuple[Array, tuple[int, int]]:
    """The largest of each block of cells, and the size of a block; NaN only where a block holds nothing else."""
    down, across = (math.ceil(size / most) for size in cells.shape)
    rows, columns = math.ceil(cells.shape[0] / down), math.ceil(cells.shape[1] / across)
    padded = np.full((rows * down, columns * across), np.nan)
    padded[: cells.shape[0], : cells.shape[1]] = cells
    blocks = padded.reshape(rows, down, columns, across)
    pooled: Array = np.fmax.reduce(np.fmax.reduce(blocks, axis=3), axis=1)
    return pooled, (down, across)


def _level(ratio: float) -> str:
    """The colour of a cell."""
    if math.isnan(ratio):
        return LEVELS[-1]
    if ratio == 0.0:
        return LEVELS[0]
    return LEVELS[1 + sum(ratio > edge for edge in _EDGES)]


def _runs(levels: list[str]) -> list[tuple[str, int, int]]:
    """Equal neighbours as (level, first, length): one rectangle instead of many."""
    runs, first = [], 0
    for level, group in itertools.groupby(levels):
        length = len(list(group))
        runs.append((level, first, length))
        first += length
    return runs


def _told(ratios: Array) -> str:
    """The map in words."""
    filled = np.nan_to_num(ratios, nan=-1.0, posinf=np.inf)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(filled)), ratios.shape))
    beyond = int(np.count_nonzero(filled > 1.0))
    worst = float(filled[index])
    if worst < 0.0:
        return f"None of {plural(ratios.size, 'entry')} was compared."
    place = f"the worst, {index_text(index)}," if index else "it"
    return f"{beyond} of {plural(ratios.size, 'entry')} beyond tolerance; {place} has error / tolerance {small(worst)}."


def _legend(top: float) -> list[str]:
    """The colours of a map from no error to the largest; a line where error and tolerance are equal."""
    parts = []
    for k, (level, words) in enumerate(zip(LEVELS, _NAMES, strict=False)):
        parts.append(rectangle(level, (k * _SWATCH, top), (_SWATCH, 10)))
        parts.append(label((k + 0.5) * _SWATCH, top + 23, words, "middle"))
    parts.append(rectangle("grid", (0.5, top), (len(_NAMES) * _SWATCH, 10)))
    parts.append(line("limit", (_TOLERANCE * _SWATCH, top - 4), (_TOLERANCE * _SWATCH, top + 14)))
    parts.append(label(0, top + 38, "error / tolerance; right of the line an entry is out of tolerance"))
    return parts
