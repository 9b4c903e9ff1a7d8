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
LADDER_ERROR = 1e-12  # (2T + 2)(n + B + 2) roundings of 1e-16 at T 4, n 7, B 3 make 1e-14; a condition of a hundred
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
    assert set(EXAMPLES) == {"01", "02", "03", "04", "05", "06", "07", "08", "09"}
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


def test_cuda_ladder():
    output = run("09")
    assert output.startswith("kernels run on: simulator,")
    for rung in ("steps", "shared", "registers", "grid"):
        said = re.findall(rf"^    (\w+) +{rung}: forced", output, flags=re.MULTILINE)
        assert said == ["forward", "backward"], rung
    rows = table(output, 4)
    assert [(rung, sequences) for rung, sequences, _, _ in rows] == [
        ("steps", "3"), ("shared", "3"), ("registers", "3"), ("grid", "1")
    ]  # fmt: skip
    for rung, _, outputs, gradients in rows:
        assert float(outputs) <= LADDER_ERROR, rung
        assert float(gradients) <= LADDER_ERROR, rung


LADDER = (ROOT / "examples" / "cuda_ladder.md").read_text(encoding="utf-8")


def test_the_ladder_quotes_its_kernels_as_they_are():
    quotes = re.findall(r"^```python\n# (enrnn_ref/\S+)\n(.*?)^```", LADDER, flags=re.DOTALL | re.MULTILINE)
    assert len(quotes) == LADDER.count("# enrnn_ref/") > 0
    for path, lines in quotes:
        assert lines in (ROOT / path).read_text(encoding="utf-8"), f"{path}:\n{lines}"


def test_the_ladder_prints_what_the_rule_says():
    program = re.search(r"^```python\n# run it\n(.*?)^```", LADDER, flags=re.DOTALL | re.MULTILINE)[1]
    printed = re.search(r"^```text\n(.*?)^```", LADDER, flags=re.DOTALL | re.MULTILINE)[1]
    command = [sys.executable, "-W", "error", "-c", program]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == printed
