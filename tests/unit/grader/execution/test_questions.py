"""The list of questions: drawn from the attempt's seed, with an order and names that give nothing away."""

from collections import Counter

import numpy as np
import pytest

from grader.errors import RunnerOutputForged
from grader.execution.questions import MOST_STEPS, Examiner
from grader.sandbox.events import CaseOutput, Raised
from reference import SEED_BYTES, CaseSpec, draw


def examiner(cases, number, generation="3"):
    return Examiner(cases, number.to_bytes(SEED_BYTES), generation, long_gradients=False)


@pytest.fixture(scope="module")
def lists(cases):
    """The lists of a hundred attempts."""
    return [examiner(cases, number).everything() for number in range(100)]


def _ids(questions):
    return [(question.case.spec.id, question.call) for question in questions.in_order]


def _bodies(questions):
    return [question.body() for question in (*questions.in_order, *questions.probes)]


def test_the_same_seed_gives_the_same_questions(cases):
    first, again = (examiner(cases, 7).everything() for _ in range(2))
    assert _bodies(first) == _bodies(again)
    assert all(np.array_equal(array, again.arrays()[name]) for name, array in first.arrays().items())


def test_two_published_cases_are_asked_and_all_other_numbers_are_drawn(lists, cases):
    published = {case.x.tobytes(): case.spec.id for case in cases}
    for questions in lists:
        given = [question.case for question in (*questions.in_order, *questions.probes)]
        assert {published.get(case.x.tobytes()) for case in given} - {None} == {"exercise", "larger_values"}
        assert all(case.is_drawn for case in given if case.x.tobytes() not in published)
    drawn = Counter(
        array.tobytes() for questions in lists for case in questions.all_cases if case.is_drawn for array in [case.x]
    )
    assert set(drawn.values()) == {1}


def test_each_generation_of_keras_is_asked_its_own_numbers(cases):
    three, two = (examiner(cases, 7, generation) for generation in "32")
    for case, other in zip(three.cases, two.cases, strict=True):
        assert np.array_equal(case.expected, other.expected) != case.is_drawn


def test_every_size_and_kind_of_values_of_the_assignment_is_drawn(lists, cases):
    for questions in lists[:3]:
        drawn = [(case.spec, case.is_drawn) for case in questions.cases[1 : len(cases)]]
        assert drawn == [(case.spec, True) for case in cases[1:]]


def test_the_exercises_twin_has_its_layer_and_fewer_steps(lists, cases):
    exercise = cases[0].spec
    twins = [questions.cases[len(cases)].spec for questions in lists]
    assert {(twin.batch, twin.features, twin.units) for twin in twins} == {
        (exercise.batch, exercise.features, exercise.units)
    }
    steps = {twin.timesteps for twin in twins}
    assert len(steps) > 1
    assert max(steps) <= MOST_STEPS < exercise.timesteps


def test_an_exercise_of_three_steps_has_a_twin_of_three(cases):
    short = draw(CaseSpec("exercise", "public", "exercise", 2, 3, 5, 4, seed=1), np.random.default_rng(1))
    assert examiner((short, *cases[1:]), 1).twin.spec.timesteps == 3


def test_names_say_nothing(lists, cases):
    names = [question.name for questions in lists for question in (*questions.in_order, *questions.probes)]
    assert len(set(names)) == len(names)
    assert not any(case.spec.id in name for case in cases for name in names)


def test_every_question_may_come_at_several_places(lists):
    places = {}
    for questions in lists:
        for place, id in enumerate(_ids(questions)):
            places.setdefault(id, set()).add(place)
    assert all(len(numbers) >= 3 for numbers in places.values()), places
    assert len({tuple(_ids(questions)) for questions in lists}) > 50


def test_gradients_of_published_numbers_are_multiplied_by_drawn_ones(lists):
    asked = [
        (questions.arrays(), next(each for each in questions.in_order if each.main).name) for questions in lists[:3]
    ]
    assert len({arrays[f"{name}/factors"].tobytes() for arrays, name in asked}) == 3


def test_a_second_call_comes_after_the_first_and_rarely_right_after_it(lists):
    gaps = []
    for questions in lists:
        ids = _ids(questions)
        smallest = next(id for id, call in ids if call == 1)
        gaps.append(ids.index((smallest, 1)) - ids.index((smallest, 0)))
    assert min(gaps) >= 1
    assert Counter(gaps)[1] < 50


def test_either_of_two_equal_questions_may_be_the_one_that_is_measured(lists):
    measured = Counter(question.call for questions in lists for question in questions.in_order if question.measure)
    assert set(measured) == {0, 1}
    assert measured.total() == 100


def _output(name, call=0):
    return CaseOutput(
        event="output", case=name, call=call, reused=False, kind="tensor", dtype=None, shape=None, parts=None
    )


def test_answers_are_told_in_the_order_of_the_assignments_cases(lists, cases):
    questions = lists[0]
    answers = questions.by_case([(_output(question.name), {}) for question in questions.in_order])
    first_calls = [event.case for event, _ in answers if event.call == 0][: len(cases)]
    assert first_calls == [case.spec.id for case in cases]
    assert [event.call for event, _ in answers].count(1) == 1


def test_a_name_that_nobody_was_asked_by_is_forged(lists, cases):
    raised = Raised(event="raised", phase="call", case=cases[0].spec.id, type="E", bases=[], message="", lines=[])
    for event in (_output(cases[0].spec.id), raised):
        with pytest.raises(RunnerOutputForged):
            lists[0].by_case([(event, {})])
