"""The choice between several runs, and between several readings of the weights."""

from __future__ import annotations

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


@pytest.fixture
def chosen(cases):
    """Decide by a trial with these answers to the search case."""
    searched = search_case(cases)

    def decide(answers, *, repeats):
        trial = Trial(event="trial", case=searched.spec.id, pairing={}, repeats=repeats)
        outputs = np.stack([answer(searched.expected) for answer in answers]).astype(np.float32)
        return choose(trial, {"output": outputs}, cases, lambda case: pytest.fail("no table is needed"))

    return decide


def _noise(seed):
    random = np.random.default_rng(seed)
    return lambda expected: expected + random.normal(0, 0.5, expected.shape)


def _dropped(expected):
    return expected * (np.random.default_rng(1).random(expected.shape) > 0.3) / 0.7


def test_answers_that_change_from_call_to_call_leave_the_pairing_open(chosen):
    answers = [_noise(seed) for seed in range(24)]
    assert chosen(answers, repeats=False) is None


def test_right_values_behind_dropout_tell_the_pairing_for_they_are_no_noise(chosen):
    answers = [_noise(seed) for seed in range(24)]
    answers[17] = _dropped
    assert chosen(answers, repeats=False) == Roles(17)


def test_a_state_that_is_kept_hides_the_pairing_not(chosen):
    answers = [_noise(seed) for seed in range(24)]
    answers[5] = lambda expected: expected + 0.01
    assert chosen(answers, repeats=False) == Roles(5)


def test_the_right_answer_is_chosen(chosen):
    answers = [_noise(seed) for seed in range(24)]
    answers[3] = lambda expected: expected
    assert chosen(answers, repeats=True) == Roles(3)


def test_of_answers_that_nothing_explains_one_that_begins_rightly_is_chosen(cases, table):
    searched, random = search_case(cases), np.random.default_rng(4)
    near = searched.expected + random.normal(0, 0.01, (3, *searched.expected.shape)).astype(np.float32)
    begun = searched.expected + random.normal(0, 0.5, searched.expected.shape).astype(np.float32)
    begun[:, 0] = searched.expected[:, 0]
    trial = Trial(event="trial", case=searched.spec.id, pairing={}, repeats=True)
    assert choose(trial, {"output": np.stack([*near, begun])}, cases, lambda case: table) == Roles(3)
