"""The application as a whole: help, version, unknown words, missing extras, and the demo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import enrnn_ref
from enrnn_ref import verify
from enrnn_ref.cli import demo as demo_module
from enrnn_ref.cli.app import app
from enrnn_ref.training import RunDirectory

COMMANDS = ("demo", "check", "train", "compare", "plot", "bench")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_names_every_command(arguments: list[str]) -> None:
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0
    assert all(command in shown.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_the_module_is_the_script_and_knows_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "enrnn_ref", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["enrnn-ref", enrnn_ref.__version__]


@pytest.mark.parametrize(
    "arguments", [["dance"], ["train", "adding", "--size", "3"], ["train", "adding", "--steps", "many"], ["plot"]]
)
def test_unknown_words_are_bad_use(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_one_line_says_what_to_install(missing: str) -> None:
    done = python(f"import sys; sys.modules[{missing!r}] = None; from enrnn_ref.cli import main; main()")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert missing in done.stderr
    assert "enrnn-ref[cli]" in done.stderr


def test_without_matplotlib_plot_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        f"sys.argv = ['enrnn-ref', 'plot', {str(tmp_path)!r}]\n"
        "from enrnn_ref.cli import main; main()"
    )
    done = python(code)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "enrnn-ref[cli]" in done.stderr
    assert done.stderr.count("\n") == 1


def run_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.chdir(tmp_path)
    return CliRunner().invoke(app, ["demo", *arguments])


def test_the_demo_checks_trains_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run_demo(tmp_path, monkeypatch)
    assert done.exit_code == 0, done.output
    for name in ("ENRNN", "ScoRNN", "RNN", "skew", "coupling", "tolerance", "verdict"):
        assert name in done.stdout
    run = RunDirectory.open(tmp_path / "demo-run")
    assert run.config.task_options["length"] == 100
    assert run.metrics.read()[-1]["test_loss"] < 0.1 / 6
    figures = [f"demo-run/figures/{name}.png" for name in ("loss", "spectrum", "memory")]
    assert all(figure in done.stdout and (tmp_path / figure).stat().st_size > 10_000 for figure in figures)


def passing(model: Any) -> verify.Report:
    row = verify.Row("bias", "gradient", verify.Verdict.PASSED, 1e-12, 1e-10, passed=True)
    return verify.Report(type(model).__name__, (row,))


def failing(model: Any) -> verify.Report:
    row = verify.Row("bias", "gradient", verify.Verdict.WRONG, 1e-2, 1e-10, passed=False)
    return verify.Report(type(model).__name__, (row,))


@pytest.mark.parametrize(("report", "enough"), [(failing, 9.0), (passing, 0.0)])
def test_the_demo_fails_when_a_part_of_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Any, enough: float
) -> None:
    """A wrong gradient, or a network that does not learn, each alone."""
    monkeypatch.setattr(verify, "check_model", report)
    monkeypatch.setattr(demo_module, "STEP_LIMIT", 50)
    monkeypatch.setattr(demo_module, "ENOUGH", enough)
    done = run_demo(tmp_path, monkeypatch, "--out", "somewhere")
    assert done.exit_code == 1, done.output
    assert "failed" in done.stdout
    assert (tmp_path / "somewhere" / "figures" / "loss.png").exists()


def test_the_demo_does_not_overwrite_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo-run").mkdir()
    (tmp_path / "demo-run" / "mine.txt").write_text("keep me")
    monkeypatch.setattr(verify, "check_model", passing)
    monkeypatch.setattr(demo_module, "STEP_LIMIT", 50)
    monkeypatch.setattr(demo_module, "ENOUGH", 9.0)
    assert run_demo(tmp_path, monkeypatch).exit_code == 0
    assert (tmp_path / "demo-run-1" / "figures" / "memory.png").exists()
    assert [path.name for path in (tmp_path / "demo-run").iterdir()] == ["mine.txt"]
    assert run_demo(tmp_path, monkeypatch, "--out", "demo-run").exit_code == 2
