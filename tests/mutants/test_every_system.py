"""The passes of every small system: two backends, shares of a batch, the adjoint identity, differences."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends import cpu
from enrnn_ref.models import time_blocks
from enrnn_ref.models.composition import joined, taken
from tests.mutants.systems import SYSTEMS, TIMES, case

EPS = float(np.finfo(np.float64).eps)
ALIKE = {"rtol": 1e-9, "atol": 1e-11}  # two orders of summation of terms of order one, seven steps long

every_system = pytest.mark.parametrize("name", SYSTEMS)


def assert_alike(found, expected, **tolerance):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, **(tolerance or ALIKE), err_msg=key)


@every_system
def test_both_backends_agree_also_when_the_work_is_shared(name, monkeypatch):
    point = case(name)
    expected = point.values("reference"), point.gradients("reference"), point.tangent("reference")
    assert_alike(point.values("cpu"), expected[0])
    monkeypatch.setattr(cpu.CpuBackend, "shares", lambda _, batch, count: [slice(0, 1), slice(1, batch)])
    monkeypatch.setattr(cpu.numba, "get_num_threads", lambda: 4)  # two for each share: its loop, and its products
    monkeypatch.setattr(cpu, "PARALLEL_WORK", 1)
    monkeypatch.setattr(time_blocks, "GRADIENT_BYTES", 1)
    monkeypatch.setattr(time_blocks, "LEAST_ROWS", 0)
    for found, array in zip((point.values("cpu"), point.gradients("cpu"), point.tangent("cpu")), expected, strict=True):
        assert_alike(found, array)


@every_system
@pytest.mark.parametrize("started", [True, False])
def test_pullback_and_tangent_are_adjoint_in_every_argument(name, started):
    point = case(name, started=started)
    gradients, directions, cotangents = point.gradients("reference"), point.directions(), point.cotangents()
    for key, direction in directions.items():
        along = point.tangent("reference", only=key)
        forward = [array * cotangents[of] for of, array in along.items()]
        backward = direction * gradients[key]
        size = sum(np.abs(terms).sum() for terms in (*forward, backward))
        # sums of terms that are themselves some hundred roundings long
        assert abs(sum(terms.sum() for terms in forward) - backward.sum()) <= 1000 * EPS * size, key


@every_system
def test_tangent_is_the_limit_of_differences(name):
    """Sixth-order central differences; the step is so short that no unit crosses its kink on the way."""
    point, step = case(name), 1e-5
    weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    terms = [
        {key: w * (a - point.values("reference", -k * step)[key]) / step for key, a in ahead.items()}
        for k, w in weights.items()
        for ahead in [point.values("reference", k * step)]
    ]
    slopes = {key: sum(term[key] for term in terms) for key in terms[0]}
    assert_alike(point.tangent("reference"), slopes, rtol=1e-6, atol=1e-7)


@every_system
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_run_without_a_tape_and_one_in_two_parts_give_the_same(name, backend):
    point = case(name)
    run, light = point.run(backend), point.run(backend, keep=False)
    np.testing.assert_array_equal(light.y, run.y)
    assert_alike(light.state, run.state, rtol=0, atol=0)
    if not point.model.causal:
        return
    model, cut, every = point.model, TIMES // 2, point.model.readout == "all"
    first = model.forward(point.params, point.x[:cut], point.state, backend=backend)
    second = model.forward(point.params, point.x[cut:], first.state, buffers=first.buffers, backend=backend)
    np.testing.assert_allclose(np.concatenate([first.y, second.y]) if every else second.y, run.y, **ALIKE)
    assert_alike(second.state, run.state)


@every_system
def test_gradients_are_the_same_a_step_at_a_time(name, monkeypatch):
    """Backward takes time in blocks; here each is a single step."""
    point = case(name)
    whole = point.gradients("reference")
    monkeypatch.setattr(time_blocks, "GRADIENT_BYTES", 1)
    assert_alike(point.gradients("reference"), whole)


def test_an_lstm_projected_to_a_single_entry():
    model, rng = er.LSTM(2, 3, 4, projection_size=1), np.random.default_rng(0)
    params = {key: rng.standard_normal(shape) for key, shape in model.shapes.items()}
    x, dy = rng.standard_normal((4, 5, 2)), rng.standard_normal((4, 5, 4))
    found = {}
    for backend in ("reference", "cpu"):
        run, tangent = (
            model.forward(params, x, backend=backend),
            model.tangent(params, x, params, dx=x, backend=backend),
        )
        found[backend] = {"y": run.y, "tangent": tangent.y, **model.backward(run, dy).params}
    assert_alike(found["cpu"], found["reference"])


@pytest.mark.parametrize("name", ["bidirectional", "bidirectional-last"])
def test_a_bidirectional_model_joins_what_its_parts_make_of_the_sequence_and_of_its_reverse(name):
    point = case(name)
    model, x = SYSTEMS[name], point.x
    found = {}
    for key, ordered in (("forward", x), ("backward", x[::-1])):
        params, state = taken(point.params, key), taken(point.state, key)
        found[key] = model.parts[key].forward(params, ordered, state, backend="reference")
    last = model.readout == "last"
    ahead, back = found["forward"].y, found["backward"].y
    features = np.concatenate([ahead[-1:], back[-1:]] if last else [ahead, back[::-1]], axis=2)
    if model.output_size is not None:
        features = features @ point.params["readout"].T + point.params["readout_bias"]
    expected = {"y": features[0] if last else features, **joined({key: run.state for key, run in found.items()})}
    assert_alike(point.values("reference"), expected)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", ["bidirectional", "stacked"])
def test_a_run_of_parts_tells_of_one_without_a_derivative(kind, first):
    other, tied = er.RNN(4, 4), er.ENRNN(4, 0, 4, on_degenerate="proceed")
    parts = [tied, other] if first else [other, tied]
    model = er.Stacked(parts) if kind == "stacked" else er.Bidirectional(*parts)
    params, x = model.init(0), np.ones((3, 5, 4))
    assert model.forward(params, x, backend="reference").degeneracy is None
    (key,) = (key for key in params if key.endswith(".short"))
    run = model.forward(params | {key: np.eye(4)}, x, backend="reference")
    assert run.degeneracy is not None
    assert run.degeneracy.kind == "tied"


def test_a_stacked_model_is_causal_where_all_its_parts_are():
    ahead, both = er.RNN(4, 4), er.Bidirectional(er.RNN(4, 2), er.RNN(4, 2))
    for layers, causal in (([ahead, ahead], True), ([ahead, both], False), ([both, ahead], False)):
        assert er.Stacked(layers).causal is causal


@pytest.mark.parametrize("name", ["gated", "scurnn", "complex-scheduled"])
def test_a_direction_of_the_state_goes_before_that_of_the_trained_one(name):
    """In a run that is given no state, as in one that is given the trained one."""
    point = case(name)
    output, trained = next(iter(point.state)), np.tile(point.params["initial_state"], (len(point.x[0]), 1))
    state = {key: trained if key == output else 0 * array for key, array in point.state.items()}
    options = {"dx": point.dx, "dstate": {output: point.dstate[output]}, "backend": "reference"}
    found = point.model.tangent(point.params, point.x, point.dparams, **options)
    expected = point.model.tangent(point.params, point.x, point.dparams, state=state, **options)
    assert_alike({"y": found.y, **found.state}, {"y": expected.y, **expected.state})


class TestPartsOfAStackedModel:
    PARTS = (er.ENRNN(2, 3, 4, normalize="switch"), er.ExpRNN(7, 4, rebase_every=1))
    MODEL = er.Stacked(list(PARTS))

    def point(self):
        params = {key: 0.3 * np.random.default_rng(0).standard_normal(a) for key, a in self.MODEL.shapes.items()}
        return params, self.MODEL.forward(params, np.ones((4, 5, 2)), backend="reference").buffers

    def test_a_stacked_model_takes_longdouble_where_all_its_parts_do(self):
        narrow, wide = er.ScoRNN(3, 3), er.RNN(3, 3)
        for layers, longdouble in (([wide, wide], True), ([wide, narrow], False), ([narrow, narrow], False)):
            assert er.Stacked(layers).longdouble is longdouble

    def test_recurrences_of_a_stacked_model_come_with_their_own_arrays(self):
        params, buffers = self.point()
        for given in (buffers, None):
            found = list(self.MODEL.recurrences(params, given))
            for k, (part, (prefix, recurrence, own, own_buffers)) in enumerate(zip(self.PARTS, found, strict=True)):
                assert (prefix, recurrence) == (f"{k}.", part)
                assert own == taken(params, str(k))
                assert own_buffers == (None if given is None else taken(buffers, str(k)))

    def test_an_update_of_a_stacked_model_is_that_of_its_parts(self):
        params, buffers = self.point()
        moved, after = self.MODEL.after_update(params, buffers)
        assert (moved.keys(), after.keys()) == (params.keys(), buffers.keys())
        for k, part in enumerate(self.PARTS):
            expected = part.after_update(taken(params, str(k)), taken(buffers, str(k)))
            for found, arrays in zip((moved, after), expected, strict=True):
                assert_alike(taken(found, str(k)), arrays, rtol=0, atol=0)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 10, 11])
def test_signs_of_a_scornn_and_of_the_long_units_of_an_enrnn(size):
    """Half of them are negative, and 0.3 of them."""
    for model, default in ((er.ScoRNN(2, size), size // 2), (er.ENRNN(2, size, 3), round(0.3 * size))):
        signs = getattr(model.parametrization, "long", model.parametrization).signs
        assert model.negative_ones == np.count_nonzero(signs == -1) == default
    for model in (er.ScoRNN(2, size, negative_ones=1), er.ENRNN(2, size, 3, negative_ones=1)):
        assert model.negative_ones == 1


def test_an_nnrnn_has_at_least_two_units():
    assert er.NnRNN(2, 2).hidden_size == 2
    for size in (0, 1):
        with pytest.raises(er.errors.OptionError, match="at least 2"):
            er.NnRNN(2, size)
