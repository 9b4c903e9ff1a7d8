"""``enrnn-ref bench`` from outside: what it prints and writes, its exit status, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.image
import pytest

from enrnn_ref.bench.compare import load
from tests.bench.small import untouched
from tests.cli.test_train import call, refused

TINY = ("--long-size", "3", "--short-size", "2", "--batch", "2", "--steps", "4", "--dtype", "float64")
OURS = ("--contenders", "ours, openblas,reference", "--threads", "1", "--repeats", "2")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    untouched(monkeypatch)


def test_numbers_of_ones_own_are_timed_written_and_drawn(tmp_path: Path) -> None:
    done = call("bench", *TINY, *OURS, "--out", tmp_path / "new")
    assert done.exit_code == 0, done.output
    assert "own: L 3, S 2, B 2, T 4, I 2" in done.stdout
    assert "ours / matrix products alone (OpenBLAS)" in done.stdout
    report = load(tmp_path / "new" / "cpu.json")
    assert list(report["cases"][0]["times"]) == ["ours", "openblas", "reference"]
    assert report["threads"]["numba"] == "1"
    assert "![Times" in (tmp_path / "new" / "cpu.md").read_text()
    assert matplotlib.image.imread(tmp_path / "new" / "cpu.png").ndim == 3
    assert str(tmp_path / "new" / "cpu.png") in done.stdout


def test_a_worse_ratio_is_exit_status_1(tmp_path: Path) -> None:
    assert call("bench", *TINY, *OURS, "--out", tmp_path).exit_code == 0
    path = tmp_path / "cpu.json"
    report = json.loads(path.read_text())
    for case in report["cases"]:
        for ratio in case["ratios"].values():
            ratio.update(median=1e-6, lower_quartile=1e-6, upper_quartile=1e-6)
    path.write_text(json.dumps(report))
    done = call("bench", *TINY, *OURS, "--against", path)
    assert done.exit_code == 1, done.output
    assert "| worse |" in done.stdout  # products alone
    assert "| better |" in done.stdout  # backend reference


def test_a_run_of_other_sizes_cannot_be_compared(tmp_path: Path) -> None:
    assert call("bench", *TINY, *OURS, "--out", tmp_path).exit_code == 0
    done = call("bench", *TINY, "--input-size", "1", *OURS, "--against", tmp_path / "cpu.json")
    assert done.exit_code == 2
    assert "no size" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["huge"], "huge"),
        (["all", "tiny"], "all"),
        (["tiny", "wide", "--steps", "3"], "tiny wide"),
        (["tiny", "--steps", "0"], "steps"),
        (["decayed", "--short-size", "0"], "short_size"),
        (["tiny", "--dtype", "float16"], "--dtype"),
        (["tiny", "--threads", "0"], "--threads"),
        (["tiny", "--threads", "1000"], "--threads"),
        (["tiny", "--repeats", "0"], "--repeats"),
        (["tiny", "--contenders", "theirs"], "theirs"),
        (["tiny", "--against", "missing.json"], "missing.json"),
    ],
)
def test_bad_use_is_one_line_that_names_it(arguments: list[str], named: str) -> None:
    assert named in refused("bench", *arguments)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert "expected a folder" in refused("bench", "tiny", "--out", path)
