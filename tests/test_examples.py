"""Every example runs by itself, without a warning, and its last table says what it promises."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PNG = b"\x89PNG\r\n\x1a\n"
DIFFERENCE_ERROR = 1e-6  # a central difference of step 1e-6: its step squared, and rounding 1e-16 / 1e-6, with room
EIGENVALUE_ERROR = 1e-13  # unit roundoff times six units, a condition of some ten and a generous constant
EXAMPLES = {path.stem[:2]: path for path in sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))}


def run(number: str, *arguments: str | Path) -> str:
    """Standard output of an example; standard error must stay empty."""
    command = [sys.executable, "-W", "error", str(EXAMPLES[number]), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def table(output: str, columns: int) -> list[list[str]]:
    """The lines of ``columns`` words of which the last is a number."""
    lines = [line.split() for line in output.splitlines()]
    return [words for words in lines if len(words) == columns and re.fullmatch(r"-?\d+(\.\d+)?(e[-+]\d+)?", words[-1])]


def test_all_examples_are_tested():
    """Number 07 needs PyTorch; its test is among those that have it."""
    assert set(EXAMPLES) == {"01", "02", "03", "04", "05", "06", "07", "08"}
    assert "07" in (ROOT / "tests" / "torch" / "test_adapter_example.py").read_text(encoding="utf-8")


def test_first_gradient():
    rows = table(run("01"), 5)
    assert {row[0] for row in rows} == {"skew", "short", "coupling", "input", "bias", "readout", "readout_bias"}
    for name, _, by_hand, by_difference, error in rows:
        assert float(by_hand) != 0, name
        assert abs(float(by_hand) - float(by_difference)) <= DIFFERENCE_ERROR * abs(float(by_hand)) + 1e-9, name
        assert float(error) <= DIFFERENCE_ERROR, name


def test_train_adding(tmp_path):
    output = run("02", tmp_path)
    losses = [float(loss) for _, loss in table(output, 2)]
    test_loss = float(re.search(r"test loss ([\d.]+)", output)[1])
    assert len(losses) == 6
    assert test_loss < 1 / 60, "a tenth of the baseline"
    assert (tmp_path / "adding.png").read_bytes().startswith(PNG)


def test_spectrum_and_memory(tmp_path):
    rows = [[float(word) for word in row] for row in table(run("03", tmp_path), 5)]
    assert [row[0] for row in rows] == [0, 1e-3, 1e-2, 1e-1]
    for _, radius, power, short, long in rows:
        assert power == pytest.approx(radius**100, rel=1e-4)  # the radius is printed to six digits
        assert short == pytest.approx(power, rel=2e-6)  # a normal block forgets as r^k; printed to seven digits
        assert long == 1.0
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)
    for name in ("spectrum.png", "memory.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)


def test_your_own_cell():
    output = run("04")
    assert ": passed" in output.splitlines()[0]
    rows = [[float(word) for word in row] for row in table(output, 3)]
    assert [row[0] for row in rows] == list(range(25, 201, 25))
    for _, reference, cpu in rows:
        assert cpu == pytest.approx(reference, abs=2e-8)  # printed to eight places
    assert rows[-1][1] < 1 / 24, "a quarter of the baseline"


def test_spectrum_of_an_initialiser():
    output = run("05")
    given = [row for row in table(output, 6) if row[0] in ("orthogonal", "gaussian")]
    assert [row[0] for row in given] == ["orthogonal"] * 6 + ["gaussian"] * 6
    for basis, requested, half_life, _, norm, error in given:
        expected = math.log(2) / -math.log(abs(complex(requested)))
        # Printed to one place, from an eigenvalue of four: near 0.99 those are a hundredth of the logarithm.
        assert float(half_life) == pytest.approx(expected, rel=0.01, abs=0.05)
        assert (float(norm) == 0.99) == (basis == "orthogonal"), "the largest modulus, if the matrix is normal"
        assert float(error) <= EIGENVALUE_ERROR
    gates = [row for row in table(output, 6) if row[0] in ("i", "f", "g", "o")]
    assert [row[0] for row in gates] == ["i", "f", "g", "o"]
    for gate, _, requested, obtained, apart, tolerance in gates:
        assert requested == obtained, gate
        assert float(apart) <= float(tolerance) <= EIGENVALUE_ERROR, gate
    assert gates[2][3] == "1.000000", "the candidate's law is orthogonal"
    last = output.splitlines()[-1]
    assert last.startswith("had six ones been requested for gate i: wrong, requested 1, obtained ")


def test_dynamics(tmp_path):
    output = run("06", tmp_path)
    rows = [row for row in table(output, 6) if "e" in row[3]]
    assert len(rows) == 8
    for model, source, target, product, measured, apart in rows:
        name = f"{model}: {source} to {target}"
        assert float(apart) <= 1e-13, name  # 30 products of matrices of norms about one, of 32 states at most
        assert float(product) == pytest.approx(float(measured), rel=2e-3, abs=1e-13), name  # printed to four digits
    pictures = list(tmp_path.rglob("*.png"))
    assert len(pictures) == 12
    assert all(path.read_bytes().startswith(PNG) for path in pictures)


def test_enrnn_in_jax():
    right, wrong = run("08"), run("08", "--mistake")
    assert right.startswith("enrnn (JAX): passed")
    assert "DIAGNOSIS" not in right
    assert "NOT passed" in wrong
    assert "DIAGNOSIS: your d short equals the reference with ρ treated as a constant" in wrong
