"""What the JSON and the Markdown of a run say, and the picture."""

import json

import numpy as np

from enrnn_ref.bench import SIZES
from enrnn_ref.bench.report import bars, to_json, to_markdown, write
from enrnn_ref.plotting import save
from enrnn_ref.plotting.bench import bench_figure
from tests.bench.small import report

ADDING = {"ours": 0.05, "eager": 0.2, "jax": 0.09, "mkl": 0.04, "torch_rnn": 0.1, "ours_1_thread": 0.09}


def run():
    return report(
        (SIZES["adding"], "float32", ADDING, 0.05),
        (SIZES["wide"], "float32", {"ours": 0.2, "mkl": 0.19, "eager": 0.5}, None),
        (SIZES["adding"], "float64", ADDING, 0.2),
    )


def test_each_bar_stands_beside_what_was_measured():
    judged = {(bar.text, bar.size, bar.dtype): bar for bar in bars(run())}
    peer = judged["best peer, R given / ours", "adding", "float32"]
    assert (peer.wanted, peer.met) == ("≥ 2", False)
    assert peer.measured.startswith("1.80")
    assert judged["torch.nn.RNN of the same width / ours", "adding", "float64"].met
    assert judged["best peer, R given / ours", "wide", "float32"].met
    shares = {dtype: bar for (text, _, dtype), bar in judged.items() if "a whole step" in text}
    assert (shares["float32"].met, shares["float64"].met) == (True, False)
    assert not [bar for bar in judged.values() if bar.size == "wide" and "torch.nn" in bar.text]  # did not run


def test_markdown_has_bars_times_ratios_and_the_machine():
    whole = run()
    whole["cases"][1]["left_out"] = {"jax": "jax is missing; install it."}
    text = to_markdown(whole, "cpu.png")
    assert "processor made up" in text
    assert "![Times of all contenders over ours](cpu.png)" in text
    assert "| torch.nn.RNN of the same width / ours | adding | float32 | ≥ 1.5 | 2.00 (2.00 to 2.00) | met |" in text
    assert "**not met**" in text
    assert "adding: L 96, S 64, B 50, T 750, I 2" in text
    assert "| torch.nn.RNN | 100 (98 to 102) | – |" in text
    assert "- ENRNN, JAX jit + scan, R given: jax is missing; install it. (wide float32)" in text
    tables = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert min(tables) >= 3


def test_json_comes_back_as_it_was(tmp_path):
    whole = run()
    assert json.loads(to_json(whole)) == whole
    write(whole, tmp_path / "deeper" / "cpu", "text\n")
    assert json.loads((tmp_path / "deeper" / "cpu.json").read_text()) == whole
    assert (tmp_path / "deeper" / "cpu.md").read_text() == "text\n"


def test_the_picture_has_a_panel_for_every_dtype(tmp_path):
    figure = bench_figure(run())
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Forward + backward, float32",
        "Forward + backward, float64",
    ]
    eager = next(dots for dots in figure.axes[0].collections if dots.get_label() == "PyTorch eager")
    assert np.allclose(eager.get_offsets(), [[4.0, 0], [2.5, 1]])
    assert save(figure, tmp_path / "cpu.png").stat().st_size > 0
    assert bench_figure(report((SIZES["tiny"], "float32", {"mkl": 1.0}, None))) is None
