"""Training with the state on the device: the same as on the host, and what crosses in a step."""

from dataclasses import replace

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.target import cuda
from enrnn_ref.optimizers import SGD, Adam, Groups, RMSprop
from enrnn_ref.tasks import build
from enrnn_ref.training import Experiment, RunDirectory, resume, train
from enrnn_ref.training import build as build_experiment
from enrnn_ref.training.comparison import Comparison
from enrnn_ref.training.observer import Silent
from tests.cuda.told import told_of_a_map
from tests.training.small import assert_same_bits, carrying_rnn, switching_enrnn

ALIKE = {"float64": {"rtol": 1e-7, "atol": 1e-10}, "float32": {"rtol": 1e-2, "atol": 1e-4}}
STEPS = 4


def on_device(state):
    """Every array is where it belongs, and whose."""
    groups = [state.params, state.optimizer, state.carried or {}]
    for key, array in ((key, array) for named in groups for key, array in named.items()):
        assert isinstance(array, np.ndarray if key.endswith(".step") else DeviceArray), key
    return state


def short(config):
    """A run of a few steps, each of which is costly on the simulator."""
    own = {"length": 3} if config.task == "text" else {"length": 4, "train_size": 6, "test_size": 3}
    options = {**config.task_options, **own}
    return replace(
        config, task_options=options, batch_size=2, steps=STEPS, evaluation_interval=3, checkpoint_interval=2
    )


def reading_rnn(folder):
    """A language model of a text that is read in a few steps."""
    config = carrying_rnn(folder)
    (folder / "text.txt").write_text("abacab" * 12)
    return config


