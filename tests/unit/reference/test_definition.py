"""The definition of a cell: what follows from it is what was once worked out by hand, for any sizes and other cells."""

import ast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import LSTMWeights, lstm_forward
from reference.cell import Cell, Formula, Layers
from reference.lstm.definition import CELL
from tests.unit.reference import witness


@given(st.lists(st.integers(1, 6), min_size=4, max_size=4), st.integers(0, 1000), st.sampled_from(["hc", "h", "c"]))
def test_answers_and_gradients_are_those_of_the_formulas_written_out_by_hand(make_weights, sizes, seed, through):
    batch, timesteps, features, units = sizes
    random = np.random.default_rng(seed)
    weights = make_weights(seed, features, units)
    x = random.standard_normal((batch, timesteps, features)).astype(np.float32)
    factors = random.standard_normal((batch, timesteps, units)).astype(np.float32)
    ours, theirs = lstm_forward(x, weights), witness.lstm_forward(x, weights)
    for name, values in theirs.items():
        np.testing.assert_allclose({**ours.gates, "h": ours.h, "c": ours.c}[name], values, rtol=0, atol=1e-12)
    found = weights.gradients(x, factors, through=through)
    for name, gradient in witness.lstm_gradients(x, weights, factors, through=through).items():
        np.testing.assert_allclose(getattr(found, name), gradient, rtol=0, atol=1e-11)


def test_huge_values_saturate_without_overflow():
    # Weights that ignore input and hidden state, so that each gate is given by its bias alone.
    bias = np.repeat(np.array([-3e38, 3e38, 3e38, 3e38], np.float32), 2)
    weights = LSTMWeights(np.zeros((1, 8), np.float32), np.zeros((2, 8), np.float32), bias)
    np.testing.assert_array_equal(lstm_forward(np.full((1, 3, 1), -3e38, np.float32), weights).h, 0)


def test_definition_says_which_gates_and_states_there_are():
    assert (CELL.gates, set(CELL.states)) == (("i", "f", "g", "o"), {"h", "c"})
    assert {name: formula.text for name, formula in CELL.formulas.items() if name.endswith("_new")} == {
        "c_new": "f*c + i*g",
        "h_new": "o*tanh(c_new)",
    }


@pytest.mark.parametrize("text", ["a*b - c", "tanh(a*b) + sigmoid(c - a)", "(1 - a)*tanh(b)*b", "a*a*c"])
def test_slopes_are_those_of_small_steps(text):
    values = {name: np.random.default_rng(at).standard_normal(5) for at, name in enumerate("abc")}
    formula = Formula(ast.parse(text, mode="eval").body)
    for name, slope in formula.slopes(values).items():
        after, before = (formula({**values, name: values[name] + step}) for step in (1e-6, -1e-6))
        np.testing.assert_allclose(slope, (after - before) / 2e-6, rtol=0, atol=1e-8)


@pytest.mark.parametrize("text", [*(each.text for each in CELL.formulas.values()), "tanh(a*b) + sigmoid(c + a2)*d"])
def test_formula_is_solved_for_each_of_its_names(text):
    formula = Formula(ast.parse(text, mode="eval").body)
    values = {name: np.random.default_rng(at).standard_normal(5) for at, name in enumerate(sorted(formula.names))}
    for name in formula.names:
        np.testing.assert_allclose(formula.solved(name, formula(values), values), values[name], rtol=0, atol=1e-9)


@pytest.mark.parametrize("text", ["h_new = relu(x_i)", "h_new = x_i if h else 0", "h_new += x_i", "print(h)"])
def test_anything_else_is_no_formula(text):
    with pytest.raises(ValueError, match="no formula of a cell"):
        Cell.of(text)


def test_formula_of_a_mistake_alone_has_no_slopes():
    formula = Formula(ast.parse("a / b", mode="eval").body)
    with pytest.raises(ValueError, match="no derivative"):
        formula.slopes({"a": np.ones(2), "b": np.ones(2)})


def test_gradients_are_those_of_small_steps_in_a_cell_without_a_cell_state():
    """A state that formulas use directly carries gradients, too."""
    cell = Cell.of("z = sigmoid(x_z + h_z)\nh_new = z*h + (1 - z)*tanh(x_z)")
    random = np.random.default_rng(7)
    x, factors = random.standard_normal((2, 4, 3)), random.standard_normal((2, 4, 5))
    layers = Layers(*(random.standard_normal(shape) for shape in ((3, 5), (5, 5), (5,), (5,))))
    found = cell.gradients(x, layers, factors)
    for name in ("kernel", "recurrent_kernel", "bias", "recurrent_bias"):
        step = np.zeros_like(getattr(layers, name))
        step.flat[2] = 1e-6
        sums = [
            (cell.forward(x, Layers(**{**vars(layers), name: getattr(layers, name) + sign * step}))["h_new"] * factors)
            for sign in (1, -1)
        ]
        assert getattr(found, name).flat[2] == pytest.approx((sums[0].sum() - sums[1].sum()) / 2e-6, abs=1e-6)
