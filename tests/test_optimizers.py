"""Optimiser rules: against the formulas of the two releases, number by number, and the laws of elementwise rules."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from enrnn_ref import optimizers
from enrnn_ref.backends import entrywise
from enrnn_ref.errors import (
    ConfigError,
    DtypeError,
    NotFiniteError,
    OptionError,
    ParameterError,
    ShapeError,
)
from enrnn_ref.optimizers import SGD, Adagrad, Adam, Groups, RMSprop, clip_by_global_norm

EPS = np.finfo(np.float64).eps
SHAPES = {"skew": (6,), "short": (3, 4), "bias": (5,)}

RULES = {
    "sgd": SGD(0.05),
    "sgd momentum": SGD(0.05, momentum=0.8),
    "sgd nesterov": SGD(0.05, momentum=0.8, nesterov=True),
    "rmsprop tf1": RMSprop(0.01),
    "rmsprop torch": RMSprop(0.01, flavour="torch"),
    "rmsprop settings": RMSprop(0.02, decay=0.5, epsilon=1e-3, flavour="tf1"),
    "adam tf1": Adam(0.01, flavour="tf1"),
    "adam torch": Adam(0.01, flavour="torch"),
    "adam settings": Adam(0.01, betas=(0.5, 0.7), epsilon=1e-2, flavour="torch"),
    "adagrad tf1": Adagrad(0.1),
    "adagrad torch": Adagrad(0.1, flavour="torch"),
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


# One number at a time, in Python floats, written from the releases' formulas. Each generator is sent gradients and
# yields the change of the parameter.


def sgd_tf1(lr, momentum, nesterov):
    """tf.train.MomentumOptimizer: accum = momentum accum + g; var -= lr accum, or lr g + lr momentum accum."""
    accum, change = 0.0, None
    while True:
        g = yield change
        accum = momentum * accum + g
        change = -(g * lr + accum * momentum * lr) if nesterov else -lr * accum


def sgd_torch(lr, momentum, nesterov):
    """torch.optim.SGD: the buffer is the gradient at first."""
    buffer, change = None, None
    while True:
        g = yield change
        buffer = g if buffer is None else momentum * buffer + g
        change = -lr * (g + momentum * buffer if nesterov else buffer)


def rmsprop_tf1(lr, decay=0.9, epsilon=1e-10):
    ms, change = 1.0, None
    while True:
        g = yield change
        ms = ms + (g * g - ms) * (1 - decay)
        change = -lr * g / math.sqrt(ms + epsilon)


def rmsprop_torch(lr, alpha=0.99, eps=1e-8):
    v, change = 0.0, None
    while True:
        g = yield change
        v = alpha * v + (1 - alpha) * g * g
        change = -lr * g / (math.sqrt(v) + eps)


def adam_tf1(lr, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m, v, change, beta1_power, beta2_power = 0.0, 0.0, None, beta1, beta2
    while True:
        g = yield change
        m = m + (g - m) * (1 - beta1)
        v = v + (g * g - v) * (1 - beta2)
        change = -lr * math.sqrt(1 - beta2_power) / (1 - beta1_power) * m / (math.sqrt(v) + epsilon)
        beta1_power, beta2_power = beta1_power * beta1, beta2_power * beta2


def adam_torch(lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v, t, change = 0.0, 0.0, 0, None
    while True:
        g = yield change
        t += 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        change = -lr * m_hat / (math.sqrt(v_hat) + eps)


def adagrad_tf1(lr):
    accum, change = 0.1, None
    while True:
        g = yield change
        accum += g * g
        change = -lr * g / math.sqrt(accum)


def adagrad_torch(lr, eps=1e-10):
    total, change = 0.0, None
    while True:
        g = yield change
        total += g * g
        change = -lr * g / (math.sqrt(total) + eps)


ORACLES = {
    "sgd": lambda: sgd_tf1(0.05, 0.0, False),
    "sgd momentum": lambda: sgd_tf1(0.05, 0.8, False),
    "sgd nesterov": lambda: sgd_tf1(0.05, 0.8, True),
    "rmsprop tf1": lambda: rmsprop_tf1(0.01),
    "rmsprop torch": lambda: rmsprop_torch(0.01),
    "rmsprop settings": lambda: rmsprop_tf1(0.02, 0.5, 1e-3),
    "adam tf1": lambda: adam_tf1(0.01),
    "adam torch": lambda: adam_torch(0.01),
    "adam settings": lambda: adam_torch(0.01, 0.5, 0.7, 1e-2),
    "adagrad tf1": lambda: adagrad_tf1(0.1),
    "adagrad torch": lambda: adagrad_torch(0.1),
}


def gradients(steps, shape=(), seed=0):
    """Gradients of very different sizes, exact zeros among them: where the epsilons and starting values show."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.integers(-9, 2, (steps, *shape))
    return rng.normal(size=(steps, *shape)) * size * (rng.uniform(size=(steps, *shape)) < 0.9)