CONFIGS = {
    "enrnn, switch": lambda folder: switching_enrnn(),
    "scornn, groups": lambda folder: switching_enrnn(
        model="scornn",
        model_options={"hidden_size": 6},
        optimizer=Groups({"skew": RMSprop(1e-3)}, Adam(1e-2)).to_config(),
        dtype="float32",
    ),
    "rnn, carried state": reading_rnn,
    "nnrnn, penalty": lambda folder: switching_enrnn(
        model="nnrnn", model_options={"hidden_size": 6, "modulus_penalty": 0.1, "lower_decay": 0.02}
    ),
    "exprnn, moving base": lambda folder: switching_enrnn(
        model="exprnn", model_options={"hidden_size": 5, "rebase_every": 2}
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_training_is_that_of_the_host(name, tmp_path):
    config = short(CONFIGS[name](tmp_path))
    found, records = {}, {}
    for backend in ("reference", "cuda"):
        experiment = build_experiment(replace(config, backend=backend))
        state, records[backend] = experiment.start(config.seed, config.dtype), []
        for _ in range(STEPS):
            state, record = experiment.step(on_device(state) if backend == "cuda" else state)
            records[backend].append(record)
        records[backend].append(experiment.evaluate(state))
        found[backend] = state.fetched(experiment.engine)
    on_device(state)
    for group in ("params", "optimizer", "buffers", "carried"):
        one, other = (getattr(found[backend], group) or {} for backend in ("reference", "cuda"))
        assert one.keys() == other.keys()
        for key, array in one.items():
            np.testing.assert_allclose(other[key], array, **ALIKE[config.dtype], err_msg=f"{group} {key}")
    for one, other in zip(*records.values(), strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            if isinstance(value, float):
                assert other[key] == pytest.approx(value, rel=ALIKE[config.dtype]["rtol"]), key
            else:
                assert other[key] == value, key
    if "penalty" in name:
        assert all(record["penalty"] > 0 for record in records["cuda"][1:-1])  # at the start there is none
    if "moving" in name:
        assert found["cuda"].buffers["updates"] == STEPS


@pytest.mark.parametrize("name", ["scornn, groups", "rnn, carried state", "exprnn, moving base"])
def test_stopping_changes_no_bit(name, tmp_path):
    """And the other backends go on with what this one wrote."""
    config = replace(short(CONFIGS[name](tmp_path)), backend="cuda")
    experiment = build_experiment(config)
    start = experiment.start(config.seed, config.dtype)
    whole = train(experiment, RunDirectory.create(tmp_path / "whole", config), start, STEPS).fetched(experiment.engine)
    train(experiment, RunDirectory.create(tmp_path / "parts", config), start, 3)
    run = RunDirectory.open(tmp_path / "parts")
    state, notes = resume(build_experiment(config), run)
    assert notes == []
    assert on_device(state).step == 3
    reached = {}
    for backend in ("cuda", "reference"):
        elsewhere = replace(config, backend=backend)
        experiment = build_experiment(elsewhere)
        loaded, _ = run.checkpoints.load_latest(elsewhere, experiment.blank(config.batch_size, config.dtype))
        reached[backend] = experiment.step(loaded)[0].fetched(experiment.engine)
    assert_same_bits(reached["cuda"], whole)
    for key, array in whole.params.items():
        np.testing.assert_allclose(reached["reference"].params[key], array, **ALIKE[config.dtype], err_msg=key)


def test_a_checkpoint_of_the_host_goes_on_here(tmp_path):
    config = short(switching_enrnn())
    experiment = build_experiment(config)
    run = RunDirectory.create(tmp_path / "run", config)
    train(experiment, run, experiment.start(config.seed, config.dtype), 2)
    there = build_experiment(replace(config, backend="cuda"))
    state, _ = resume(there, run)
    found = train(there, run, on_device(state), STEPS).fetched(there.engine)
    expected = experiment.start(config.seed, config.dtype)
    for _ in range(STEPS):
        expected, _ = experiment.step(expected)
    for key, array in expected.params.items():
        np.testing.assert_allclose(found.params[key], array, **ALIKE[config.dtype], err_msg=key)


def test_a_comparison_is_trained_here(tmp_path):
    config = replace(short(switching_enrnn()), backend="cuda", steps=2)
    comparison = Comparison.create(tmp_path / "both", [config], 1)
    for contender, seed, folder in comparison.runs():
        assert comparison.train(contender, seed, folder, observer=Silent()).step == 2
    assert comparison.rows()[0].loss is not None
    assert RunDirectory.open(folder).spectra.read()[-1].eigenvalues.keys() == {"long", "short"}


@pytest.mark.parametrize(("rate", "dtype"), [(1e200, "float64"), (1e38, "float32")])
def test_divergence_is_named_with_its_step(rate, dtype):
    settings = {"backend": "cuda", "optimizer": SGD(rate).to_config(), "clip": None, "dtype": dtype}
    config = replace(short(switching_enrnn()), **settings)
    experiment = build_experiment(config)
    good, _ = experiment.step(experiment.start(config.seed, dtype))
    with pytest.raises(er.errors.NotFiniteError, match=r"^Training diverged at step 2: .* Lower the learning rate"):
        experiment.step(good)


# ------------------------------------------------------------------------------------------------------ what crosses


class Crossings:
    """What goes to the device and comes from it, (part of a step, direction, entries), however it is called for."""

    def __init__(self, monkeypatch):
        self.seen, self.part = [], "step"
        kind = type(cuda.device_array(1))
        to_device, to_host = kind.copy_to_device, kind.copy_to_host

        def counted_there(array, source, *arguments, **options):
            if isinstance(source, np.ndarray):
                self.seen.append((self.part, "there", source.size))
            return to_device(array, source, *arguments, **options)

        def elsewhere(array, *arguments, **options):
            raise AssertionError("this way there is not counted")

        def counted_here(array, *arguments, **options):
            self.seen.append((self.part, "here", int(np.prod(array.shape, dtype=int))))
            return to_host(array, *arguments, **options)

        monkeypatch.setattr(cuda, "to_device", elsewhere)
        monkeypatch.setattr(kind, "copy_to_device", counted_there)
        monkeypatch.setattr(kind, "copy_to_host", counted_here)

    def during(self, monkeypatch, owner, name, part):
        """Calls of a method count as a part of its own."""
        method = getattr(owner, name)

        def inside(*arguments, **options):
            before, self.part = self.part, part
            try:
                return method(*arguments, **options)
            finally:
                self.part = before

        monkeypatch.setattr(owner, name, inside)

    def of(self, part, direction):
        return sorted(entries for own, way, entries in self.seen if (own, way) == (part, direction))


LENGTH, BATCH = 5, 3
MODELS = {
    "enrnn": lambda task: er.ENRNN(task.input_size, 4, 3, task.output_size, readout=task.readout),
    "lstm": lambda task: er.LSTM(task.input_size, 3, task.output_size, readout=task.readout),
    "stacked": lambda task: er.Stacked(
        [er.ENRNN(task.input_size, 4, 3), er.ScoRNN(7, 5, task.output_size, readout=task.readout)]
    ),
}
OPTIMIZERS = {
    "rmsprop": lambda model: RMSprop(1e-3),
    "groups": lambda model: Groups({next(iter(model.shapes)): Adam(1e-3)}, SGD(1e-3)),
}


def watched(monkeypatch, model, optimizer, task, clip=None):
    """The crossings of one step in the middle of a training."""
    experiment = Experiment(model, task, optimizer, clip, "cuda")
    state = experiment.start(0, np.float32)
    state, _ = experiment.step(state)
    crossings = Crossings(monkeypatch)
    for name in ("forward", "backward"):
        crossings.during(monkeypatch, model, name, "model")
    crossings.during(monkeypatch, optimizer, "begin", "optimizer")
    crossings.during(monkeypatch, task, "loss", "loss")
    state, record = experiment.step(state)
    return crossings, record


@pytest.mark.parametrize(("optimizer", "clip"), [("rmsprop", None), ("groups", 1e-6)])
@pytest.mark.parametrize("name", MODELS)
def test_of_a_step_numbers_alone_come_back(name, optimizer, clip, monkeypatch):
    task = build("adding", length=LENGTH, batch_size=BATCH, seed=1, test_size=3, dtype=np.float32)
    model = MODELS[name](task)
    crossings, record = watched(monkeypatch, model, OPTIMIZERS[optimizer](model), task, clip)
    assert record["gradient_norm"] > 1e-6
    assert crossings.of("loss", "there") == [BATCH * task.output_size]  # the target
    assert crossings.of("loss", "here") == []
    assert crossings.of("optimizer", "there") == []
    assert crossings.of("optimizer", "here") == [len(model.shapes)]  # whether the results of each are finite
    assert crossings.of("step", "there") == [LENGTH * BATCH * task.input_size]  # the batch, once
    assert crossings.of("step", "here") == [1, 1]  # the norm, and the loss
    assert crossings.of("model", "there") == []
    assert crossings.of("model", "here") == sorted(
        entries for _, recurrence, _, _ in model.recurrences({}) for entries in told_of_a_map(recurrence)
    )


def test_of_labels_those_of_the_batch_cross(monkeypatch, tmp_path):
    experiment = build_experiment(short(reading_rnn(tmp_path)))
    task = experiment.task
    crossings, _ = watched(monkeypatch, experiment.model, Adam(1e-3), task)
    batch = task.batch(1)
    assert not batch.fresh
    assert crossings.of("loss", "there") == [1, batch.target.size]  # one weight for all labels
    assert crossings.of("loss", "here") == []
    assert crossings.of("step", "there") == [batch.x.size]  # and not the state, which goes over from batch to batch
    assert crossings.of("step", "here") == [1, 1]


def test_parameters_come_to_the_host_only_for_who_needs_them(monkeypatch):
    """A penalty of weight zero needs none, nor does a map without a base that moves."""
    task = build("adding", length=LENGTH, batch_size=BATCH, seed=1, test_size=3, dtype=np.float32)
    sizes = {"input_size": task.input_size, "hidden_size": 4, "output_size": task.output_size, "readout": task.readout}
    idle = [er.NnRNN(**sizes), er.ExpRNN(**sizes)]
    busy = [er.NnRNN(**sizes, lower_decay=0.1), er.ExpRNN(**sizes, rebase_every=3)]
    for model in (*idle, *busy):
        with monkeypatch.context() as patch:
            crossings, _ = watched(patch, model, RMSprop(1e-3), task)
            own = [int(np.prod(shape)) for shape in model.parametrization.shapes.values()]
            assert crossings.of("step", "here") == (sorted([1, 1, *own]) if model in busy else [1, 1])


def test_a_state_of_the_host_is_brought():
    task = build("adding", length=LENGTH, batch_size=BATCH, seed=1, test_size=3, dtype=np.float32)
    experiment = Experiment(MODELS["enrnn"](task), task, Adam(1e-3), None, "cuda")
    there = experiment.start(0)
    here = there.fetched(experiment.engine)
    assert all(isinstance(array, np.ndarray) for array in (*here.params.values(), *here.optimizer.values()))
    after = [on_device(experiment.step(state)[0]).fetched(experiment.engine) for state in (there, here)]
    assert_same_bits(*after)
    assert experiment.evaluate(here) == experiment.evaluate(there)
    assert here.fetched(experiment.engine).params.keys() == here.params.keys()
