"""The example with an ENRNN in PyTorch: it agrees, and with its mistake it is found out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "07_enrnn_in_pytorch.py"


def run(*arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-W", "error", str(EXAMPLE), *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=200, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_example_passes():
    output = run()
    assert output.startswith("ENRNN (PyTorch): passed")
    rows = [line.split() for line in output.splitlines()[-9:]]
    assert [row[0] for row in rows] == [
        "y", "final_h", "skew", "short", "coupling", "input", "bias", "x", "state_h"
    ]  # fmt: skip
    for _, _, theirs, ours, error in rows:
        assert float(theirs) == pytest.approx(float(ours), rel=1e-9, abs=1e-11)
        assert float(error) < 1e-12


def test_its_mistake_is_named():
    output = run("--mistake")
    assert "NOT passed" in output
    (diagnosis,) = [line for line in output.splitlines() if line.startswith("DIAGNOSIS")]
    assert "short" in diagnosis
    assert "constant" in diagnosis
