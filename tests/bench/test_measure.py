"""A whole run at a small size: who is in it, who is left out and why, and what a decayed size means."""

import sys

import numba
import numpy as np
import pytest

from enrnn_ref.bench import SIZES, Size, measured
from enrnn_ref.bench.contenders import CONTENDERS
from enrnn_ref.bench.contenders.torch_compile import STRETCH, stretch_of
from enrnn_ref.bench.parts import PARTS
from enrnn_ref.bench.workload import workload
from enrnn_ref.errors import OptionError
from tests.bench.small import TOLERANCE, every_size, expected, made, require_same, untouched

SMALL = Size("small", 3, 2, 4, 5)
DECAYED = Size("small and decayed", 0, 3, 2, 5, decayed=True)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    untouched(monkeypatch)


def test_a_run_has_times_ratios_and_parts():
    told, kept = [], []
    names = ["ours", "ours_fresh", "reference", "openblas"]
    threads = numba.get_num_threads()
    report = measured(
        [SMALL, DECAYED], ["float64"], threads=1, repeats=3, contenders=names, say=told.append, after=kept.append
    )
    assert numba.get_num_threads() == threads
    assert len(kept) == 2
    first, second = report["cases"]
    assert list(first["times"]) == ["ours", "reference", "openblas"]
    assert "ours_fresh" in second["times"]
    assert all(len(timing["samples"]) == 3 for timing in first["times"].values())
    assert {"limit_openblas", "reference", "share"} == set(first["ratios"])
    assert "decayed" in second["ratios"]
    assert list(first["parts"]["times"]) == list(PARTS)
    assert 0 < first["ratios"]["share"]["median"] < 1
    assert report["threads"]["numba"] == "1"
    assert told[0].startswith("small (L 3, S 2, B 4, T 5, I 2), float64")


def test_a_missing_peer_is_left_out_and_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    told = []
    report = measured([SMALL], ["float64"], threads=1, repeats=1, contenders=["ours", "eager", "mkl"], say=told.append)
    (case,) = report["cases"]
    assert list(case["times"]) == ["ours"]
    assert set(case["left_out"]) == {"eager", "mkl"}
    assert "pip install 'enrnn-ref[torch]'" in case["left_out"]["eager"]
    assert told[0].startswith("left out: torch is missing")
    assert "torch" not in report["threads"]


def test_a_peer_that_fails_is_left_out_and_ours_is_not(monkeypatch):
    def fails(work):
        raise ValueError("no such\ncompiler")

    for name, library in (("eager", "jax"), ("reference", "")):
        monkeypatch.setitem(CONTENDERS, name, type(CONTENDERS[name])("label", fails, library))
    report = measured([SMALL], ["float64"], threads=1, repeats=1, contenders=["eager"])
    assert report["cases"][0]["left_out"] == {"eager": "ValueError: no such"}
    with pytest.raises(ValueError, match="compiler"):
        measured([SMALL], ["float64"], threads=1, repeats=1, contenders=["reference"])


@pytest.mark.parametrize("options", [{"threads": 0}, {"threads": 10_000}, {"threads": 1, "contenders": ["theirs"]}])
def test_bad_use(options):
    with pytest.raises(OptionError):
        measured([SMALL], ["float32"], **options)


@pytest.mark.parametrize(
    "numbers", [{"long": -1}, {"long": 0, "short": 0}, {"batch": 0}, {"steps": 0}, {"inputs": 0}, {"steps": 1.5}]
)
def test_bad_sizes(numbers):
    with pytest.raises(OptionError):
        Size("own", **({"long": 2, "short": 2, "batch": 2, "steps": 2} | numbers))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_numbers_of_a_decayed_size_are_subnormal(dtype):
    decayed = workload(DECAYED, np.dtype(dtype), 1)
    tiny = np.finfo(dtype).tiny
    assert not decayed.x.any()
    assert not decayed.params["bias"].any()
    for array in (decayed.start, decayed.dy):
        assert array.any()
        assert np.quantile(np.abs(array), 0.9) < tiny


def test_the_sizes_are_those_that_were_asked_for():
    assert list(SIZES) == ["adding", "copying", "wide", "tiny", "one", "long", "decayed"]
    assert [stretch_of(size.steps) for size in SIZES.values()] == [15, 10, 16, 10, 10, 16, 16]
    assert stretch_of(STRETCH + 1) == 1  # a prime: step by step
    assert stretch_of(3) == 3


def test_ours_makes_its_matrix_anew_in_every_call():
    """As in training; what a model remembers of parameters it has seen must not make it look faster than it is."""
    ours = CONTENDERS["ours"].make(made(SMALL))
    matrices = [ours.forward().tape.value.matrix for _ in range(3)]
    assert matrices[0] is not matrices[2]
    assert not np.array_equal(matrices[0], matrices[1])
    assert np.array_equal(matrices[0], matrices[2])
    assert np.abs(matrices[0] - matrices[1]).max() < 0.1


@every_size
def test_ours_are_the_gradients_of_the_reference(size):
    require_same(CONTENDERS["ours"].make(made(size)).gradients(), expected(made(size), free=True))


@pytest.mark.parametrize("free", [False, True])
@every_size
def test_jax_finds_our_gradients(size, free):
    work = made(size)
    require_same(CONTENDERS["jax_free" if free else "jax"].make(work).gradients(), expected(work, free=free))


@pytest.mark.parametrize("name", ["openblas", "openblas_shares"])
@every_size
def test_products_are_those_of_the_pass(size, name):
    """Of every step in turn, and over all times at the end; split or not."""
    work = made(size)
    contender = CONTENDERS[name].make(work)
    given = [(share.x.copy(), share.backward[0][0].copy()) for share in contender.work_of]
    contender.run()
    R, U = work.matrix, work.params["input"]
    assert sum(len(share.backward[0][0]) for share in contender.work_of) == work.size.batch
    for share, (x, dz) in zip(contender.work_of, given, strict=True):
        h, drive = share.forward[0][0], x @ U.T
        assert np.allclose(h, drive[: len(h)], rtol=TOLERANCE)
        for t, (_, following) in enumerate(share.forward, 1):
            assert np.allclose(following, h @ np.linalg.matrix_power(R.T, t), rtol=1e-9)
        for t, (_, preceding) in enumerate(share.backward, 1):
            assert np.allclose(preceding, dz @ np.linalg.matrix_power(R, t), rtol=1e-9)
        assert np.allclose(share.drecurrent, share.dz.T @ share.h)
        assert np.allclose(share.dinput, share.dz.T @ x)
        assert np.allclose(share.dx, share.dz @ U)
