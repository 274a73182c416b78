"""Weights: their gates and layers, and shapes that are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import GATES, LSTMWeights, split_gates

sizes = st.integers(1, 7)
seeds = st.integers(0, 1000)


@given(rows=st.integers(0, 5), units=sizes, seed=seeds)
def test_concatenated_gates_equal_the_fused_array(rows, units, seed):
    fused = np.random.default_rng(seed).standard_normal((rows, 4 * units))
    gates = split_gates(fused)
    assert tuple(gates) == GATES
    assert all(gate.shape == (rows, units) for gate in gates.values())
    np.testing.assert_array_equal(np.concatenate([gates[name] for name in GATES], axis=-1), fused)


def test_splitting_gates_copies_nothing():
    fused = np.zeros((3, 8), np.float32)
    assert all(np.shares_memory(gate, fused) for gate in split_gates(fused).values())


@given(features=sizes, units=sizes, factor=st.floats(0.1, 10))
def test_scaling_keeps_float32_and_multiplies_every_array(make_weights, features, units, factor):
    weights = make_weights(1, features, units)
    scaled = weights.scaled(factor)
    assert (scaled.features, scaled.units) == (features, units)
    for name in ("kernel", "recurrent_kernel", "bias"):
        assert getattr(scaled, name).dtype == np.float32
        np.testing.assert_allclose(getattr(scaled, name), getattr(weights, name) * factor, rtol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "recurrent_kernel", "bias"),
    [
        pytest.param((5, 12), (3, 12), (3,), id="bias of one gate"),
        pytest.param((5, 12), (4, 12), (12,), id="recurrent kernel of other units"),
        pytest.param((5, 16), (3, 12), (12,), id="kernel of other units"),
        pytest.param((5, 12), (3, 12), (1, 12), id="bias with two axes"),
    ],
)
def test_shapes_of_different_layers_are_refused(kernel, recurrent_kernel, bias):
    with pytest.raises(ValueError, match="not of one layer"):
        LSTMWeights(*(np.zeros(shape, np.float32) for shape in (kernel, recurrent_kernel, bias)))


def test_weights_in_float64_are_refused():
    with pytest.raises(ValueError, match="float32"):
        LSTMWeights(np.zeros((5, 12)), np.zeros((3, 12)), np.zeros(12))
