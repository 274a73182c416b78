"""The recognition of weights by their gradients: a model is the oracle's numbers in an order of its own."""

from dataclasses import replace

import numpy as np
import pytest

from grader.execution.recognition import factors, question, recognise
from reference import GATES, LSTMWeights, lstm_forward
from tests.exercises import answered


def _by_gate(array):
    """``(rows, units, gates)``: the columns of the gates interleaved."""
    return array.reshape(-1, len(GATES), array.shape[-1] // len(GATES)).transpose(0, 2, 1)


LAYOUTS = {
    "plain": lambda k, r, b: [k, r, b],
    "interleaved": lambda k, r, b: [_by_gate(k), _by_gate(r), _by_gate(b)],
    "bias_row": lambda k, r, b: [np.concatenate([b[None], r, k])],
    "transposed": lambda k, r, b: [k.T, r, b],
    "orders_differ": lambda k, r, b: [np.roll(k, 8, axis=1), r, np.roll(b, 16)],
    "rows": lambda k, r, b: [*k, *r, b],
}


@pytest.fixture(params=[(4, 8), (6, 1)], ids=["usual", "one_unit"])
def asked(cases, request):
    features, units = request.param
    spec = replace(cases[0].spec, timesteps=3, features=features, units=units)
    return question(answered(spec))


def _numbered(case):
    features, units = case.spec.features, case.spec.units
    rows = np.arange((features + units + 1) * 4 * units).reshape(-1, 4 * units)
    return rows[:features], rows[features:-1], rows[-1]


def _flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def _gradients(case, places, weights=None, through="hc"):
    """The gradients of the sums with respect to the numbers that stand in these places of a Keras LSTM."""
    sums = []
    for each in factors(case):
        found = (weights or case.weights).gradients(case.x, each, through=through)
        sums.append(_flat([found.kernel, found.recurrent_kernel, found.bias])[places])
    return np.stack(sums).astype(np.float32)


@pytest.mark.parametrize("through", ["hc", "c"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_numbers_are_recognised_wherever_they_stand(asked, layout, through):
    places = _flat(layout(*_numbered(asked)))
    found = recognise(asked, asked.expected, _gradients(asked, places, through=through))
    assert found.tolist() == places.tolist()


def test_a_second_bias_is_only_added_and_a_number_without_effect_has_no_place(asked):
    kernel, recurrent_kernel, bias = _numbered(asked)
    weights = LSTMWeights(asked.weights.kernel, asked.weights.recurrent_kernel, asked.weights.bias * 2)
    gradients = _gradients(asked, _flat([kernel, bias, recurrent_kernel, bias]), weights)
    unused = np.zeros((len(gradients), 3), np.float32)
    answer = lstm_forward(asked.x, weights).h
    found = recognise(asked, answer, np.concatenate([unused, gradients], axis=1))
    assert found.tolist() == [-1, -1, -1, *_flat([kernel, bias, recurrent_kernel, -2 - bias])]


def test_one_gate_alone_may_have_a_second_bias(asked):
    places, units = _flat(_numbered(asked)), asked.spec.units
    of_forget_gate = places[-3 * units : -2 * units]
    bias = asked.weights.bias * np.repeat([1, 2, 1, 1], units).astype(np.float32)
    weights = LSTMWeights(asked.weights.kernel, asked.weights.recurrent_kernel, bias)
    answer = lstm_forward(asked.x, weights).h
    found = recognise(asked, answer, _gradients(asked, np.concatenate([places, of_forget_gate]), weights))
    assert found.tolist() == [*places, *(-2 - of_forget_gate)]


def test_another_formula_is_not_recognised(asked):
    gradients = _gradients(asked, _flat(_numbered(asked)))
    assert recognise(asked, asked.expected + 1e-3, gradients) is None
    assert recognise(asked, asked.expected, gradients * 1.01) is None
    assert recognise(asked, asked.expected, gradients[:, 1:]) is None


def test_features_in_reverse_are_no_layout(asked):
    kernel, recurrent_kernel, bias = _numbered(asked)
    gradients = _gradients(asked, _flat([kernel[::-1], recurrent_kernel, bias]))
    assert recognise(asked, asked.expected, gradients) is None
