"""Points of a wrong answer for its right parts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks.registry import run_checks
from grader.numerics.written_formulas import written_mistake
from grader.sandbox.events import BuiltIn
from reference.cell import sigmoid
from reference.lstm.misconceptions import PARTS, Mistake, bank, replay

SINGLES = {mistake.name: mistake for mistake in bank()}
ODD_GATES = {
    gate: Mistake("", f"odd {gate}", {f"act.{gate}": lambda z, own=own: own(z + 0.3 * np.sin(3 * z))}, frozenset(gate))
    for gate, own in {"i": sigmoid, "f": sigmoid, "g": np.tanh, "o": sigmoid}.items()
}


def _checks(evidence):
    return {check.id: check for check in run_checks(evidence).checks}


def _points(evidence):
    return _checks(evidence)["equivalence"].points


@pytest.fixture(scope="module")
def unexplained(evidence_of):
    return evidence_of(lambda case: replay([ODD_GATES["i"]], case))


@pytest.mark.parametrize(
    ("names", "points"),
    [
        (["layers of i and f exchanged"], 15),
        (["no bias in ifgo"], 5),
        (["c stays"], 15),  # nothing shows what f is
        (["h stays"], 20),  # has the numbers of four missing layers, which would leave nothing right
        (["no bias in i", "no tanh in g"], 15),
        (["h = tanh(g)"], 0),
    ],
)
def test_parts_that_an_exact_diagnosis_leaves_right_earn_points(evidence_of, names, points):
    mistakes = [SINGLES[name] for name in names]
    assert _points(evidence_of(lambda case: replay(mistakes, case))) == points


def test_a_gate_that_the_code_shows_to_be_wrong_is_not_called_right(evidence_of):
    formulas = {name: f"{'tanh' if name == 'g' else 'sigmoid'}(x_{name})" for name in "ifgo"}
    mistake = written_mistake(formulas).mistake
    evidence = evidence_of(lambda case: replay([mistake], case), reading={"formulas": formulas})
    check = _checks(evidence)["equivalence"]
    assert (check.points, check.params.get("right")) == (20, None)


@pytest.mark.parametrize("gate", ODD_GATES)
def test_without_a_diagnosis_the_probes_tell_what_is_right(evidence_of, gate):
    evidence = evidence_of(lambda case: replay([ODD_GATES[gate]], case))
    assert evidence.understanding.explanation is None
    assert evidence.understanding.right_parts >= set("ifgo") - {gate}
    assert _points(evidence) == 5 * len(evidence.understanding.right_parts) < 25


@pytest.mark.parametrize(
    ("changes", "repeats", "is_missed"),
    [({"roles": {}}, True, True), ({"roles": {}}, False, False), ({}, True, False)],
)
def test_parts_are_missed_where_none_has_a_role_and_the_answer_repeats(unexplained, changes, repeats, is_missed):
    execution = unexplained.execution
    first = unexplained.exercise
    second = execution.answers[first if repeats else execution.twin]
    parts = execution.parts.model_copy(update=changes)
    execution = replace(execution, parts=parts, repeats={first: second})
    assert (_checks(replace(unexplained, execution=execution))["equivalence"].code == "parts_not_found") == is_missed


@given(right=st.sets(st.sampled_from(PARTS)), worth=st.floats(0, 1000))
def test_every_part_is_worth_a_tenth_of_what_the_assignment_sets(unexplained, right, worth):
    points = {**unexplained.assignment.points, "equivalence": worth}
    evidence = replace(
        unexplained,
        assignment=unexplained.assignment.model_copy(update={"points": points}),
        understanding=replace(unexplained.understanding, right_parts=frozenset(right)),
    )
    checks = _checks(evidence)
    assert checks["equivalence"].points == pytest.approx(worth * len(right) / 10, abs=1e-5)
    assert checks["equivalence"].max_points == worth
    assert (checks["statelessness"].code == "equivalence_not_earned") == (not right)
    assert (checks["trainability"].code == "equivalence_not_earned") == (not right)


def test_a_class_that_knows_the_probes_when_it_sees_them_earns_only_the_contract(evidence_of):
    """Other answers that are none have no right part: tests/unit/reference/test_probes.py."""
    checks = _checks(evidence_of(lambda case: case.expected * (case.spec.category == "probe")))
    assert {check.id for check in checks.values() if check.points} == {"contract"}


@pytest.mark.parametrize("shaped", [lambda y: y[..., :-1], lambda y: y.mean(1)])
def test_an_answer_that_does_not_show_what_the_cell_does_earns_nothing(evidence_of, shaped):
    assert _points(evidence_of(lambda case: shaped(case.expected))) == 0


@pytest.mark.parametrize(("off", "status"), [(2e-3, "passed"), (0.2, "failed"), (np.nan, "failed")])
def test_a_second_call_may_differ_by_rounding_which_grows_with_the_numbers(evidence_of, off, status):
    evidence = evidence_of(lambda case: 1000 * case.expected)
    first = evidence.execution.answers["exercise"]
    repeats = {"exercise": replace(first, array=first.array + np.float32(off))}
    repeated = replace(evidence, execution=replace(evidence.execution, repeats=repeats))
    assert _checks(repeated)["statelessness"].status == status


BUILT_IN = BuiltIn(name="LSTMCell", layer="LSTM", line=7, is_global=False)


def test_an_answer_without_numbers_is_somebody_elses_work_where_that_was_asked_for(unexplained):
    execution = unexplained.execution
    nothing = {id: replace(answer, array=answer.array * np.float32(np.nan)) for id, answer in execution.answers.items()}
    asked = replace(execution, built_in=(BUILT_IN,), answers=nothing)
    evidence = replace(unexplained, execution=asked)
    check = _checks(evidence)["own_work"]
    assert (check.code, check.params["layer"], check.params["line"]) == ("uses_builtin_lstm", "LSTM", 7)
    assert _points(evidence) == 0


def test_code_beside_the_answer_neither_takes_nor_gives_points(unexplained):
    asked = replace(unexplained.execution, built_in=(BUILT_IN,))
    assert _points(replace(unexplained, execution=asked)) == _points(unexplained)
