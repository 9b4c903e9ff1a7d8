"""Times of all contenders over ours, on a logarithmic axis: what lies right of one is slower than ours."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from enrnn_ref.plotting.style import (
    BLUE,
    FRAME,
    GREEN,
    INK,
    PURPLE,
    VERMILLION,
    Figure,
    dress,
    new_figure,
)

# Name of a contender, or the best of several: colour, marker, label.
_SHOWN: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (("mkl", "mkl_shares"), INK, "|", "products alone, MKL"),
    (("eager",), VERMILLION, "o", "PyTorch eager"),
    (("compiled",), "#E69F00", "s", "torch.compile"),
    (("jax",), GREEN, "^", "JAX"),
    (("torch_rnn",), PURPLE, "D", "torch.nn.RNN"),
    (("torch_lstm",), "#56B4E9", "v", "torch.nn.LSTM"),
    (("torch_gru",), "#8A5A2B", "P", "torch.nn.GRU"),
)


def bench_figure(report: dict[str, Any]) -> Figure | None:
    """A panel for every dtype, a row for every size; None if ours did not run."""
    cases = [case for case in report["cases"] if "ours" in case["times"]]
    if not cases:
        return None
    dtypes = list(dict.fromkeys(case["dtype"] for case in cases))
    sizes = list(dict.fromkeys(case["size"]["name"] for case in cases))
    figure, panels = new_figure(len(dtypes), width=2.4 + 5.2 * len(dtypes), height=2.1 + 0.42 * len(sizes))
    for axes, dtype in zip(panels, dtypes, strict=True):
        dress(axes, title=f"Forward + backward, {dtype}", x="time / time of the ENRNN of enrnn_ref", y="")
        axes.axvline(1.0, color=BLUE, linewidth=2.0, zorder=1, label="ENRNN, enrnn_ref")
        mine = [case for case in cases if case["dtype"] == dtype]
        for names, colour, marker, label in _SHOWN:
            points = [(_over_ours(case["times"], names), sizes.index(case["size"]["name"])) for case in mine]
            there = [(x, y) for x, y in points if x is not None]
            if there:
                tall = marker == "|"
                axes.scatter(
                    [x for x, _ in there], [y for _, y in there], color=colour, marker=marker, label=label, zorder=3,
                    s=170 if tall else 42, linewidths=2.2 if tall else 0.0,
                )  # fmt: skip
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, 0.5), max(high, 4.0))
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_yticks(list(range(len(sizes))), sizes)
        axes.set_ylim(len(sizes) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0, color=FRAME)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=10, labelcolor=INK,
    )  # fmt: skip
    return figure


def _over_ours(times: dict[str, Any], names: tuple[str, ...]) -> float | None:
    there = [times[name]["median"] for name in names if name in times]
    return min(there) / float(times["ours"]["median"]) if there else None
