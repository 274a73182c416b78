"""The choice between several runs, and between several readings of the weights."""

from dataclasses import replace

import numpy as np
import pytest

from grader.diagnosis.evidence import Judgement
from grader.execution.choosing import choose
from grader.execution.execution import Roles
from grader.pipeline import best
from grader.report.finding import Finding, Verdict
from grader.sandbox.events import Constructed, Trial
from reference import search_case
from reference.lstm.misconceptions import rare, replay


def _run(evidence, **changes):
    """A run that earns nothing."""
    evidence = replace(evidence, execution=replace(evidence.execution, **changes))
    return Judgement(evidence, dict.fromkeys(evidence.assignment.points, Verdict.failed(Finding.of("wrong_values"))))


def test_of_two_runs_that_earn_nothing_the_one_that_came_further_is_reported(evidence_of):
    nothing = evidence_of()
    constructed = Constructed(event="constructed", arguments=[], defaults={})
    first = _run(nothing, parts=None)
    further = _run(nothing, parts=None, constructed=constructed)
    furthest = _run(evidence_of(lambda case: case.expected * 0), constructed=constructed)
    assert best([first, further]).evidence is further.evidence
    assert best([further, furthest]).evidence is furthest.evidence
    assert best([furthest, first]).evidence is furthest.evidence
    assert best([first, _run(nothing, parts=None)]) is first
    # Weights that are known answer nothing.
    assert best([first, _run(nothing)]) is first


def _noise(seed):
    random = np.random.default_rng(seed)
    return lambda expected: expected + random.normal(0, 0.5, expected.shape)


def _dropped(expected):
    return expected * (np.random.default_rng(1).random(expected.shape) > 0.3) / 0.7


@pytest.mark.parametrize(
    ("right", "answer", "repeats"),
    [
        pytest.param(3, lambda expected: expected, True, id="the right answer"),
        # It is no noise.
        pytest.param(17, _dropped, False, id="right values behind dropout"),
        pytest.param(5, lambda expected: expected + 0.01, False, id="a state that is kept"),
        pytest.param(None, None, False, id="answers that change from call to call"),
    ],
)
def test_the_pairing_whose_answer_is_nearly_right_is_chosen(cases, right, answer, repeats):
    searched = search_case(cases)
    answers = [_noise(seed) for seed in range(24)]
    if right is not None:
        answers[right] = answer
    trial = Trial(event="trial", case=searched.spec.id, pairing={}, repeats=repeats)
    outputs = np.stack([each(searched.expected) for each in answers]).astype(np.float32)
    found = choose(trial, {"output": outputs}, cases, lambda case: pytest.fail("no table is needed"))
    assert found == (None if right is None else Roles(right))


@pytest.mark.parametrize("repeats", [True, False])
def test_of_answers_without_a_finite_number_the_first_is_chosen(cases, repeats):
    searched = search_case(cases)
    trial = Trial(event="trial", case=searched.spec.id, pairing={}, repeats=repeats)
    outputs = np.full((24, *searched.expected.shape), np.nan, np.float32)
    found = choose(trial, {"output": outputs}, cases, lambda case: pytest.fail("no table is needed"))
    assert found == Roles(0)


def test_of_answers_that_nothing_explains_one_that_begins_rightly_is_chosen(cases, table):
    searched, random = search_case(cases), np.random.default_rng(4)
    near = searched.expected + random.normal(0, 0.01, (3, *searched.expected.shape)).astype(np.float32)
    begun = searched.expected + random.normal(0, 0.5, searched.expected.shape).astype(np.float32)
    begun[:, 0] = searched.expected[:, 0]
    trial = Trial(event="trial", case=searched.spec.id, pairing={}, repeats=True)
    assert choose(trial, {"output": np.stack([*near, begun])}, cases, lambda case: table) == Roles(3)


def test_of_answers_that_the_table_lacks_the_one_with_a_rare_mistake_is_chosen(cases, table):
    searched = search_case(cases)
    softmax = next(each for each in rare() if each.name == "softmax(stack([i, f, ch, o]), axis=0) in ifgo")
    begun = _noise(4)(searched.expected)
    begun[:, 0] = searched.expected[:, 0]
    outputs = np.stack([_noise(1)(searched.expected), begun, replay([softmax], searched)]).astype(np.float32)
    trial = Trial(event="trial", case=searched.spec.id, pairing={}, repeats=True)
    assert choose(trial, {"output": outputs}, cases, lambda case: table) == Roles(2)
