"""A tracked leader in the parametrization: its state is in the buffers, and R is that of the dense method."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.linalg.tracking import columns
from enrnn_ref.parametrizations import CoupledBlocks, EigenvalueNormalized, ScaledCayley
from enrnn_ref.parametrizations.eigenvalue_normalized import TRACKED_FROM

SIZE = 48


def path(size, steps, seed=0):
    """Matrices as a training passes them: the draw of the initialiser, moved a little each time."""
    rng = np.random.default_rng(seed)
    free = EigenvalueNormalized(size).init(rng)["free"]
    for _ in range(steps):
        yield {"free": free}
        free = free + 1e-3 * rng.choice([-1.0, 1.0], (size, size))


@pytest.mark.parametrize("normalize", ["always", "switch"])
@pytest.mark.parametrize("eps", [0.0, 1e-3])
def test_matrix_and_gradient_are_those_of_the_dense_method(normalize, eps):
    rng = np.random.default_rng(1)
    tracked = EigenvalueNormalized(SIZE, eps, normalize, eigenpair="tracked")
    dense = EigenvalueNormalized(SIZE, eps, normalize, eigenpair="dense")
    buffers, other = tracked.initial_buffers(), dense.initial_buffers()
    for raw in path(SIZE, 40):
        value, expected = tracked.evaluate(raw, buffers), dense.evaluate(raw, other)
        buffers, other = value.buffers, expected.buffers
        np.testing.assert_allclose(value.matrix, expected.matrix, rtol=1e-12)
        g, draw = rng.standard_normal((2, SIZE, SIZE))
        pulled, reference = tracked.pullback(value, g)["free"], dense.pullback(expected, g)["free"]
        assert np.linalg.norm(pulled - reference) <= 1e-10 * np.linalg.norm(reference)
        moved, reference = tracked.tangent(value, {"free": draw}), dense.tangent(expected, {"free": draw})
        assert np.linalg.norm(moved - reference) <= 1e-10 * np.linalg.norm(reference)
        if normalize == "switch":
            assert buffers["switched"] == other["switched"]
    assert buffers["fallbacks"] <= 2


def test_buffers_are_all_there_is_to_remember():
    """An object that never saw the first half goes on with the same bits."""
    points = list(path(SIZE, 10))
    p, q = (EigenvalueNormalized(SIZE, eigenpair="tracked") for _ in range(2))
    buffers = p.initial_buffers()
    for raw in points[:5]:
        buffers = p.evaluate(raw, buffers).buffers
    copy = {key: array.copy() for key, array in buffers.items()}
    for raw in points[5:]:
        value, other = p.evaluate(raw, buffers), q.evaluate(raw, copy)
        buffers, copy = value.buffers, other.buffers
        assert value.matrix.tobytes() == other.matrix.tobytes()
        for key, array in buffers.items():
            assert array.tobytes() == copy[key].tobytes()


def test_the_first_evaluation_is_dense_and_no_fall_back():
    p = EigenvalueNormalized(SIZE, eigenpair="tracked")
    (raw,) = path(SIZE, 1)
    start = p.initial_buffers()
    assert {key: (array.shape, array.dtype) for key, array in start.items()} == {
        "basis": ((SIZE, columns(SIZE)), np.float64),
        "fallbacks": ((), np.int64),
    }
    assert not start["basis"].any()
    value = p.evaluate(raw)
    assert value.eigenpair.value == er.dominant_eigenpair(raw["free"]).value
    assert value.buffers["basis"].any()
    assert value.buffers["fallbacks"] == 0
    assert {key: (array.shape, array.dtype) for key, array in value.buffers.items()} == {
        key: (array.shape, array.dtype) for key, array in start.items()
    }


def test_fall_backs_are_counted():
    p = EigenvalueNormalized(SIZE, on_degenerate="proceed", eigenpair="tracked")
    tied = {"free": np.diag(np.r_[1.0, -1.0, np.linspace(0.5, 0.0, SIZE - 2)])}
    plain = {"free": np.diag(np.r_[1.0, 0.8, np.linspace(0.5, 0.0, SIZE - 2)])}
    buffers, counts = p.initial_buffers(), []
    for raw in (plain, plain, tied, tied, plain, plain):
        value = p.evaluate(raw, buffers)
        buffers = value.buffers
        counts.append((int(buffers["fallbacks"]), value.degeneracy is not None))
    assert [degenerate for _, degenerate in counts] == [False, False, True, True, False, False]
    assert [count for count, _ in counts] == [0, 0, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("size", "eigenpair", "normalize", "tracks"),
    [
        (TRACKED_FROM - 1, "auto", "always", False),
        (TRACKED_FROM, "auto", "always", True),
        (TRACKED_FROM, "dense", "always", False),
        (TRACKED_FROM, "auto", "never", False),
        (SIZE, "tracked", "always", True),
        (SIZE, "tracked", "switch", True),
        (5, "tracked", "always", False),
        (0, "tracked", "always", False),
    ],
)
def test_where_it_is_used(size, eigenpair, normalize, tracks):
    p = EigenvalueNormalized(size, normalize=normalize, eigenpair=eigenpair)
    assert ("basis" in p.initial_buffers()) is tracks
    assert ("fallbacks" in p.initial_buffers()) is tracks
    assert ("switched" in p.initial_buffers()) is (normalize == "switch")


def test_bad_options_and_buffers():
    with pytest.raises(er.errors.OptionError, match=r"eigenpair.*'sparse'.*'auto', 'dense', 'tracked'"):
        EigenvalueNormalized(SIZE, eigenpair="sparse")
    p = EigenvalueNormalized(SIZE, eigenpair="tracked")
    (raw,) = path(SIZE, 1)
    wrong = {"basis": np.zeros((SIZE + 1, columns(SIZE))), "fallbacks": np.array(0, np.int64)}
    with pytest.raises(er.errors.ParameterError, match=r"buffers\['basis'\].*\(48, 16\)"):
        p.evaluate(raw, wrong)
    with pytest.raises(er.errors.ParameterError):
        p.evaluate(raw, {"basis": np.zeros((SIZE, columns(SIZE)))})


def test_the_blocks_and_the_model_hand_it_through():
    p = CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(SIZE, eigenpair="tracked"))
    raw = p.init(np.random.default_rng(0))
    once = p.evaluate(raw)
    again = p.evaluate(raw, once.buffers)
    assert once.buffers.keys() == {"basis", "fallbacks"}
    np.testing.assert_allclose(again.matrix, once.matrix, rtol=1e-12, atol=1e-15)
    model = er.ENRNN(2, 3, SIZE, eigenpair="tracked")
    assert model.config()["eigenpair"] == "tracked"
    assert er.ENRNN(**model.config()).initial_buffers().keys() == {"basis", "fallbacks"}
    assert er.ENRNN(2, 3, SIZE).initial_buffers() == {}
