"""The oracle: its formulas on single numbers, its properties on any sizes, and its gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import GATES, LSTMWeights, lstm_forward

CLOSE = {"rtol": 0, "atol": 1e-12}


@st.composite
def questions(draw):
    """Return x and what `make_weights` needs for weights that fit it."""
    batch, timesteps, features, units, seed = (draw(st.integers(1, size)) for size in (4, 6, 5, 5, 1000))
    x = np.random.default_rng(seed).standard_normal((batch, timesteps, features)).astype(np.float32)
    return x, (seed, features, units)


def constant_gates(units, **biases):
    """Weights that ignore input and hidden state, so that each gate is given by its bias alone."""
    bias = np.concatenate([np.full(units, biases[gate]) for gate in GATES]).astype(np.float32)
    return LSTMWeights(np.zeros((1, 4 * units), np.float32), np.zeros((units, 4 * units), np.float32), bias)


def test_two_steps_agree_with_the_formulas_worked_out_with_pocket_calculator_arithmetic():
    weights = LSTMWeights(
        np.array([[0.5, -0.25, 1.0, 2.0]], np.float32),
        np.array([[-1.0, 0.75, 0.5, 0.25]], np.float32),
        np.array([0.125, 1.5, -0.5, 0.25], np.float32),
    )
    h = c = 0.0
    for x in (1.5, -2.0):
        i = 1 / (1 + math.exp(-(0.5 * x - 1.0 * h + 0.125)))
        f = 1 / (1 + math.exp(-(-0.25 * x + 0.75 * h + 1.5)))
        g = math.tanh(1.0 * x + 0.5 * h - 0.5)
        o = 1 / (1 + math.exp(-(2.0 * x + 0.25 * h + 0.25)))
        c = f * c + i * g
        h = o * math.tanh(c)
    trace = lstm_forward(np.array([[[1.5], [-2.0]]], np.float32), weights)
    np.testing.assert_allclose((trace.h[0, -1, 0], trace.c[0, -1, 0]), (h, c), **CLOSE)


@given(questions())
def test_both_states_are_float64_for_every_row_step_and_unit(make_weights, question):
    x, (seed, features, units) = question
    trace = lstm_forward(x, make_weights(seed, features, units))
    assert trace.h.shape == trace.c.shape == (*x.shape[:2], units)
    assert trace.h.dtype == trace.c.dtype == np.float64


@given(questions(), st.data())
def test_later_steps_do_not_change_earlier_answers(make_weights, question, data):
    x, sizes = question
    steps = data.draw(st.integers(1, x.shape[1]))
    weights = make_weights(*sizes)
    np.testing.assert_allclose(lstm_forward(x[:, :steps], weights).h, lstm_forward(x, weights).h[:, :steps], **CLOSE)


@pytest.mark.parametrize(
    ("open_or_closed", "expected_c"),
    [
        pytest.param({"i": 99, "f": 99, "g": 99, "o": 99}, [1, 2, 3], id="all open: c counts the steps"),
        pytest.param({"i": 99, "f": -99, "g": 99, "o": 99}, [1, 1, 1], id="forgets everything"),
        pytest.param({"i": -99, "f": 99, "g": 99, "o": 99}, [0, 0, 0], id="lets nothing in"),
        pytest.param({"i": 99, "f": 0, "g": 99, "o": 99}, [1, 1.5, 1.75], id="forgets half"),
        pytest.param({"i": 99, "f": 99, "g": 99, "o": -99}, [1, 2, 3], id="shows nothing"),
    ],
)
def test_saturated_gates_leave_only_the_cell_update(open_or_closed, expected_c):
    trace = lstm_forward(np.zeros((2, 3, 1), np.float32), constant_gates(2, **open_or_closed))
    expected = np.broadcast_to(np.array(expected_c, float)[:, None], (2, 3, 2))
    np.testing.assert_allclose(trace.c, expected, **CLOSE)
    np.testing.assert_allclose(trace.h, (open_or_closed["o"] > 0) * np.tanh(expected), **CLOSE)


def test_huge_values_saturate_without_overflow():
    trace = lstm_forward(np.full((1, 3, 1), -3e38, np.float32), constant_gates(2, i=-3e38, f=3e38, g=3e38, o=3e38))
    np.testing.assert_array_equal(trace.h, 0)


def _weighted_sum(x, weights, factors):
    return float(np.sum(lstm_forward(x, weights).h * factors))


@given(questions())
def test_gradients_agree_with_finite_differences(make_weights, question):
    """float32 inputs are moved by powers of two, which they hold exactly; the forward pass is float64.

    Two steps together cancel the third derivative (Richardson's extrapolation): alone it can be as large as the slope.
    """
    x, sizes = question
    weights = make_weights(*sizes)
    factors = np.random.default_rng(1).uniform(-1, 1, (*x.shape[:2], weights.units)).astype(np.float32)
    gradients = weights.gradients(x, factors)
    arrays = {"x": x, "kernel": weights.kernel, "recurrent_kernel": weights.recurrent_kernel, "bias": weights.bias}

    def slope(name, place, step):
        values = []
        for sign in (1, -1):
            moved = arrays[name].copy()
            moved[place] += np.float32(sign * step)
            changed = {**arrays, name: moved}
            values.append((_weighted_sum(changed.pop("x"), LSTMWeights(**changed), factors), float(moved[place])))
        (above, high), (below, low) = values
        return (above - below) / (high - low)

    for name, array in arrays.items():
        gradient = getattr(gradients, name)
        assert gradient.shape == array.shape
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        expected = (4 * slope(name, place, 2**-11) - slope(name, place, 2**-10)) / 3
        assert gradient[place] == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("through", "reaches_back"), [("hc", True), ("h", True), ("c", True), ("", False)])
def test_gradients_go_back_through_the_states_they_may_go_through(make_weights, through, reaches_back):
    weights = make_weights(3, 4, 5)
    x = np.random.default_rng(2).standard_normal((2, 6, 4)).astype(np.float32)
    factors = np.zeros((2, 6, 5), np.float32)
    factors[:, -1] = 1
    gradients = weights.gradients(x, factors, through=through)
    assert gradients.x[:, -1].all()
    assert bool(gradients.x[:, 0].any()) == reaches_back
    whole = weights.gradients(x, factors)
    assert np.array_equal(gradients.kernel, whole.kernel) == (through == "hc")


def test_gradients_of_nothing_are_zero(make_weights):
    weights = make_weights(3, 4, 5)
    x = np.ones((2, 6, 4), np.float32)
    gradients = weights.gradients(x, np.zeros((2, 6, 5), np.float32))
    assert not any(array.any() for array in vars(gradients).values())
