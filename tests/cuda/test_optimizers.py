"""Optimisers of parameters on the device: what the host's give, and a number at most crosses."""

import math

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends
from enrnn_ref.backends.cuda import arrays, norm, sums
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.crossing import Later
from enrnn_ref.backends.cuda.target import CudaAPIError
from enrnn_ref.optimizers import SGD, Adam, Groups, RMSprop, clip_by_global_norm
from tests.cuda.test_placement import Foreign, foreign
from tests.test_optimizers import RULES, many_gradients, problem

EPS = np.finfo(np.float64).eps
OPTIMIZERS = {**RULES, "groups": Groups({"short": Adam(3e-3)}, RMSprop(1e-2, flavour="torch"))}
STEPS = 3
ROUNDINGS = 20  # of one step: some ten operations, where a device may leave out the rounding of a product


def there(named):
    return {key: foreign(array) if array.dtype.kind == "f" else array for key, array in named.items()}


def here(named):
    for key, array in named.items():
        assert isinstance(array, np.ndarray if key.endswith(".step") else DeviceArray), key
    return {key: array if isinstance(array, np.ndarray) else array.copy_to_host() for key, array in named.items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_rule_is_that_of_the_host(name, dtype):
    optimizer = OPTIMIZERS[name]
    params = {**problem(dtype=dtype), "scalar": np.array(0.3, dtype), "nothing": np.zeros((0, 3), dtype)}
    state, params_there = optimizer.init(params), there(params)
    state_there = optimizer.init(params_there)
    for drawn in many_gradients(STEPS, dtype=dtype):
        grads = {**drawn, "scalar": np.array(-0.2, dtype), "nothing": np.zeros((0, 3), dtype)}
        before = params
        params, state = optimizer.step(params, grads, state)
        params_there, state_there = optimizer.step(params_there, there(grads), state_there)
        for key, array in here(params_there).items():
            assert array.dtype == dtype
            scale = np.abs(before[key]) + np.abs(params[key] - before[key])
            assert (np.abs(array - params[key]) <= ROUNDINGS * STEPS * np.finfo(dtype).eps * scale).all(), key
        assert here(state_there).keys() == state.keys()
        for key, array in here(state_there).items():
            assert array.dtype == state[key].dtype
            np.testing.assert_allclose(array, state[key], rtol=ROUNDINGS * STEPS * np.finfo(dtype).eps, err_msg=key)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_same_bits_every_time_and_nothing_lent_is_changed(name):
    optimizer, params, grads = OPTIMIZERS[name], there(problem()), there(many_gradients(1)[0])
    state = optimizer.init(params)
    lent = {"p": params, "g": grads, "s": {k: a for k, a in state.items() if not k.endswith(".step")}}
    before = {part: {key: copied(array) for key, array in named.items()} for part, named in lent.items()}
    first, second = (optimizer.step(params, grads, state) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        for key, array in here(one).items():
            np.testing.assert_array_equal(array, here(other)[key])
    for part, named in lent.items():
        for key, array in named.items():
            np.testing.assert_array_equal(copied(array), before[part][key])


def copied(array):
    return array.data.copy_to_host().copy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_clipping_is_that_of_the_host(limit, dtype):
    grads = {**many_gradients(1, dtype=dtype)[0], "zero": np.zeros(3, dtype), "nothing": np.zeros((0, 2), dtype)}
    expected, expected_norm = clip_by_global_norm(grads, limit)
    found, norm = clip_by_global_norm(there(grads), limit)
    assert isinstance(norm, float)
    assert norm == pytest.approx(expected_norm, rel=20 * EPS, abs=0)
    assert (norm > limit) == (limit == 1e-3)
    for key, array in here(found).items():
        assert array.dtype == dtype
        np.testing.assert_allclose(array, expected[key], rtol=4 * np.finfo(dtype).eps, err_msg=key)


@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_clipping_of_more_arrays_than_share_a_launch(limit):
    rng = np.random.default_rng(0)
    grads = {f"g{k}": rng.standard_normal((k % 4, 1 + k % 3)).astype(np.float32) for k in range(3 * norm.TOGETHER)}
    expected, expected_norm = clip_by_global_norm(grads, limit)
    found, found_norm = clip_by_global_norm(there(grads), limit)
    assert found_norm == pytest.approx(expected_norm, rel=1e3 * EPS, abs=0)
    for key, array in here(found).items():
        np.testing.assert_allclose(array, expected[key], rtol=4 * np.finfo(np.float32).eps, err_msg=key)


@pytest.mark.parametrize("size", [1e-200, 1e-310, 1e200, 1e308])
def test_a_norm_survives_entries_whose_squares_do_not(size):
    entries = size * np.array([0.3, -0.4, 0.0, 0.0, 1.2])
    for order in (slice(None), slice(None, None, -1)):
        _, norm = clip_by_global_norm({"a": foreign(entries[order].copy()), "b": foreign(np.zeros(1))}, 1e308)
        # Below the smallest normal number the entries themselves are rounded.
        assert norm == pytest.approx(1.3 * size, rel=20 * EPS + 1e-322 / size, abs=0)


def test_a_norm_is_added_up_in_double_precision():
    """Single precision would lose what stands beside the one large entry."""
    entries = np.full(4 * sums.BLOCKS * sums.THREADS + 1, 1.0, np.float32)
    entries[0] = 2.0**13
    _, norm = clip_by_global_norm({"a": foreign(entries)}, 1e9)
    assert norm == pytest.approx(math.sqrt(2.0**26 + len(entries) - 1), rel=20 * EPS, abs=0)


def test_a_norm_of_nothing_is_zero():
    for entries in (np.zeros(3), np.zeros((0, 2))):
        assert clip_by_global_norm({"a": foreign(entries)}, 1.0)[1] == 0.0


@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_is_the_error_of_the_host(bad, place):
    entries = np.linspace(-3.0, 3.0, 7)
    entries[place] = bad
    grads = {"a": np.ones(2), "b": entries}
    with pytest.raises(er.errors.NotFiniteError) as expected:
        clip_by_global_norm(grads, 1.0)
    with pytest.raises(er.errors.NotFiniteError) as found:
        clip_by_global_norm(there(grads), 1.0)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("broken", ["params", "grads", "state", "update"])
@pytest.mark.parametrize("name", RULES)
def test_a_step_that_leaves_the_range_is_the_error_of_the_host(name, broken):
    rule, params, grads = RULES[name], problem(dtype=np.float32), many_gradients(1, dtype=np.float32)[0]
    state = rule.init(params)
    if broken == "state" and not any(array.dtype.kind == "f" for array in state.values()):
        state = None
    named = {"params": params, "grads": grads, "state": state, "update": grads}[broken]
    if named is None:
        return  # a rule that remembers nothing
    key = next(key for key in named if key.startswith("short") and not key.endswith(".step"))
    named[key][1, 2] = np.inf
    if broken == "update":
        params["short"][1, 2] = np.float32(-3e38)
        named[key][1, 2] = 3e38
        rule = er.optimizers.from_config(rule.to_config() | {"lr": 1e3})
    with pytest.raises(er.errors.NotFiniteError) as expected:
        rule.step(params, grads, state)
    with pytest.raises(er.errors.NotFiniteError) as found:
        rule.step(there(params), there(grads), there(state))
    assert str(found.value) == str(expected.value)
    assert ("update of 'short'" if broken == "update" else f"{broken}['{key}']") in str(found.value)


def test_the_first_parameter_that_leaves_the_range_is_named():
    params = {key: np.full(3, -3e38, np.float32) for key in "abc"}
    grads = {key: np.full(3, large, np.float32) for key, large in zip("abc", (0.0, 1e38, 3e38), strict=True)}
    with pytest.raises(er.errors.NotFiniteError, match=r"the update of 'b' .* reaches 1e\+38"):
        SGD(10.0).step(there(params), there(grads), {})


def test_more_parameters_than_one_launch_is_handed():
    """Of all sizes, none among them; neighbours that share a rule are taken together, the others not."""
    rng = np.random.default_rng(5)
    params = {f"p{k}": rng.standard_normal((k % 5, 1 + k % 3)) for k in range(23)}
    grads = {key: rng.standard_normal(array.shape) for key, array in params.items()}
    optimizer = Groups({"p3": Adam(0.3), "p21": SGD(0.1)}, Adam(1e-2))  # p3 has the function of p2 with other numbers
    state = optimizer.init(params)
    expected, _ = optimizer.step(params, grads, state)
    found, _ = optimizer.step(there(params), there(grads), there(state))
    assert list(found) == list(expected)
    for key, array in expected.items():
        np.testing.assert_allclose(found[key].copy_to_host(), array, rtol=20 * EPS, strict=True)
    for key in ("p12", "p13", "p22"):  # the last of a launch, the first of the next, the last of all
        broken = {**grads, key: np.full_like(grads[key], 1e308)}
        with pytest.raises(er.errors.NotFiniteError, match=f"the update of '{key}'"):
            optimizer.step(there(params), there(broken), there(state))


MIXED = {
    "grads": lambda p, g, s: (there(p), {**there(g), "bias": g["bias"]}, there(s)),
    "state": lambda p, g, s: (there(p), there(g), {**there(s), "bias.mean": s["bias.mean"]}),
    "params": lambda p, g, s: ({**there(p), "bias": p["bias"]}, there(g), there(s)),
}


@pytest.mark.parametrize("mixed", MIXED)
def test_arrays_of_two_sides_are_refused_by_name(mixed):
    params, grads, optimizer = problem(), many_gradients(1)[0], Adam(1e-3)
    state = optimizer.init(params)
    key = "bias.mean" if mixed == "state" else "bias"
    with pytest.raises(er.errors.PlacementError, match=rf"^{mixed}\['{key}'\] .* on the host; expected .* the device"):
        optimizer.step(*MIXED[mixed](params, grads, state))
    others = {"params": params, "grads": grads, "state": state}
    others[mixed] = {**others[mixed], key: foreign(others[mixed][key])}
    with pytest.raises(er.errors.PlacementError, match=rf"^{mixed}\['{key}'\] .* CUDA device; expected .* on the host"):
        optimizer.step(**others)
    if mixed == "params":
        with pytest.raises(er.errors.PlacementError, match=r"^params\['bias'\]"):
            optimizer.init({**there(params), "bias": params["bias"]})
    if mixed == "grads":
        with pytest.raises(er.errors.PlacementError, match=r"^grads\['bias'\]"):
            clip_by_global_norm({**there(grads), "bias": grads["bias"]}, 1.0)


def test_a_count_of_steps_is_the_host_s():
    params, optimizer = there(problem()), Adam(1e-3)
    state = {**optimizer.init(params), "bias.step": foreign(np.zeros(()))}
    with pytest.raises(er.errors.PlacementError, match=r"^state\['bias.step'\] .* expected a count of steps"):
        optimizer.step(params, there(many_gradients(1)[0]), state)


def test_what_does_not_fit_is_refused_by_name():
    params, grads = there(problem()), there(many_gradients(1)[0])
    state = RMSprop(0.1).init(params)
    with pytest.raises(er.errors.ShapeError, match=r"grads\['bias'\] has shape \(4,\)"):
        RMSprop(0.1).step(params, {**grads, "bias": foreign(np.zeros(4))}, state)
    with pytest.raises(er.errors.DtypeError, match=r"grads\['bias'\] has dtype float32"):
        RMSprop(0.1).step(params, {**grads, "bias": foreign(np.zeros(5, np.float32))}, state)
    with pytest.raises(er.errors.ShapeError, match=r"state\['bias.mean_square'\] has shape"):
        RMSprop(0.1).step(params, grads, {**state, "bias.mean_square": foreign(np.zeros(4))})


def test_entries_that_do_not_follow_each_other_are_taken_too():
    params, grads = problem(), many_gradients(1)[0]
    state = RMSprop(0.1).init(params)
    wide = np.zeros((3, 6))
    wide[:, 1:5] = grads["short"]
    part = DeviceArray(arrays.to_device(wide))[:, 1:5]
    expected, _ = RMSprop(0.1).step(params, grads, state)
    for lent in (part, Foreign(part.data)):
        found, _ = RMSprop(0.1).step(there(params), {**there(grads), "short": lent}, there(state))
        np.testing.assert_allclose(found["short"].copy_to_host(), expected["short"], rtol=20 * EPS)


@pytest.mark.parametrize("clipped", [False, True])
def test_numbers_for_the_norm_and_one_for_each_parameter_cross(clipped, monkeypatch):
    """Whether entries are broken is noted once for a parameter, and fetched only by who asks for it."""
    optimizer, params, grads = (
        Groups({"skew": Adam(1e-3)}, RMSprop(1e-3)),
        there(problem()),
        there(many_gradients(1)[0]),
    )
    state, fetched = optimizer.init(params), []
    read = Later.read

    def unexpected(array):
        raise AssertionError(f"{array!r} crosses")

    monkeypatch.setattr(arrays, "to_device", unexpected)
    monkeypatch.setattr(DeviceArray, "copy_to_host", unexpected)
    monkeypatch.setattr(Later, "read", lambda later: fetched.append(later._numbers.size) or read(later))
    grads, norm = clip_by_global_norm(grads, 1e-3 if clipped else 1e9)
    assert (norm > 1e-3) is True
    assert fetched == [1]
    optimizer.step(params, grads, state)
    assert fetched == [1, len(params)]


def test_a_full_array():
    engine = backends.get("cuda")
    for shape in ((), (3,), (2, 0), (2, 3, 2)):
        for dtype in (np.float32, np.float64):
            found = engine.full(shape, 0.1, dtype)
            assert found.dtype == dtype
            np.testing.assert_array_equal(found.copy_to_host(), np.full(shape, 0.1, dtype))


def test_what_the_driver_reports_is_one_error(monkeypatch):
    params, grads = there(problem()), there(many_gradients(1)[0])
    state = RMSprop(0.1).init(params)

    def failing(*arguments):
        raise CudaAPIError(2, "CUDA_ERROR_OUT_OF_MEMORY")

    monkeypatch.setattr(arrays, "zeros", failing)
    for call in (lambda: clip_by_global_norm(grads, 1.0), lambda: RMSprop(0.1).step(params, grads, state)):
        with pytest.raises(er.errors.DeviceError, match="OUT_OF_MEMORY"):
            call()
