"""Gradients of a right answer, compared with the oracle's."""

from dataclasses import replace

import numpy as np
import pytest

from grader.checks.trainability import trainability
from grader.numerics.backpropagation import factors, judge
from grader.sandbox.events import Gradients
from reference import split_gates


@pytest.fixture
def case(cases):
    return min(cases, key=lambda case: case.expected.size)


def _gradients(case, through="hc"):
    drawn = factors(case, np.random.default_rng(17))
    gradients = vars(case.weights.gradients(case.x, drawn, through=through)) | {"factors": drawn}
    return {name: array.astype(np.float32) for name, array in gradients.items()}


def test_the_gradients_of_an_lstm_are_right(case):
    judged = judge(case, _gradients(case))
    assert judged.wrong == ()
    assert judged.error < 1e-6


def test_the_last_bit_of_a_float64_sum_changes_no_report(case):
    exact = vars(case.weights.gradients(case.x, _gradients(case)["factors"]))
    last_bits = {name: np.nextafter(array, np.inf) for name, array in exact.items()}
    assert judge(case, last_bits | {"factors": _gradients(case)["factors"]}).error == 0


@pytest.mark.parametrize("through", ["h", "c"])
def test_a_state_that_lets_no_gradient_through_is_named(case, through):
    assert judge(case, _gradients(case, through)).stopped == {"h": "c", "c": "h"}[through]


def test_gradients_that_stop_at_every_step_reach_the_last_one_alone(case):
    judged = judge(case, _gradients(case, through=""))
    assert (judged.stopped, judged.steps) == (None, 1)


def test_an_input_without_a_gradient_says_nothing_of_the_states(case):
    gradients = _gradients(case)
    judged = judge(case, gradients | {"x": gradients["x"] * 0})
    assert (judged.wrong, judged.steps) == (("x",), None)


def test_one_gate_that_is_off_is_named_alone(case):
    gradients = _gradients(case)
    split_gates(gradients["recurrent_kernel"])["f"][...] *= 1.01
    assert judge(case, gradients).wrong == ("recurrent_kernel f",)


@pytest.mark.parametrize("name", ["x", "kernel", "recurrent_kernel", "bias"])
@pytest.mark.parametrize("spoil", [lambda array: array * np.float32(np.nan), lambda array: array[:1] * 0])
def test_a_missing_gradient_is_wrong(case, name, spoil):
    gradients = _gradients(case)
    assert judge(case, gradients | {name: spoil(gradients[name])}).wrong == (name,)


def test_factors_leave_the_first_row_its_last_step(case):
    drawn = factors(case, np.random.default_rng(17))
    assert drawn.shape == case.expected.shape
    assert not drawn[0, :-1].any()
    assert drawn[0, -1].all()
    assert np.abs(drawn[1:]).min() >= 0.5


def _verdict(evidence, case, answer):
    reach = {"cell.fcXI.kernel (kernel I)": 1.0}
    gradients = Gradients(event="gradients", case=case.spec.id, reach=reach, first_timestep=1.0)
    understanding = replace(evidence.understanding, gradients=gradients, backpropagation=judge(case, answer))
    return trainability(replace(evidence, understanding=understanding))


def test_a_right_answer_with_other_gradients_is_not_trainable(evidence_of, case):
    evidence = evidence_of(lambda case: case.expected)
    assert _verdict(evidence, case, _gradients(case)).status == "passed"
    assert _verdict(evidence, case, _gradients(case, "c")).code == "gradient_differs"
    assert _verdict(evidence, case, _gradients(case, "c")).finding.params["variant"] == "without_h"
    assert _verdict(evidence, case, _gradients(case, "")).finding.params == {"steps": 1}
    right = _gradients(case)
    halved = {name: array / 2 for name, array in right.items()} | {"factors": right["factors"]}
    assert _verdict(evidence, case, halved).finding.params == {"gradients": ["x", "kernel", "recurrent_kernel", "bias"]}
