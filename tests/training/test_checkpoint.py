"""A checkpoint is whole and ours, or refused; then the one before it serves."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrnn_ref.errors import CheckpointError
from enrnn_ref.training import TrainingState, files
from enrnn_ref.training.checkpoint import KEPT, CheckpointFolder
from tests.training.small import assert_same_bits, switching_enrnn

CONFIG = switching_enrnn()


def state_at(step: int) -> TrainingState:
    """Every kind of array there is, in every memory layout."""
    rng = np.random.default_rng(step)
    return TrainingState(
        step=step,
        params={
            "square": np.asfortranarray(rng.normal(size=(3, 4))),
            "reversed": rng.normal(size=5).astype(np.float32)[::-1],
            "strided": rng.normal(size=(6, 4))[::2, 1:],
            "empty": np.zeros((0, 2)),
        },
        optimizer={"a/b": rng.normal(size=2), "count": np.array(step, np.int64)},
        buffers={"switched": np.array(step % 2 == 0)},
        carried={"h": rng.normal(size=(2, 3))},
        degeneracies={"tied": step},
    )


def saved(folder: Path, *steps: int) -> CheckpointFolder:
    checkpoints = CheckpointFolder(folder / "checkpoints")
    for step in steps:
        checkpoints.save(state_at(step), CONFIG)
    return checkpoints


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    state, refused = saved(tmp_path, 7).load_latest(CONFIG, state_at(1))
    assert refused == []
    assert state is not None
    assert_same_bits(state, state_at(7))


def test_loaded_arrays_may_be_written(tmp_path: Path) -> None:
    state, _ = saved(tmp_path, 7).load_latest(CONFIG, state_at(1))
    assert state is not None
    assert all(array.flags.writeable for array in state.params.values())


def test_absent_buffers_and_states_stay_absent(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path / "checkpoints")
    bare = replace(state_at(3), buffers=None, carried=None)
    checkpoints.save(bare, CONFIG)
    state, _ = checkpoints.load_latest(CONFIG, bare)
    assert state is not None
    assert state.buffers is None
    assert state.carried is None


def test_the_last_three_are_kept_and_nothing_else(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 10, 20)
    (checkpoints.path / f"step-00000030.json{files.TEMPORARY_SUFFIX}").write_bytes(b"half")
    for step in (30, 40, 1000):
        checkpoints.save(state_at(step), CONFIG)
    names = sorted(path.name for path in checkpoints.path.iterdir())
    assert KEPT == 3
    assert names == [f"step-{step:08d}.{ending}" for step in (30, 40, 1000) for ending in ("json", "safetensors")]


@given(where=st.floats(0, 1, exclude_max=True), ending=st.sampled_from(["json", "safetensors"]))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, where: float, ending: str) -> None:
    checkpoints = saved(tmp_path_factory.mktemp("cut"), 10, 20)
    file = checkpoints.path / f"step-00000020.{ending}"
    data = file.read_bytes()
    file.write_bytes(data[: int(where * (len(data) - 1))])  # all but the last newline of JSON is needed
    assert_falls_back(checkpoints, file)


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused(tmp_path_factory: pytest.TempPathFactory, where: float, bit: int) -> None:
    checkpoints = saved(tmp_path_factory.mktemp("flip"), 10, 20)
    file = checkpoints.path / "step-00000020.safetensors"
    data = bytearray(file.read_bytes())
    data[int(where * len(data))] ^= 1 << bit
    file.write_bytes(data)
    assert_falls_back(checkpoints, file)


def rewrite(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def replace_by_pickle(folder: Path) -> None:
    """Its checksum is right, so only the format stands between us and unpickling."""
    data = pickle.dumps({"params": {}})
    (folder / "step-00000020.safetensors").write_bytes(data)
    rewrite(folder / "step-00000020.json", sha256=hashlib.sha256(data).hexdigest())


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "another format": (lambda f: rewrite(f / "step-00000020.json", format="torch"), "foreign"),
    "a list": (lambda f: (f / "step-00000020.json").write_text("[1]"), "foreign"),
    "no checksum": (lambda f: rewrite(f / "step-00000020.json", sha256=None), "sha256"),
    "no step": (lambda f: rewrite(f / "step-00000020.json", step="20"), "step"),
    "another step": (lambda f: rewrite(f / "step-00000020.json", step=21), "step 21"),
    "no arrays": (lambda f: (f / "step-00000020.safetensors").unlink(), "cannot be read"),
    "no JSON": (lambda f: (f / "step-00000020.json").unlink(), "cannot be read"),
    "a pickle": (replace_by_pickle, "not a safetensors file"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_foreign_file_is_refused(tmp_path: Path, case: str) -> None:
    checkpoints = saved(tmp_path, 10, 20)
    spoil, words = FOREIGN[case]
    spoil(checkpoints.path)
    assert words in assert_falls_back(checkpoints, checkpoints.path / "step-00000020")


def test_a_checkpoint_of_another_configuration_is_refused_by_the_key(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 10)
    with pytest.raises(CheckpointError, match=r"seed is 3 there and 4 here"):
        checkpoints.load_latest(replace(CONFIG, seed=4), state_at(1))


CHANGES: list[dict[str, Any]] = [{"steps": CONFIG.steps + 1}, {"backend": "cpu"}, {"backend": "cuda"}]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_the_plan_may_grow_and_another_backend_may_go_on(tmp_path: Path, changes: dict[str, Any]) -> None:
    state, refused = saved(tmp_path, 10).load_latest(replace(CONFIG, **changes), state_at(1))
    assert state is not None
    assert refused == []


def test_none_usable_is_an_error_and_none_at_all_is_not(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path / "checkpoints")
    assert checkpoints.load_latest(CONFIG, state_at(1)) == (None, [])
    checkpoints.save(state_at(10), CONFIG)
    (checkpoints.path / "step-00000010.json").write_text("{")
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        checkpoints.load_latest(CONFIG, state_at(1))


@pytest.mark.parametrize("operation", ["fsync", "rename"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_dying_at_any_point_of_a_write_leaves_a_usable_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, at: int
) -> None:
    """The disk fails at the ``at``-th fsync or rename of the second save; the first one must still load."""
    checkpoints = saved(tmp_path, 10)
    calls = 0

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls == at:
                raise KeyboardInterrupt
            return call(*arguments)

        return wrapper

    with monkeypatch.context() as patch:
        if operation == "fsync":
            patch.setattr(files.os, "fsync", dying(os.fsync))
        else:
            patch.setattr(Path, "replace", dying(Path.replace))
        try:
            checkpoints.save(state_at(20), CONFIG)
        except KeyboardInterrupt:
            pass
        else:
            assert operation == "rename"
            assert calls == 2  # one for each file: there is no third to die at
    state, _ = checkpoints.load_latest(CONFIG, state_at(1))
    assert state is not None
    assert_same_bits(state, state_at(state.step))
    assert state.step in (10, 20)
    checkpoints.save(state_at(30), CONFIG)
    assert not list(checkpoints.path.glob(f"*{files.TEMPORARY_SUFFIX}"))


def assert_falls_back(checkpoints: CheckpointFolder, file: Path) -> str:
    """Loading names the file and gives the checkpoint before; returns the reason."""
    with pytest.raises(CheckpointError):
        checkpoints.load("step-00000020", CONFIG, state_at(1))
    state, refused = checkpoints.load_latest(CONFIG, state_at(1))
    assert state is not None
    assert_same_bits(state, state_at(10))
    assert len(refused) == 1
    assert str(file) in refused[0]
    return refused[0]


def without(arrays: dict[str, np.ndarray], key: str) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name != key}


CONTENT: dict[str, tuple[Callable[[TrainingState], TrainingState], str]] = {
    "a parameter is missing": (
        lambda s: replace(s, params=without(s.params, "square")),
        "lacks the tensor 'params/square'",
    ),
    "a parameter is foreign": (lambda s: replace(s, params={**s.params, "w": np.ones(2)}), "foreign tensor 'params/w'"),
    "another shape": (
        lambda s: replace(s, params={**s.params, "square": np.ones((4, 3))}),
        "'params/square' has shape",
    ),
    "another dtype": (lambda s: replace(s, optimizer={**s.optimizer, "a/b": np.ones(2, np.float32)}), "float32"),
    "not a number": (lambda s: replace(s, params={**s.params, "square": np.full((3, 4), np.nan)}), "NaN"),
    "a count below zero": (lambda s: replace(s, optimizer={**s.optimizer, "count": np.array(-1)}), "expected a count"),
    "no buffers": (lambda s: replace(s, buffers=None), "lacks the tensor 'buffers/switched'"),
    "no state": (lambda s: replace(s, carried=None), "lacks the tensor 'carried/h'"),
    "the state of another batch": (lambda s: replace(s, carried={"h": np.ones((5, 3))}), "'carried/h' has shape"),
}


@pytest.mark.parametrize("case", CONTENT)
def test_whole_files_with_other_content_are_refused(tmp_path: Path, case: str) -> None:
    """The checksum agrees, the arrays are not those of this run: the checkpoint before serves."""
    change, message = CONTENT[case]
    checkpoints = saved(tmp_path, 7)
    checkpoints.save(change(state_at(8)), CONFIG)
    state, refused = checkpoints.load_latest(CONFIG, state_at(1))
    assert state is not None
    assert_same_bits(state, state_at(7))
    assert len(refused) == 1
    assert message in refused[0]
    assert "step-00000008.safetensors" in refused[0]