def problem(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


def many_gradients(steps, seed=1, dtype=np.float64):
    return [
        {name: g.astype(dtype) for name, g in zip(SHAPES, row, strict=True)}
        for row in zip(*(gradients(steps, shape, seed + k) for k, shape in enumerate(SHAPES.values())), strict=True)
    ]


def run(optimizer, params, sequence, state=None):
    state = optimizer.init(params) if state is None else state
    for grads in sequence:
        params, state = optimizer.step(params, grads, state)
    return params, state


def assert_same(first, second):
    assert list(first) == list(second)
    for key, array in first.items():
        assert array.dtype == second[key].dtype
        np.testing.assert_array_equal(array, second[key], err_msg=key)


# -------------------------------------------------------------------------------------------- the releases' formulas


def assert_follows(optimizer, oracle, steps=40):
    """The parameter's way over many steps equals the sum of the oracle's changes."""
    next(oracle)
    params, expected, travelled = {"w": np.zeros(1)}, 0.0, 0.0
    state = optimizer.init(params)
    for g in gradients(steps):
        change = oracle.send(float(g))
        expected, travelled = expected + change, travelled + abs(change)
        params, state = optimizer.step(params, {"w": np.array([g])}, state)
        # Each step rounds some ten operations, and t of them have accumulated in the averages.
        assert params["w"][0] == pytest.approx(expected, rel=0, abs=10 * steps * EPS * travelled)
    assert travelled > 0


@pytest.mark.parametrize("name", RULES)
def test_a_rule_follows_the_release_it_names(name):
    assert_follows(RULES[name], ORACLES[name]())


@pytest.mark.parametrize("nesterov", [False, True])
def test_both_releases_agree_on_momentum(nesterov):
    assert_follows(SGD(0.05, momentum=0.8, nesterov=nesterov), sgd_torch(0.05, 0.8, nesterov))


FIRST_STEPS = [
    (RMSprop(0.1), lambda g: 0.1 * g / math.sqrt(0.9 + 0.1 * g**2 + 1e-10)),
    (RMSprop(0.1, flavour="torch"), lambda g: 0.1 * g / (0.1 * abs(g) + 1e-8)),
    (Adagrad(0.1), lambda g: 0.1 * g / math.sqrt(0.1 + g**2)),
    (Adagrad(0.1, flavour="torch"), lambda g: 0.1 * g / (abs(g) + 1e-10)),
    (Adam(0.1, flavour="tf1"), lambda g: 0.1 * g / (abs(g) + 1e-8 / math.sqrt(0.001))),
    (Adam(0.1, flavour="torch"), lambda g: 0.1 * g / (abs(g) + 1e-8)),
    (SGD(0.1, momentum=0.5), lambda g: 0.1 * g),
    (SGD(0.1, momentum=0.5, nesterov=True), lambda g: 0.15 * g),
]


@pytest.mark.parametrize(("rule", "by_hand"), FIRST_STEPS, ids=[repr(rule) for rule, _ in FIRST_STEPS])
@pytest.mark.parametrize("g", [3.0, 1e-4, -1e-8])
def test_the_first_step_by_hand(rule, by_hand, g):
    params = {"w": np.zeros(2)}
    moved, _ = rule.step(params, {"w": np.array([g, 0.0])}, rule.init(params))
    # Adam's corrections 1 − 0.999 and 1 − 0.9 cancel the leading digits: 1000 ulps.
    np.testing.assert_allclose(moved["w"], [-by_hand(g), 0.0], rtol=1e3 * EPS)


def test_a_small_gradient_tells_the_releases_apart():
    # Proportional to the gradient in TensorFlow, of the same size for all gradients in PyTorch.
    params = {"w": np.zeros(2)}
    small = {"w": np.array([1e-3, 1e-4])}
    tf1, torch = (
        rule.step(params, small, rule.init(params))[0]["w"]
        for rule in (RMSprop(1.0, flavour="tf1"), RMSprop(1.0, flavour="torch"))
    )
    assert tf1[0] / tf1[1] == pytest.approx(10, rel=1e-6)
    assert torch[0] / torch[1] == pytest.approx(1, rel=1e-2)


# ------------------------------------------------------------------------------------------- laws of elementwise rules


@every_rule
@given(seed=st.integers(0, 99))
def test_permuting_the_entries_permutes_the_trajectory(rule, seed):
    order = np.random.default_rng(seed).permutation(12)
    params, sequence = problem(seed), many_gradients(4, seed)

    def permuted(arrays):
        return arrays | {"short": arrays["short"].ravel()[order].reshape(3, 4)}

    plain, _ = run(rule, params, sequence)
    other, _ = run(rule, permuted(params), [permuted(grads) for grads in sequence])
    assert_same(other, permuted(plain))


@every_rule
def test_transposing_a_matrix_transposes_its_trajectory(rule):
    def transposed(arrays):
        return arrays | {"short": arrays["short"].T}

    params, sequence = problem(), many_gradients(4)
    other, _ = run(rule, transposed(params), [transposed(grads) for grads in sequence])
    assert_same(other, transposed(run(rule, params, sequence)[0]))


@every_rule
def test_changing_every_sign_mirrors_the_trajectory(rule):
    # Together with the law above: a skew matrix updated entry by entry stays skew, and so do the two row layouts.
    def mirrored(arrays):
        return {name: -array for name, array in arrays.items()}

    params, sequence = problem(), many_gradients(4)
    other, _ = run(rule, mirrored(params), [mirrored(grads) for grads in sequence])
    assert_same(other, mirrored(run(rule, params, sequence)[0]))


@every_rule
def test_an_entry_depends_on_its_own_gradients_only(rule):
    params, sequence = problem(), many_gradients(4)
    disturbed = [grads | {"short": grads["short"].copy(), "bias": grads["bias"] + 1} for grads in sequence]
    for grads in disturbed:
        grads["short"][1, 2] += 1.0
    plain, other = run(rule, params, sequence)[0], run(rule, params, disturbed)[0]
    changed = other["short"] != plain["short"]
    assert changed[1, 2]
    assert np.count_nonzero(changed) == 1
    np.testing.assert_array_equal(other["skew"], plain["skew"])


@every_rule
def test_a_resumed_run_goes_on_bit_for_bit(rule):
    optimizer = Groups({"skew": RMSprop(1e-3)}, rule)
    params, sequence = problem(), many_gradients(9)
    whole = run(optimizer, params, sequence)
    middle_params, middle_state = run(optimizer, params, sequence[:4])
    # Through the bytes of a checkpoint, and by an optimiser rebuilt from its config.json.
    rebuilt = optimizers.from_config(json.loads(json.dumps(optimizer.to_config())))
    resumed = run(rebuilt, load(save(middle_params)), sequence[4:], load(save(middle_state)))
    for part, expected in zip(resumed, whole, strict=True):
        assert_same({key: part[key] for key in expected}, expected)


@every_rule
@pytest.mark.parametrize("writeable", [True, False])
def test_nothing_passed_in_is_modified_or_handed_on(rule, writeable):
    arguments = (problem(), many_gradients(2)[1], run(rule, problem(), many_gradients(1))[1])
    for arrays in arguments:
        for array in arrays.values():
            array.flags.writeable = writeable
    before = [{key: array.copy() for key, array in arrays.items()} for arrays in arguments]
    first, second = rule.step(*arguments), rule.step(*arguments)
    for arrays, copies in zip(arguments, before, strict=True):
        assert_same(arrays, copies)
    for result, again in zip(first, second, strict=True):
        assert_same(result, again)
        for array in result.values():
            assert array.flags.writeable
            assert array.flags.owndata  # a view begins anywhere, and the bits of a product may depend on that
            assert not any(np.shares_memory(array, old) for arrays in arguments for old in arrays.values())


@every_rule
def test_float32_stays_float32_and_follows_float64(rule):
    def widened(arrays):
        return {name: array.astype(np.float64) for name, array in arrays.items()}

    steps, params = 20, problem(dtype=np.float32)
    double, state, double_state = widened(params), rule.init(params), rule.init(widened(params))
    travelled = {name: np.abs(array) for name, array in double.items()}
    for grads in many_gradients(steps, dtype=np.float32):
        before = double
        params, state = rule.step(params, grads, state)
        double, double_state = rule.step(double, widened(grads), double_state)
        travelled = {name: travelled[name] + np.abs(double[name] - before[name]) for name in double}
    for key, array in state.items():
        assert array.dtype == (np.int64 if key.endswith(".step") else np.float32)
    for name, array in params.items():
        assert array.dtype == np.float32
        # The same numbers went into both; each step rounds some ten operations.
        bound = 10 * steps * np.finfo(np.float32).eps * travelled[name]
        assert (np.abs(array - double[name]) <= bound).all()


@every_rule
def test_a_learning_rate_of_zero_freezes(rule):
    frozen = optimizers.from_config(rule.to_config() | {"lr": 0.0})
    assert_same(run(frozen, problem(), many_gradients(3))[0], problem())


@every_rule
def test_descent_reaches_the_minimum_of_a_parabola(rule):
    params = {"w": np.array([1.0, -2.0, 0.5])}
    state = rule.init(params)
    for _ in range(3000):
        params, state = rule.step(params, {"w": params["w"] * np.array([1.0, 3.0, 0.3])}, state)
    # RMSprop and Adam end in a cycle whose size is their learning rate.
    assert np.abs(params["w"]).max() < 0.03


@every_rule
def test_arrays_without_axes_and_without_entries_are_parameters_too(rule):
    params = {"scalar": np.array(2.0), "nothing": np.zeros((0, 3))}
    new, state = run(rule, params, [{"scalar": np.array(0.5), "nothing": np.zeros((0, 3))}] * 2)
    assert new["scalar"].shape == ()
    assert new["nothing"].shape == (0, 3)
    assert all(isinstance(array, np.ndarray) for array in [*new.values(), *state.values()])


# --------------------------------------------------------------------------------------------------------- groups


@every_rule
def test_groups_are_their_rules_side_by_side(rule):
    own = Adam(3e-3)
    params, sequence = problem(), many_gradients(5)
    together, state = run(Groups({"short": own}, rule), params, sequence)

    def part(names):
        return {n: params[n] for n in names}, [{n: grads[n] for n in names} for grads in sequence]

    own_params, own_state = run(own, *part(["short"]))
    rest_params, rest_state = run(rule, *part(["skew", "bias"]))
    assert_same(together, {name: (own_params | rest_params)[name] for name in params})
    assert len(own_state) + len(rest_state) == len(state)  # no key is shared
    assert_same(state, {key: (own_state | rest_state)[key] for key in state})


def test_a_group_of_an_unknown_parameter_is_refused():
    optimizer = Groups({"skew": SGD(0.1), "skwe": SGD(0.1)}, SGD(0.1))
    with pytest.raises(ParameterError, match=r"\['skwe'\].*'bias'"):
        optimizer.init(problem())


# --------------------------------------------------------------------------------------------------------- config


@pytest.mark.parametrize(
    "optimizer", [*RULES.values(), Groups({"skew": RMSprop(1e-5), "bias": SGD(0.1)}, Adam(1e-3))], ids=repr
)
def test_a_config_survives_json_and_is_what_it_was(optimizer):
    config = json.loads(json.dumps(optimizer.to_config()))
    assert config == optimizer.to_config()
    rebuilt = optimizers.from_config(config)
    assert type(rebuilt) is type(optimizer)
    assert rebuilt == optimizer


def test_settings_that_differ_are_not_equal():
    different = [*RULES.values(), SGD(0.06), Groups({}, SGD(0.05)), Groups({"skew": SGD(0.05)}, SGD(0.05))]
    assert not any(a == b for i, a in enumerate(different) for b in different[:i])


def test_a_config_may_leave_out_what_has_a_default():
    assert optimizers.from_config({"rule": "rmsprop", "lr": 0.01}) == RMSprop(0.01)
    assert optimizers.from_config({"rule": "rmsprop", "lr": 0.01, "flavour": "torch"}) == RMSprop(0.01, flavour="torch")


BAD_CONFIGS = [
    ("sgd", "is a str; expected a JSON object"),
    ({"lr": 0.1}, "'rule' is None; expected one of"),
    ({"rule": "sdg", "lr": 0.1}, "'rule' is 'sdg'; expected one of"),
    ({"rule": ["sgd"], "lr": 0.1}, "expected one of"),
    ({"rule": "sgd", "lr": 0.1, "decay": 0.5}, r"unknown: \['decay'\]"),
    ({"rule": "sgd"}, r"missing: \['lr'\]"),
    ({"rule": "adam", "lr": -1}, "refused: lr is -1"),
    ({"rule": "adam", "lr": 0.1, "betas": [0.9]}, "refused: betas is"),
    ({"rule": "groups", "groups": {}}, "expected 'rule', 'groups'"),
    ({"rule": "groups", "groups": [], "default": {"rule": "sgd", "lr": 0.1}}, "expected 'rule', 'groups'"),
    ({"rule": "groups", "groups": {"skew": 3}, "default": {"rule": "sgd", "lr": 0.1}}, "is a int"),
    ({"rule": "groups", "groups": {}, "default": {"rule": "groups"}}, "'rule' is 'groups'"),
]


@pytest.mark.parametrize(("config", "message"), BAD_CONFIGS)
def test_a_broken_config_is_named(config, message):
    with pytest.raises(ConfigError, match=message):
        optimizers.from_config(config)


BAD_SETTINGS = [
    (lambda: SGD(-0.1), "lr is -0.1"),
    (lambda: SGD(float("nan")), "lr is nan"),
    (lambda: SGD("0.1"), "lr is '0.1'"),
    (lambda: SGD(0.1, momentum=1.0), "momentum is 1.0"),
    (lambda: SGD(0.1, nesterov=True), "momentum is 0"),
    (lambda: SGD(0.1, momentum=0.5, nesterov="yes"), "nesterov is 'yes'"),
    (lambda: RMSprop(0.1, decay=1), "decay is 1"),
    (lambda: RMSprop(0.1, epsilon=0.0), "epsilon is 0"),
    (lambda: RMSprop(0.1, flavour="keras"), "flavour is 'keras'"),
    (lambda: Adam(0.1, betas=0.9), "betas is 0.9"),
    (lambda: Adam(0.1, betas=(0.9, 1.0)), r"betas\[1\] is 1.0"),
    (lambda: Adam(0.1, epsilon=-1e-8), "epsilon is -1e-08"),
    (lambda: Adagrad(0.1, flavour=None), "flavour is None"),
    (lambda: Groups([SGD(0.1)], SGD(0.1)), "groups is a list"),
    (lambda: Groups({}, 0.1), "default is a float"),
    (lambda: Groups({"skew": Groups({}, SGD(0.1))}, SGD(0.1)), r"groups\['skew'\] is a Groups"),
    (lambda: clip_by_global_norm({}, 0.0), "limit is 0"),
    (lambda: clip_by_global_norm({}, None), "limit is None"),
]


@pytest.mark.parametrize(("build", "message"), BAD_SETTINGS)
def test_a_setting_out_of_range_is_named(build, message):
    with pytest.raises(OptionError, match=message):
        build()


# ----------------------------------------------------------------------------------------------------- public door


PARAMS = {"skew": np.ones(3), "bias": np.ones((2, 1))}
STATE = RMSprop(0.1).init(PARAMS)
BAD_STEPS = [
    (([], PARAMS, STATE), ParameterError, "params is a list"),
    ((PARAMS, {"skew": np.ones(3)}, STATE), ParameterError, r"grads .*missing: \['bias'\]"),
    ((PARAMS, PARAMS | {"x": np.ones(1)}, STATE), ParameterError, r"grads .*unknown: \['x'\]"),
    ((PARAMS, PARAMS | {"bias": np.ones((1, 2))}, STATE), ShapeError, r"grads\['bias'\] has shape \(1, 2\)"),
    ((PARAMS, PARAMS | {"bias": np.ones((2, 1), np.float32)}, STATE), DtypeError, r"grads\['bias'\] has dtype float32"),
    ((PARAMS, PARAMS | {"skew": np.full(3, np.nan)}, STATE), NotFiniteError, r"grads\['skew'\] holds 3 NaN"),
    ((PARAMS | {"skew": np.arange(3)}, PARAMS, STATE), DtypeError, r"params\['skew'\] has dtype int64"),
    ((PARAMS, PARAMS, {}), ParameterError, r"state .*missing: \['skew.mean_square'"),
    ((PARAMS, PARAMS, Adam(0.1).init(PARAMS)), ParameterError, "unknown: .*skew.step"),
    ((PARAMS, PARAMS, STATE | {"skew.mean_square": np.ones(4)}), ShapeError, r"'skew.mean_square'.* has shape \(4,\)"),
    ((PARAMS, PARAMS, STATE | {"skew.mean_square": np.ones(3, np.float32)}), DtypeError, "has dtype float32"),
    ((PARAMS, PARAMS, STATE | {"skew.mean_square": np.full(3, np.inf)}), NotFiniteError, "'skew.mean_square'"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_STEPS)
def test_what_does_not_fit_together_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        RMSprop(0.1).step(*arguments)


@every_rule
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["params", "grads", "state"])
def test_what_is_not_finite_is_named_wherever_it_comes_in(rule, place, bad):
    """Inputs are not looked at one by one: no rule may lose what is not finite on the way to its results."""
    params, grads = problem(dtype=np.float32), many_gradients(1, dtype=np.float32)[0]
    _, state = run(rule, params, [grads])
    named = {"params": params, "grads": grads, "state": state}[place]
    for key in [key for key, array in named.items() if array.dtype.kind == "f" and key.startswith("short")]:
        broken = {key: array.copy() for key, array in named.items()}
        broken[key][2, 3] = bad
        arguments = {"params": params, "grads": grads, "state": state, place: broken}
        with pytest.raises(NotFiniteError, match=rf"^{place}\['{key}'\] holds 1 NaN .* index \(2, 3\)"):
            rule.step(**arguments)


def test_a_start_that_is_not_finite_is_named():
    with pytest.raises(NotFiniteError, match=r"^params\['bias'\] holds 1 NaN"):
        SGD(0.1).init({"skew": np.ones(3), "bias": np.array([1.0, np.inf])})


@every_rule
def test_joined_or_alone_an_entry_has_the_same_bits(rule, monkeypatch):
    """Small arrays go through a rule together."""
    params, sequence = problem(dtype=np.float32), many_gradients(3, dtype=np.float32)
    together = run(rule, params, sequence)
    monkeypatch.setattr(entrywise, "SMALL", 0)
    for part, alone in zip(together, run(rule, params, sequence), strict=True):
        assert_same(part, alone)


def test_a_gradient_whose_square_overflows_is_an_error_and_not_a_silent_zero_step():
    params = {key: np.ones(3, np.float32) for key in ("bias", "skew", "short")}
    grads = params | {"skew": np.array([1.0, -1e30, 2.0], np.float32)}
    with pytest.raises(NotFiniteError, match=r"update of 'skew' leaves the range of float32 .* reaches 1e\+30"):
        RMSprop(0.1).step(params, grads, RMSprop(0.1).init(params))


# -------------------------------------------------------------------------------------------------------- clipping


def norm_of(grads):
    return math.hypot(*(float(entry) for array in grads.values() for entry in array.flat))


@given(seed=st.integers(0, 99), size=st.integers(-150, 150), ratio=st.floats(0.01, 100), dtype=st.sampled_from("fd"))
def test_clipping_keeps_the_direction_and_bounds_the_norm(seed, size, ratio, dtype):
    size = 10.0 ** (size // 5 if dtype == "f" else size)
    grads = {name: (size * array).astype(dtype) for name, array in problem(seed).items()}
    before = {name: array.copy() for name, array in grads.items()}
    true_norm = norm_of(grads)
    limit = ratio * true_norm
    clipped, norm = clip_by_global_norm(grads, limit)
    assert_same(grads, before)
    assert norm == pytest.approx(true_norm, rel=20 * EPS, abs=0)
    if norm <= limit:
        assert_same(clipped, grads)
        return
    eps = float(np.finfo(dtype).eps)
    assert norm_of(clipped) == pytest.approx(limit, rel=4 * eps, abs=0)
    for name, array in clipped.items():
        assert array.dtype == grads[name].dtype
        np.testing.assert_allclose(array.astype(float), grads[name].astype(float) * (limit / norm), rtol=4 * eps)


def test_clipping_survives_gradients_whose_squares_do_not():
    huge = {"a": np.array([3e200, 0.0]), "b": np.array([[-4e200]])}
    clipped, norm = clip_by_global_norm(huge, 5.0)
    assert norm == pytest.approx(5e200, rel=4 * EPS, abs=0)
    np.testing.assert_allclose(clipped["b"], [[-4.0]], rtol=4 * EPS)


def test_an_array_without_axes_is_clipped_with_the_others():
    clipped, norm = clip_by_global_norm({"a": np.array(3.0), "b": np.array([4.0])}, 2.5)
    assert norm == 5.0
    assert_same(clipped, {"a": np.array(1.5), "b": np.array([2.0])})


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_named(bad, order):
    grads = dict([("a", np.ones(3)), ("b", np.array([1.0, bad, 9.0]))][::order])
    with pytest.raises(
        NotFiniteError, match=r"^grads\['b'\] holds 1 NaN or infinite value\(s\), the first at .*\(1,\)"
    ):
        clip_by_global_norm(grads, 1.0)


def test_clipping_nothing_changes_nothing():
    zero = {"a": np.zeros((2, 3), np.float32), "b": np.zeros(0, np.float32), "c": np.zeros((), np.float32)}
    clipped, norm = clip_by_global_norm(zero, 1.0)
    assert norm == 0.0
    assert_same(clipped, zero)
    assert clip_by_global_norm({}, 1.0) == ({}, 0.0)


@pytest.mark.parametrize("odd", ["short", "bias"])
def test_parameters_of_two_dtypes_are_refused(odd):
    mixed = {key: np.ones(shape, np.float64 if key == odd else np.float32) for key, shape in SHAPES.items()}
    rule = SGD(0.1)
    for call in (rule.init, lambda given: rule.step(given, given, {}), lambda given: clip_by_global_norm(given, 1.0)):
        with pytest.raises(DtypeError, match=rf"\['{odd}'\] has dtype float64 but its companions are float32"):
            call(mixed)


@every_rule
def test_only_adam_counts_its_steps(rule):
    state = rule.init({key: np.ones(shape) for key, shape in SHAPES.items()})
    assert {key.partition(".")[0] for key in state if key.endswith(".step")} == (
        set(SHAPES) if isinstance(rule, Adam) else set()
    )


@every_rule
def test_a_rule_says_how_many_results_an_entry_has(rule, monkeypatch):
    """Compiled code has no other way to know."""
    plain, told = entrywise.on_host, []

    def watched(tasks):
        found = plain(tasks)
        told.extend((task.results, len(results)) for task, results in zip(tasks, found.results, strict=True))
        return found

    monkeypatch.setattr(entrywise, "on_host", watched)
    params = {key: np.ones(shape) for key, shape in SHAPES.items()}
    rule.step(params, params, rule.init(params))
    assert len(told) == len(SHAPES)
    assert all(said == found for said, found in told)


@every_rule
def test_a_rule_is_written_as_the_call_that_makes_it(rule):
    assert eval(repr(rule)) == rule
