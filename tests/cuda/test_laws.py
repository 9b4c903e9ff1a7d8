"""The laws that hold for every backend, on problems that hypothesis draws."""

import numpy as np
import pytest
from hypothesis import given, settings

from enrnn_ref.models import time_blocks
from tests.backends import test_contract as contract
from tests.conditioning import outputs, rounding_bounds
from tests.laws.test_adjoint import assert_adjoint
from tests.mutants.systems import case
from tests.strategies import EVERY_KIND, problems, seeds

FEW = 8  # a simulated thread is a thread of the operating system


@settings(max_examples=FEW)
@given(problem=problems(backends=("cuda",), kinds=EVERY_KIND))
def test_it_gives_what_the_readable_backend_gives(problem):
    readable, compiled = outputs(problem.astype(problem.dtype, "reference")), outputs(problem)
    bounds = rounding_bounds(problem, problem.unit_roundoff)
    for key, expected in readable.items():
        if expected is None:  # two directions have no common h
            continue
        assert compiled[key].dtype == expected.dtype == problem.dtype
        assert np.abs(compiled[key] - expected).max(initial=0.0) <= bounds[key], key


@settings(max_examples=FEW)
@given(problem=problems(backends=("cuda",), kinds=EVERY_KIND), seed=seeds)
def test_tangent_and_backward_are_adjoint(problem, seed):
    assert_adjoint(problem, seed)


def test_a_backend_s_promises():
    contract.test_forward_gives_states_and_the_tape("cuda")
    contract.test_products_over_time("cuda")
    for direct in (True, False):
        contract.test_backward_modifies_nothing("cuda", direct)


@pytest.mark.parametrize("name", ["enrnn", "lstm-peephole", "relayed"])
def test_the_same_bits_from_run_to_run(name):
    point = case(name, times=3, batch=2)
    for found in (point.values, point.gradients, point.tangent):
        once, again = found("cuda"), found("cuda")
        for key, array in once.items():
            np.testing.assert_array_equal(array, again[key], err_msg=key)


@pytest.mark.parametrize("name", ["enrnn", "gru-before", "momentumlstm"])
def test_backward_may_take_time_a_step_at_a_time(name, monkeypatch):
    point = case(name, times=4, batch=2)
    whole = point.gradients("reference")
    monkeypatch.setattr(time_blocks, "GRADIENT_BYTES", 1)
    monkeypatch.setattr(time_blocks, "LEAST_ROWS", 1)
    for key, array in point.gradients("cuda").items():
        np.testing.assert_allclose(array, whole[key], rtol=1e-9, atol=1e-11, err_msg=key)


@pytest.mark.parametrize(("times", "batch"), [(1, 1), (1, 3), (3, 1)])
@pytest.mark.parametrize("name", ["enrnn", "enrnn-short", "lstm-last"])
def test_the_smallest_sizes(name, times, batch):
    point = case(name, times=times, batch=batch)
    for found in (point.values, point.gradients):
        expected = found("reference")
        for key, array in found("cuda").items():
            np.testing.assert_allclose(array, expected[key], rtol=1e-9, atol=1e-11, err_msg=key)
