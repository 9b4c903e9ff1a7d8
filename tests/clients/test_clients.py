"""The clients under examples/clients pass every golden vector: the specification suffices to implement the models."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[2] / "examples" / "clients"


def tool(name):
    found = shutil.which(name)
    assert found, f"{name} is not on PATH; the tests of the clients need it."
    return found


@pytest.fixture(scope="module")
def cpp(tmp_path_factory):
    binary = tmp_path_factory.mktemp("cpp") / "client"
    flags = ["-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([tool("g++"), *flags, str(CLIENTS / "cpp" / "client.cpp"), "-o", str(binary)], check=True)
    return [str(binary)]


@pytest.fixture(scope="module")
def javascript():
    return [tool("node"), str(CLIENTS / "javascript" / "client.mjs")]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("client", ["cpp", "javascript"])
def test_every_case_of_every_model_passes(client, request, tmp_path):
    command = shlex.join(request.getfixturevalue(client))
    junit = tmp_path / "junit.xml"
    verify = [sys.executable, "-m", "enrnn_ref", "vectors", "verify", "--command", command, "--junit", str(junit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "<failure" not in junit.read_text(encoding="utf-8")
