"""What a run hands out, and what it does not let be written to."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends
from enrnn_ref.parametrizations import Parametrization


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("readout", ["all", "last"])
def test_views_of_the_tape_are_read_only(backend, readout):
    """The states are kept for the backward pass: a caller who could change them would change gradients."""
    model = er.RNN(2, 3, readout=readout)
    run = model.forward(model.init(0), np.ones((4, 5, 2)), backend=backend)
    assert not run.y.flags.writeable
    assert not run.h.flags.writeable


def test_only_the_readable_backend_takes_longdouble():
    model = er.RNN(2, 3)
    params = {key: array.astype(np.longdouble) for key, array in model.init(0).items()}
    x = np.ones((4, 5, 2), np.longdouble)
    assert model.forward(params, x, backend="reference").y.dtype == np.longdouble
    with pytest.raises(er.errors.DtypeError):
        model.forward(params, x, backend="cpu")


def test_only_maps_without_lapack_take_longdouble():
    assert not Parametrization.longdouble
    for model, longdouble in ((er.RNN(2, 3), True), (er.GRU(2, 3), True), (er.ScoRNN(2, 3), False)):
        assert model.longdouble == longdouble
    model = er.ScoRNN(2, 3)
    params = {key: array.astype(np.longdouble) for key, array in model.init(0).items()}
    with pytest.raises(er.errors.DtypeError):
        model.forward(params, np.ones((4, 5, 2), np.longdouble), backend="reference")


@pytest.mark.parametrize("model", [er.RNN(2, 3), er.ScoRNN(2, 3), er.ENRNN(2, 3, 4), er.LSTM(2, 3)])
def test_most_models_have_no_term_of_the_loss_of_their_own(model):
    value, grads = model.penalty(model.init(0))
    assert value == 0.0
    assert grads.keys() == model.shapes.keys()
    assert not any(array.any() for array in grads.values())


@pytest.mark.parametrize("batch", [1, 600, 1100])
@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_products_over_time_whatever_the_batch(name, batch):
    """A block of time holds many steps, one, or, with more sequences than a block has rows, still one."""
    backend, rng = backends.get(name), np.random.default_rng(0)
    x, dz, weight = (rng.standard_normal(shape) for shape in ((5, batch, 2), (5, batch, 3), (3, 2)))
    close = {"rtol": 1e-12, "atol": 1e-10}
    np.testing.assert_allclose(backend.affine(x, weight, np.ones(3)), np.einsum("tbi,oi->tbo", x, weight) + 1, **close)
    np.testing.assert_allclose(backend.correlate(dz, x), np.einsum("tbo,tbi->oi", dz, x), **close)
    np.testing.assert_allclose(backend.total(dz), dz.sum(axis=(0, 1)), **close)


def test_blocks_cover_the_states():
    assert er.LSTM(2, 4, projection_size=3).blocks == {"all": slice(0, 3)}
    assert er.ENRNN(2, 3, 4).blocks == {"long": slice(0, 3), "short": slice(3, 7)}


@pytest.mark.parametrize("model", [er.RNN(2, 3), er.ENRNN(2, 3, 4), er.ExpRNN(2, 4, rebase_every=1)])
def test_after_an_update_the_recurrent_matrix_is_the_same(model):
    """Whatever a parametrization does to its arrays and buffers there; the other arrays are as they were."""
    params = {key: 0.3 * np.random.default_rng(0).standard_normal(shape) for key, shape in model.shapes.items()}
    moved, buffers = model.after_update(params)
    assert moved.keys() == params.keys()
    close = {"rtol": 1e-13, "atol": 1e-14}
    np.testing.assert_allclose(model.recurrent_matrix(moved, buffers), model.recurrent_matrix(params), **close)
    for key in ("input", "bias"):
        np.testing.assert_array_equal(moved[key], params[key])
