"""The list of questions: its order and names give nothing away, and the same file always gets the same one."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from grader.errors import RunnerOutputForged
from grader.execution.questions import Examiner
from grader.sandbox.events import CaseOutput, Raised


@pytest.fixture
def lists(assignment, cases):
    """The lists of a hundred files."""
    return [Examiner(cases, f"# {n}", assignment.digest, None).everything() for n in range(100)]


def _ids(questions):
    return [(question.case.spec.id, question.call) for question in questions.asked]


def test_the_same_file_gets_the_same_questions(assignment, cases):
    first, again = (Examiner(cases, "source", assignment.digest, None).everything() for _ in range(2))
    assert [each.body() for each in first.asked] == [each.body() for each in again.asked]
    assert [each.body() for each in first.probes] == [each.body() for each in again.probes]
    assert all(np.array_equal(array, again.arrays()[name]) for name, array in first.arrays().items())


def test_names_say_nothing(lists, cases):
    names = [question.name for questions in lists for question in (*questions.asked, *questions.probes)]
    assert len(set(names)) == len(names)
    assert not any(case.spec.id in name for case in cases for name in names)


def test_every_question_may_come_at_several_places(lists, cases):
    places = {}
    for questions in lists:
        for place, id in enumerate(_ids(questions)):
            places.setdefault(id, set()).add(place)
    assert all(len(numbers) >= 3 for numbers in places.values()), places
    assert len({tuple(_ids(questions)) for questions in lists}) > 50


def test_a_second_call_comes_after_the_first_and_rarely_right_after_it(lists):
    gaps = []
    for questions in lists:
        ids = _ids(questions)
        smallest = next(id for id, call in ids if call == 1)
        gaps.append(ids.index((smallest, 1)) - ids.index((smallest, 0)))
    assert min(gaps) >= 1
    assert Counter(gaps)[1] < 50


def test_either_of_two_equal_questions_may_be_the_one_that_is_measured(lists):
    measured = Counter(question.call for questions in lists for question in questions.asked if question.measure)
    assert set(measured) == {0, 1}
    assert measured.total() == 100


def test_other_numbers_of_the_smallest_shape_are_new_for_every_file(lists, cases):
    smallest = min(cases, key=lambda case: case.expected.size)
    others = [questions.others[0] for questions in lists]
    assert {other.x.shape for other in others} == {smallest.x.shape}
    assert len({other.expected.tobytes() for other in others}) == 100
    assert all(np.ptp(other.expected) > 0.1 for other in others)


def test_a_file_that_could_hold_the_published_answer_is_asked_for_another_one_of_its_shape(assignment, cases):
    noise = random.Random(1).randbytes(cases[0].expected.size).hex()
    questions = Examiner(cases, f"KNOWN = '{noise}'", assignment.digest, None).everything()
    assert [other.x.shape for other in questions.others] == [
        min(cases, key=lambda case: case.expected.size).x.shape,
        cases[0].x.shape,
    ]


def _output(name, call=0):
    return CaseOutput(
        event="output", case=name, call=call, reused=False, kind="tensor", dtype=None, shape=None, parts=None
    )


def test_answers_are_told_in_the_order_of_the_assignments_cases(lists, cases):
    questions = lists[0]
    answers = questions.by_case([(_output(question.name), {}) for question in questions.asked])
    first_calls = [event.case for event, _ in answers if event.call == 0][: len(cases)]
    assert first_calls == [case.spec.id for case in cases]
    assert [event.call for event, _ in answers].count(1) == 1


def test_a_name_that_nobody_was_asked_by_is_forged(lists, cases):
    raised = Raised(event="raised", phase="call", case=cases[0].spec.id, type="E", bases=[], message="", lines=[])
    for event in (_output(cases[0].spec.id), raised):
        with pytest.raises(RunnerOutputForged):
            lists[0].by_case([(event, {})])
