"""Repairs of a wrong answer, and their sentences."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.checks.registry import run_checks
from grader.numerics.repairs import repair
from grader.report.messages import LANGUAGES, render, translate
from reference import GATES
from reference.cell import sigmoid
from reference.lstm.misconceptions import Mistake, replay
from tests.unit.grader.make_reports import make_report


def _repair(cases, respond):
    return repair({case.spec.id: respond(case) for case in cases}, cases)


def _shuffled(array, axis):
    order = np.random.default_rng(array.shape[axis]).permutation(array.shape[axis])
    return array.take(np.roll(np.arange(len(order)), 1) if (order == np.arange(len(order))).all() else order, axis)


@pytest.mark.parametrize(
    ("respond", "expected"),
    [
        pytest.param(lambda y: y[:, ::-1], {"repair": ["time_reversed"]}, id="time reversed"),
        pytest.param(
            lambda y: np.concatenate([y[:, 1:], y[:, :1] + 1], axis=1),
            {"repair": ["time_shift"], "steps": 1},
            id="a step early",
        ),
        pytest.param(
            lambda y: np.concatenate([0 * y[:, :2], y[:, :-2]], axis=1),
            {"repair": ["time_shift"], "steps": -2},
            id="two steps late",
        ),
        pytest.param(lambda y: _shuffled(y, 2), {"repair": ["unit_order"]}, id="order of units"),
        pytest.param(lambda y: y[:, :, ::-1], {"repair": ["unit_order"]}, id="units reversed"),
        pytest.param(lambda y: np.roll(y, 1, axis=0), {"repair": ["batch_order"]}, id="order of rows"),
        pytest.param(
            lambda y: y * np.linspace(0.5, 2, y.shape[2]) + 0.1, {"repair": ["unit_scale"]}, id="scaled by unit"
        ),
        pytest.param(
            lambda y: np.cumsum(y, axis=1) / np.arange(1, y.shape[1] + 1)[:, None],
            {"repair": ["step_mix"], "formula": "0.5*h[0] + 0.5*h[1]"},
            id="mean so far",
        ),
        pytest.param(
            lambda y: np.concatenate([y[:, :1], y[:, 1:] - 0.25 * y[:, :-1]], axis=1),
            {"repair": ["step_mix"], "formula": "-0.25*h[0] + 1*h[1]"},
            id="less a part of the step before",
        ),
        pytest.param(lambda y: np.sin(5 * y), {"repair": ["function"]}, id="a function"),
    ],
)
def test_a_change_of_right_answers_is_seen(cases, respond, expected):
    assert _repair(cases, lambda case: respond(case.expected)) == expected


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(lambda case: case.expected[:, :1] + 0 * case.expected, id="first step everywhere"),
        pytest.param(lambda case: np.full(case.expected.shape, np.nan), id="NaN"),
        pytest.param(lambda case: 0 * case.expected, id="zeros"),
        pytest.param(lambda case: case.expected, id="right"),
        pytest.param(lambda case: case.expected + 2e-4, id="as good as right"),
        pytest.param(
            lambda case: np.concatenate([case.expected[..., 1:], 0 * case.expected[..., :1]], 2), id="a unit early"
        ),
        pytest.param(
            lambda case: np.stack([y[:, t] * (t != 2) for y in [case.expected] for t in [*range(1, y.shape[1]), 2]], 1),
            id="a step early, with another one wrong",
        ),
        pytest.param(lambda case: case.expected * (1 + (case.spec.id == "exercise")), id="right but for one case"),
        pytest.param(lambda case: np.where(case.spec.id == "exercise", 1, -1) * case.expected[:, ::-1], id="one case"),
    ],
)
def test_nothing_is_said_if_nothing_repairs_all_cases(cases, respond):
    assert _repair(cases, respond) == {}


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_answers_are_never_repaired(cases, seed):
    random = np.random.default_rng(seed)
    assert _repair(cases, lambda case: random.normal(size=case.expected.shape)) == {}


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    off=st.sampled_from([1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1]),
    share=st.sampled_from([1.0, 0.1, 0.01, 0.001]),
)
def test_answers_that_are_a_little_off_are_never_repaired(cases, seed, off, share):
    """Nothing explains noise: neither everywhere nor in a few places."""
    random = np.random.default_rng(seed)

    def respond(case):
        noise = off * random.normal(size=case.expected.shape)
        return case.expected + noise * (random.random(case.expected.shape) < share)

    assert _repair(cases, respond) == {}


def test_a_case_without_an_answer_is_left_out(cases):
    answers = {case.spec.id: case.expected[:, ::-1] for case in cases[:2]}
    assert repair(answers, cases) == {"repair": ["time_reversed"]}
    assert repair({}, cases) == {}


def _equivalence(evidence):
    [check] = [check for check in run_checks(evidence).checks if check.id == "equivalence"]
    return check


def _message(check, language):
    [shown] = render(make_report(checks=[check]), language)["checks"]
    return shown["message"]


@pytest.fixture(scope="module")
def odd_gate(evidence_of):
    odd = Mistake("", "odd", {"act.i": lambda z: sigmoid(z + 0.3 * np.sin(3 * z))}, frozenset("i"))
    return evidence_of(lambda case: replay([odd], case))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unexplained_difference_is_told_plainly_with_its_place(odd_gate, language):
    check = _equivalence(odd_gate)
    right = ["f", "g", "o", "recurrence"]
    told = {"wrong": ["i"], "right": right, "variant": "parts", "timestep": 0}
    assert {name: check.params[name] for name in told} == told
    message = _message(check, language)
    for sentence in ("wrong_values.message.unexplained", "wrong_values.message.right", "part.i"):
        assert translate(sentence, language, right=right) in message


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_h_that_gates_hear_wrongly_is_told_where_nothing_explains_it(evidence_of, language):
    odd = Mistake("", "odd", {f"seen.{gate}": lambda h, c, older_h: h + h**2 for gate in GATES}, frozenset(GATES))
    check = _equivalence(evidence_of(lambda case: replay([odd], case)))
    assert translate("wrong_values.message.without_h", language) in _message(check, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_repair_is_said_with_its_number(evidence_of, language):
    evidence = evidence_of(lambda case: np.concatenate([case.expected[:, :2] * 3, case.expected[:, :-2]], axis=1))
    message = _message(_equivalence(evidence), language)
    assert translate("repair.time_shift", language, steps=-2) in message
    assert "\N{MINUS SIGN}2" in message


def test_answers_that_change_are_not_called_unexplained(odd_gate):
    again = {id: replace(answer, array=answer.array + 1) for id, answer in odd_gate.execution.answers.items()}
    evidence = replace(odd_gate, execution=replace(odd_gate.execution, repeats=again))
    assert "unexplained" not in _equivalence(evidence).params
    assert _equivalence(evidence).params["changes"]


def test_a_mistake_with_a_name_is_not_called_unexplained(evidence_of):
    for respond in (lambda case: 0 * case.expected, lambda case: 1.7 * case.expected):
        assert "unexplained" not in _equivalence(evidence_of(respond)).params


def test_a_first_step_that_alone_is_wrong_is_told(cases):
    def started(inputs):
        return replace(inputs, h=np.tanh(inputs.x[:, 0] @ inputs.kernel[:, : inputs.units]))

    odd = Mistake("", "odd", {"initial_h": started}, frozenset())
    assert _repair(cases, lambda case: replay([odd], case, np.float32)) == {"repair": ["first_step"]}
