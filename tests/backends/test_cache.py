"""Compiled kernels on disk: found again, never a wrong one, and never in the way."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends import cache
from enrnn_ref.backends.compiler import jit
from tests.gated_cell import GatedCell


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path


def _adding(number, name):
    def add(x):
        return x + number

    return jit(add, kept_as=name)


def _kernels(place):
    return sorted(place.rglob("*.kernel"))


def test_a_kernel_is_found_under_its_name_and_types(place):
    """What is found is what was compiled first: the second function of that name was not compiled."""
    assert _adding(1, "a")(1.0) == 2.0
    assert _adding(2, "a")(1.0) == 2.0
    assert _adding(2, "b")(1.0) == 3.0
    assert _adding(2, "a")(1) == 3
    assert len(_kernels(place)) == 3


def test_one_without_a_name_is_not_kept(place):
    assert _adding(1, None)(1.0) == 2.0
    assert not _kernels(place)


@pytest.mark.parametrize("content", [b"", b"x" * 100, None], ids=["empty", "garbage", "cut short"])
def test_a_damaged_file_is_compiled_anew(place, content):
    _adding(1, "a")(1.0)
    (file,) = _kernels(place)
    file.write_bytes(file.read_bytes()[:-7] if content is None else content)
    assert _adding(2, "a")(1.0) == 3.0
    assert _adding(5, "a")(1.0) == 3.0  # and it has been mended


def test_another_version_finds_nothing(place, monkeypatch):
    _adding(1, "a")(1.0)
    monkeypatch.setattr(cache, "_version", lambda: "another")
    assert _adding(2, "a")(1.0) == 3.0
    assert len(list(place.iterdir())) == 2


def test_the_version_is_that_of_every_file_and_setting(tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "backends").mkdir(parents=True)
    (package / "cells.py").write_text("a = 1")
    monkeypatch.setattr(cache, "PACKAGE", package)
    found = [cache._version.__wrapped__()]
    assert found[0] == cache._version.__wrapped__()
    (package / "cells.py").write_text("a = 2")
    found.append(cache._version.__wrapped__())
    (package / "new.py").write_text("")
    found.append(cache._version.__wrapped__())
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "0")
    found.append(cache._version.__wrapped__())
    assert len(set(found)) == 4


def test_of_files_changed_since_they_were_read_nothing_is_kept(place, tmp_path, monkeypatch):
    """A process that runs on while its files are replaced."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "new.py").write_text("")
    monkeypatch.setattr(cache, "PACKAGE", package)
    assert cache._changed.__wrapped__()
    os.utime(package / "new.py", (0, 0))
    assert not cache._changed.__wrapped__()
    monkeypatch.setattr(cache, "_changed", lambda: True)
    assert _adding(1, "a")(1.0) == 2.0
    assert not _kernels(place)


def test_what_others_compiled_long_ago_is_removed(place):
    for name, age in (("enrnn_ref-old", 2 * cache.STALE_SECONDS), ("enrnn_ref-new", 60), ("other", 1e9)):
        (place / name).mkdir()
        os.utime(place / name, (time.time() - age, time.time() - age))
    _adding(1, "a")(1.0)
    assert {path.name for path in place.iterdir()} == {"enrnn_ref-new", "other", cache.folder().name}


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("in the way")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(file))
    assert _adding(1, "a")(1.0) == 2.0
    assert file.read_text() == "in the way"


def test_only_the_cells_of_this_package_have_a_name():
    """Of a user's own it cannot be known what they call, nor of what encloses others. Settings have no part in it."""
    lstm = er.LSTM(2, 3).cell
    assert cache.name_of(1, (lstm.unit_step, GatedCell.unit_step)) is None
    first, second = (cache.name_of(1, (er.filters.Momentum(0.6, step).unit_step,)) for step in (0.5, 0.7))
    assert first is not None
    assert first == second
    assert cache.name_of(1, (lstm.unit_step,)) != cache.name_of(2, (lstm.unit_step,))
    assert cache.name_of(1, (lstm.unit_step,)) != cache.name_of(1, (lstm.unit_pullback,))

    def enclosing(value):
        def unit(z):
            return value(z)

        unit.__module__ = "enrnn_ref.cells.new"
        return unit

    assert cache.name_of(1, (enclosing(abs),)) is None


GRADIENT = """
import sys
import numpy as np, numba.core.dispatcher, enrnn_ref as er
if sys.argv[1] == "warm":
    def refuse(*arguments, **options):
        raise AssertionError("compiled again")
    numba.core.compiler.compile_extra = refuse
model = er.ENRNN(3, 5, 4, 2)
x = np.random.default_rng(0).standard_normal((4, 2, 3))
run = model.forward(model.init(0), x)
print(model.backward(run, run.y).x.tobytes().hex())
"""


def test_processes_that_start_together_and_one_that_compiles_nothing(place):
    def start(how):
        return subprocess.Popen([sys.executable, "-c", GRADIENT, how], stdout=subprocess.PIPE, env=os.environ)

    cold = [start("cold") for _ in range(2)]
    outputs = [process.communicate()[0] for process in cold]
    warm = start("warm")
    outputs.append(warm.communicate()[0])
    assert [process.returncode for process in (*cold, warm)] == [0, 0, 0]
    assert len(outputs[0]) > 2 * np.dtype(np.float64).itemsize
    assert outputs[0] == outputs[1] == outputs[2]
    assert not [path for path in place.rglob("*") if path.is_file() and path.suffix != ".kernel"]
