"""Figures show the data they are given, and every run can be drawn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

import enrnn_ref as er
from enrnn_ref.analysis import (
    MemoryProfile,
    SpectrumHistory,
    StepJacobians,
    memory_profile,
    modes,
    spectrum,
    step_jacobians,
)
from enrnn_ref.errors import CheckpointError, ConfigError
from enrnn_ref.optimizers import Adam
from enrnn_ref.plotting import (
    jacobian_figure,
    loss_figure,
    memory_figure,
    modes_figure,
    plot_run,
    save,
    spectrum_figure,
    spectrum_history_figure,
)
from enrnn_ref.plotting import run as plotting_run
from enrnn_ref.training import Experiment, RunConfig, RunDirectory, build, train
from tests.training.small import carrying_rnn, grouped_scornn, run_through, switching_enrnn

BASELINE = 0.25


def records(losses: list[float], tested: dict[int, float]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = [{"step": k, "train_loss": loss} for k, loss in enumerate(losses, 1)]
    for step, loss in tested.items():
        lines[step - 1]["test_loss"] = loss
    return lines


def drawn_loss(losses: list[float], tested: dict[int, float]) -> Axes:
    figure = loss_figure(
        records(losses, tested), baseline=BASELINE, baseline_text="guessing", unit="nats", title="a title"
    )
    (axes,) = figure.axes
    return axes


def line(axes: Axes, label: str) -> np.ndarray[Any, Any]:
    (found,) = [drawn for drawn in axes.get_lines() if str(drawn.get_label()).startswith(label)]
    return np.asarray(found.get_xydata())


def test_the_loss_figure_shows_losses_tests_and_baseline() -> None:
    axes = drawn_loss([0.3, 0.2, 0.1], {1: 0.31, 3: 0.12})
    np.testing.assert_array_equal(line(axes, "training"), [[1, 0.3], [2, 0.2], [3, 0.1]])
    np.testing.assert_array_equal(line(axes, "test"), [[1, 0.31], [3, 0.12]])
    assert (line(axes, "guessing")[:, 1] == BASELINE).all()
    assert "nats" in axes.get_ylabel()


def test_the_running_mean_is_centred_on_its_window() -> None:
    """The running mean of a straight line is that line."""
    axes = drawn_loss([0.5 + 0.001 * k for k in range(1, 401)], {})
    steps, means = line(axes, "training").T
    assert 300 < len(steps) < 400
    np.testing.assert_allclose(means, 0.5 + 0.001 * steps, rtol=1e-12)


@pytest.mark.parametrize(("lowest", "scale"), [(0.2, "linear"), (0.001, "log"), (0.0, "linear")])
def test_the_loss_axis_is_logarithmic_when_that_helps(lowest: float, scale: str) -> None:
    axes = drawn_loss([0.3, lowest], {})
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert low <= lowest
    assert high >= 0.3


def test_the_spectrum_figure_shows_every_eigenvalue_inside_its_frame() -> None:
    before = {"long": np.array([1j, -1j, 1.0]), "short": np.array([0.5, 0.2 + 0.1j])}
    after = {"long": np.array([1.0, -1.0, 1j]), "short": np.array([1.7 - 0.3j, 0.0])}
    figure = spectrum_figure(before, after)
    for axes, values in zip(figure.axes, (before, after), strict=True):
        for block in ("long", "short"):
            shown = line(axes, block)
            np.testing.assert_array_equal(shown[:, 0] + 1j * shown[:, 1], values[block])
        assert axes.get_xlim() == axes.get_ylim()
        assert axes.get_xlim()[1] > 1.7
        assert axes.get_aspect() == 1.0
        (disc,) = axes.patches
        assert disc.get_radius() == 1.0  # type: ignore[attr-defined]


def test_the_memory_figure_shows_connected_pairs_only() -> None:
    times = np.array([0, 4, 9])
    norms = {
        ("long", "long"): np.ones((3, 2)),
        ("long", "short"): np.zeros((3, 2)),
        ("short", "short"): np.array([[1e-30, 1e-28], [1e-3, 3e-3], [1.0, 1.0]]),
        ("short", "long"): np.array([[2.0, 4.0], [1.0, 5.0], [0.0, 0.0]]),
    }
    (axes,) = memory_figure(MemoryProfile(times, norms), title="a title").axes
    labels = [str(drawn.get_label()) for drawn in axes.get_lines()]
    assert labels == ["long → long", "short → short", "short → long"]
    np.testing.assert_array_equal(line(axes, "short → long"), [[0, 3.0], [4, 3.0], [9, 0.0]])
    assert axes.get_yscale() == "log"
    assert 0 < axes.get_ylim()[0] < 1e-3
    assert axes.get_ylim()[1] > 5


def test_the_memory_figure_of_an_lstm_names_its_states() -> None:
    times = np.array([0, 5])
    norms = {(source, target): np.array([[0.5], [1.0]]) for source in "hc" for target in "hc"}
    norms |= {("v", "h"): np.array([[0.3], [0.0]]), ("h", "v"): np.zeros((2, 1)), ("v", "v"): np.array([[0.0], [1.0]])}
    (axes,) = memory_figure(MemoryProfile(times, norms), title="a title").axes
    drawn = axes.get_lines()
    assert [str(one.get_label()) for one in drawn] == ["h → h", "h → c", "c → h", "c → c", "v → h"]
    looks = {str(one.get_label()): (one.get_color(), one.get_linestyle()) for one in drawn}
    assert len(set(looks.values())) == 5
    assert looks["h → h"][0] == looks["h → c"][0] != looks["c → c"][0]  # a colour for a source


def test_the_history_figure_follows_every_eigenvalue() -> None:
    steps = np.array([0, 10, 30])
    paths = {"i": np.array([[0.5, -0.5], [0.6, -0.4], [0.7j, 1.6]]), "f": np.array([[1j], [0.9j], [0.8j]])}
    figure = spectrum_history_figure(SpectrumHistory(steps, paths), title="a title")
    discs, moduli = figure.axes[:2], figure.axes[2:4]
    for (name, values), disc, sizes in zip(paths.items(), discs, moduli, strict=True):
        assert disc.get_title(loc="left") == f"gate {name}"
        (lines,) = [one for one in disc.collections if isinstance(one, LineCollection)]
        drawn = np.array(lines.get_segments())
        expected = np.stack([values[:-1], values[1:]], axis=2).reshape(-1, 2)
        np.testing.assert_array_equal(drawn[..., 0] + 1j * drawn[..., 1], expected)
        np.testing.assert_array_equal(lines.get_array(), np.repeat([5.0, 20.0], values.shape[1]))
        curves = [one for one in sizes.get_lines() if len(one.get_xdata()) == 3]  # type: ignore[arg-type]
        np.testing.assert_array_equal([one.get_ydata() for one in curves], np.abs(values).T)
        assert disc.get_xlim()[1] > 1.6
        assert sizes.get_ylim()[1] > 1.6


def test_a_history_of_one_spectrum_can_be_drawn() -> None:
    history = SpectrumHistory(np.array([0]), {"all": np.array([[0.5, 0.2j]])})
    assert len(spectrum_history_figure(history, title="a title").axes) == 3  # disc, moduli, colours


def test_the_modes_figure_puts_infinity_at_the_edge_and_hollows_what_grows() -> None:
    tables = {"long": modes([1.0, 1j]), "short": modes([0.5, -0.5, 2.0, 0.0, 0.5j])}
    (axes,) = modes_figure(tables, title="a title").axes
    never, forever = axes.get_xlim()[1], axes.get_ylim()[1]
    np.testing.assert_allclose(line(axes, "long block"), [[never, forever], [4.0, forever]])
    np.testing.assert_allclose(line(axes, "short block"), [[never, 1.0], [2.0, 1.0], [4.0, 1.0]])
    (hollow,) = [one for one in axes.get_lines() if len(one.get_xdata()) and one.get_markerfacecolor() == "white"]  # type: ignore[arg-type]
    np.testing.assert_allclose(np.asarray(hollow.get_xydata()), [[never, 1.0]])
    for axis in (axes.xaxis, axes.yaxis):
        assert axis.get_ticklabels()[-1].get_text() == "∞"
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()][-1].startswith("hollow: grows")


def test_the_modes_figure_without_infinities_has_no_sign_for_them() -> None:
    (axes,) = modes_figure({"all": modes([0.5 * np.exp(1j)])}, title="a title").axes
    labels = [tick.get_text() for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_ticklabels()]
    assert "∞" not in labels
    assert len(axes.figure.legends[0].get_texts()) == 1


def test_the_jacobian_figure_shows_all_eigenvalues_and_singular_values() -> None:
    rng = np.random.default_rng(0)
    jacobians = StepJacobians(np.array([1, 4, 9]), {"h": slice(0, 3)}, rng.normal(size=(3, 2, 3, 3)))
    disc, sizes, _ = jacobian_figure(jacobians, title="a title").axes
    (dots,) = disc.collections
    places = np.asarray(dots.get_offsets())
    np.testing.assert_array_equal(places[:, 0] + 1j * places[:, 1], jacobians.eigenvalues().ravel())
    np.testing.assert_array_equal(dots.get_array(), np.repeat([1, 4, 9], 6))
    _, values, radius = (np.asarray(one.get_xydata()) for one in sizes.get_lines())
    np.testing.assert_array_equal(values[:, 1], jacobians.singular_values().ravel())
    np.testing.assert_array_equal(values[:, 0], np.repeat([1, 4, 9], 6))
    np.testing.assert_array_equal(radius[:, 1], np.abs(jacobians.eigenvalues()).max(axis=(1, 2)))
    assert sizes.get_yscale() == "linear"
    large = StepJacobians(jacobians.times, jacobians.parts, 100 * jacobians.matrices)
    assert jacobian_figure(large, title="a title").axes[1].get_yscale() == "log"


PICTURES = ["loss", "spectrum", "spectrum-history", "modes", "jacobian", "memory"]


def of_model(name: str, **options: Any) -> RunConfig:
    return replace(grouped_scornn(), model=name, model_options=options, optimizer=Adam(1e-2).to_config())


@pytest.mark.parametrize("name", ["enrnn", "scornn", "rnn", "lstm", "projected lstm", "gru", "scurnn", "nnrnn"])
def test_every_run_can_be_drawn(tmp_path: Path, name: str) -> None:
    config = {
        "enrnn": switching_enrnn,
        "scornn": grouped_scornn,
        "rnn": lambda: carrying_rnn(tmp_path),
        "lstm": lambda: of_model("lstm", hidden_size=5),
        "projected lstm": lambda: of_model("lstm", hidden_size=5, projection_size=3),
        "gru": lambda: of_model("gru", hidden_size=5),
        "scurnn": lambda: of_model("scurnn", hidden_size=5),
        "nnrnn": lambda: of_model("nnrnn", hidden_size=6),
    }[name]()
    run_through(tmp_path / "run", config, 5)
    run = RunDirectory.open(tmp_path / "run")
    run.config = replace(run.config, backend="cuda")  # a run of a device is drawn where there is none
    paths, notes = plot_run(run)
    assert notes == []
    assert [path.relative_to(tmp_path / "run").as_posix() for path in paths] == [
        f"figures/{stem}.png" for stem in PICTURES
    ]
    for path in paths:
        height, width, _ = (picture := matplotlib.image.imread(path)).shape
        assert height >= 500
        assert width >= 900
        ink = (picture[:, :, :3].min(axis=2) < 0.9).mean()
        assert 0.005 < ink < 0.6, "the picture is blank or black"


def test_a_run_is_drawn_from_its_seed_and_its_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the switch is on by then: the buffers belong to the picture."""
    config = switching_enrnn()
    state = run_through(tmp_path / "run", config, 200)
    assert state.buffers is not None
    assert state.buffers["switched"]
    given: dict[str, Any] = {}

    def noted(name: str, draw: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            given[name] = arguments
            return draw(*arguments, **options)

        return wrapper

    for stem, draw in (
        ("spectrum", spectrum_figure),
        ("spectrum_history", spectrum_history_figure),
        ("modes", modes_figure),
        ("jacobian", jacobian_figure),
        ("memory", memory_figure),
    ):
        monkeypatch.setattr(plotting_run, f"{stem}_figure", noted(stem, draw))
    plot_run(RunDirectory.open(tmp_path / "run"))
    experiment = build(config)
    model = experiment.model
    before, after = given["spectrum"]
    for block, values in spectrum(model, experiment.start(config.seed, config.dtype).params).items():
        np.testing.assert_array_equal(before[block], values)
    for block, values in spectrum(model, state.params, state.buffers).items():
        np.testing.assert_array_equal(after[block], values)
    x = next(iter(experiment.task.test_batches())).x
    (tables,) = given["modes"]
    for block, values in spectrum(model, state.params, state.buffers).items():
        np.testing.assert_array_equal(tables[block].eigenvalues, values)
    (history,) = given["spectrum_history"]
    assert history.steps.tolist() == [0, 40, 80, 120, 160, 200]
    (jacobians,) = given["jacobian"]
    exact = step_jacobians(model, state.params, x[:, :1], buffers=state.buffers, backend="reference")
    assert jacobians.times[0] == 1
    assert jacobians.times[-1] == len(x)
    np.testing.assert_allclose(jacobians.matrices, exact.matrices[jacobians.times - 1], rtol=1e-12, atol=1e-14)
    (profile,) = given["memory"]
    expected = memory_profile(model, state.params, x, buffers=state.buffers, backend="reference")
    for pair, norms in expected.norms.items():
        np.testing.assert_allclose(profile.norms[pair], norms, rtol=1e-12)


def test_what_cannot_be_drawn_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading backwards too there is no Jacobian; and a run of an earlier version has no history."""
    config = grouped_scornn()
    given = build(config)
    model = er.Bidirectional(
        er.ScoRNN(given.task.input_size, 4), er.LSTM(given.task.input_size, 3), given.task.output_size
    )
    experiment = Experiment(model, given.task, given.optimizer, backend="reference")
    monkeypatch.setattr(plotting_run, "build", lambda config: experiment)
    run = RunDirectory.create(tmp_path / "run", replace(config, optimizer=Adam(1e-2).to_config()))
    experiment = replace(experiment, optimizer=Adam(1e-2))
    train(experiment, run, experiment.start(config.seed, config.dtype), 3)
    run.spectra.path.unlink()
    for stem in ("jacobian", "spectrum-history"):  # of an earlier state
        save(spectrum_figure({"all": np.array([0.5])}, {"all": np.array([0.6])}), run.figures / f"{stem}.png")
    paths, notes = plot_run(run)
    assert [path.stem for path in paths] == ["loss", "spectrum", "modes"]
    assert [note.split(":")[0] for note in notes] == [
        "No spectrum-history figure",
        "No jacobian figure",
        "No memory figure",
    ]
    assert "holds no spectrum" in notes[0]
    assert "backwards" in notes[1]
    assert sorted(path.stem for path in run.figures.iterdir()) == ["loss", "modes", "spectrum"]


def test_drawing_again_replaces_the_figures(tmp_path: Path) -> None:
    run_through(tmp_path / "run", switching_enrnn(), 3)
    run = RunDirectory.open(tmp_path / "run")
    first = [path.read_bytes() for path in plot_run(run).paths]
    assert [path.read_bytes() for path in plot_run(run).paths] == first


def test_a_run_without_steps_has_nothing_to_draw(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", switching_enrnn())
    with pytest.raises(ConfigError, match="nothing to plot"):
        plot_run(run)
    run_through(tmp_path / "broken", switching_enrnn(), 3)
    for file in (tmp_path / "broken" / "checkpoints").iterdir():
        file.write_bytes(b"")
    with pytest.raises(CheckpointError):
        plot_run(RunDirectory.open(tmp_path / "broken"))


def test_saving_makes_the_folder(tmp_path: Path) -> None:
    figure = spectrum_figure({"all": np.array([0.5])}, {"all": np.array([0.6])})
    path = save(figure, tmp_path / "new" / "picture.png")
    assert path.stat().st_size > 1000


def test_without_matplotlib_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from enrnn_ref.errors import DependencyError\n"
        "try:\n    import enrnn_ref.plotting\n"
        "except DependencyError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "enrnn-ref[cli]" in done.stdout


def test_drawing_leaves_pyplot_alone() -> None:
    """No global figure, no backend chosen: a user's own plotting is not disturbed."""
    code = "import sys, enrnn_ref.plotting; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
