"""Laws of the counted grade, over histories of every kind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.courses.extensions import apply_extension
from app.lti.grades.expected import ExpectedGrade, expected_grade
from app.storage.models import Adjustment, Extension, HoldDecision, LtiScore
from app.submissions.derivation import StepCode, Terms, count, in_words
from app.submissions.policy import Attempt, check_attempt, grade_by_rules
from grader import Assignment
from grader.assignment import BUILT_IN, read_assignment
from grader.batch import cells

DUE = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
DAY = timedelta(days=1)
PLAIN = read_assignment(BUILT_IN / "lstm-layer.toml")
MAX = PLAIN.max_points


def assignment(attempts: dict[str, Any] | None = None, **deadline: Any) -> Assignment:
    return Assignment.model_validate(PLAIN.model_dump() | {"attempts": attempts or {}, "deadline": deadline})


def adjustment(**values: Any) -> Adjustment:
    return Adjustment(
        **{"id": "a1", "delta": None, "value": None, "reason": "a nice plot.", "points_below": None, **values}
    )


def extension(**values: Any) -> Extension:
    return Extension(**{"due": None, "closes": None, "more_attempts": 0, "reason": "ill", **values})


points = st.one_of(st.none(), st.integers(0, int(MAX) * 4).map(lambda each: each / 4))
moments = st.integers(-5 * 24, 40 * 24).map(lambda hours: DUE + timedelta(hours=hours, minutes=7))


@st.composite
def histories(draw: st.DrawFn) -> list[Attempt]:
    attempts = []
    for number in range(1, draw(st.integers(0, 6)) + 1):
        earned = draw(points)
        held = draw(st.sampled_from([None, "waits", HoldDecision.REJECTED, HoldDecision.ACCEPTED]))
        attempts.append(
            Attempt(
                number,
                draw(moments),
                earned,
                MAX if earned is not None else 0.0,
                is_ours=earned is None and draw(st.booleans()),
                is_withheld=held in ("waits", HoldDecision.REJECTED),
                decision=held if isinstance(held, HoldDecision) else None,
            )
        )
    return attempts


assignments = st.builds(
    lambda counts, due, percent, most: assignment(
        {"counts": counts}, due=DUE if due else None, late_percent_per_day=percent if due else 0, late_percent_max=most
    ),
    st.sampled_from(["best", "last"]),
    st.booleans(),
    st.sampled_from([0, 7, 10, 33.3, 100]),
    st.sampled_from([30, 100]),
)
extensions = st.one_of(
    st.none(), st.builds(lambda due, more: extension(due=due, more_attempts=more), moments, st.integers(0, 5))
)
adjustments = st.one_of(
    st.none(),
    st.builds(lambda delta: adjustment(delta=delta), st.integers(-400, 400).map(lambda each: each / 4)),
    st.builds(lambda value: adjustment(value=value), st.integers(0, 200).map(float)),
)
terms = st.builds(Terms, assignments, extensions, adjustments, st.just(True), st.sampled_from([None, 10.0, MAX]))


@given(terms, histories())
def test_grade_is_within_0_and_the_maximum_and_the_last_step_has_it(held, attempts):
    counted = count(held, attempts)
    assert counted.points is None or 0 <= counted.points <= counted.max_points
    assert counted.grade_book is None or 0 <= counted.grade_book <= counted.grade_book_max
    assert counted.steps[-1].points == counted.points
    assert (counted.grade_book is None) == (counted.points is None)


@given(terms, histories())
def test_changes_of_the_steps_lead_from_the_report_to_the_grade(held, attempts):
    left: float | None = None
    for step in count(held, attempts).steps:
        if step.code in (StepCode.LATE, StepCode.ADJUSTED):
            assert step.points == pytest.approx(left + step.params["change"])
        elif step.code not in (StepCode.REPORT, StepCode.SET, StepCode.KEPT_WITHIN):
            assert step.points == left
        left = step.points


@given(assignments, histories())
def test_without_exceptions_the_grade_is_that_of_the_rules_alone(plain, attempts):
    counted = count(Terms(plain), attempts)
    by_rules = [grade_by_rules(plain, attempts, each.number) for each in attempts]
    counting = [grade for grade in by_rules if grade is not None and grade.counts]
    if not counting:
        assert (counted.points, counted.attempt) == (None, None)
        return
    (grade,) = counting
    assert (counted.points, counted.max_points, counted.attempt, counted.late_days) == (
        grade.points,
        grade.max_points,
        grade.counting_attempt,
        grade.late_days,
    )
    assert counted.points_below == counted.points


@given(terms, histories(), st.randoms())
def test_order_of_attempts_changes_nothing_nor_does_asking_again(held, attempts, chance):
    counted = count(held, attempts)
    shuffled = attempts.copy()
    chance.shuffle(shuffled)
    assert count(held, shuffled) == counted == count(held, attempts)


@given(terms, histories(), moments, st.integers(0, 3))
def test_extension_never_lowers_a_grade(held, attempts, due, more):
    without, given = replace(held, extension=None), replace(held, extension=extension(due=due, more_attempts=more))
    before, after = count(without, attempts).points, count(given, attempts).points
    assert (before is None) == (after is None)
    assert before is None or after is None or after >= before


@given(terms, histories(), st.integers(1, 6))
def test_more_points_never_lower_a_grade(held, attempts, number):
    better = [
        replace(each, points=min(each.points + 10, MAX)) if each.number == number and each.points is not None else each
        for each in attempts
    ]
    before, after = count(held, attempts).points, count(held, better).points
    assert before is None or after is None or after >= before


@given(terms, histories())
def test_adjustment_applies_once_and_is_stale_when_points_below_moved(held, attempts):
    below = count(replace(held, adjustment=None), attempts)
    for made in (adjustment(delta=5.0, points_below=below.points), adjustment(value=5.0, points_below=below.points)):
        counted = count(replace(held, adjustment=made), attempts)
        assert counted.points_below == below.points
        assert not counted.is_stale
        assert count(replace(held, adjustment=adjustment(delta=5.0, points_below=-1.0)), attempts).is_stale
    assert count(replace(held, adjustment=adjustment(delta=0.0)), attempts).points == below.points


@given(terms, histories())
def test_attempt_of_the_staff_never_counts(held, attempts):
    counted = count(replace(held, is_student=False), attempts)
    assert (counted.points, counted.grade_book, counted.is_adjusted) == (None, None, False)
    assert [step.code for step in counted.steps] == [StepCode.NOT_A_STUDENT]


@given(terms, histories(), st.sampled_from(["en", "ru"]))
def test_every_derivation_has_words(held, attempts, language):
    words = in_words(count(held, attempts).steps, language)
    assert words
    assert "?" not in words
    assert "step." not in words


def test_points_for_a_platform_are_rounded_by_the_platform():
    """It shows them in a scale of its own: 5.62 of 12.5 would be 44.96 of 100 there."""
    counted = count(Terms(assignment(), grade_book_points=12.5), [Attempt(1, DUE, 45.0, 100)])
    assert (counted.unrounded, counted.grade_book) == (5.625, 5.62)
    assert expected_grade(LtiScore(), counted) == ExpectedGrade(5.625, 12.5)


def test_derivation_reads_as_a_sum():
    late = [Attempt(1, DUE + 9 * DAY, 100.0, 100), Attempt(2, DUE + 2.5 * DAY, 100.0, 100)]
    penalised = assignment(due=DUE, late_percent_per_day=10)
    terms = Terms(penalised, adjustment=adjustment(delta=5.0, points_below=70.0), grade_book_points=10)
    counted = count(terms, late)
    assert (counted.points, counted.points_below, counted.grade_book, counted.attempt) == (75, 70, 7.5, 2)
    assert in_words(counted.steps, "en") == (
        "points 100 of 100 (attempt 2), 3 days late −30, the best of 2 graded attempts, adjusted +5 (“a nice plot”), "
        "in the grade book 7.5 of 10"
    )
    assert in_words(counted.steps, "ru") == (
        "баллы 100 из 100 (попытка 2), опоздание 3 дня −30, лучшая из проверенных попыток (всего 2), "
        "поправка +5 («a nice plot»), в ведомости 7,5 из 10"
    )


@pytest.mark.parametrize(
    ("made", "earned", "expected", "codes"),
    [
        ({"delta": 20.0}, 90.0, 100.0, ["report", "adjusted", "kept_within"]),
        ({"delta": -95.0}, 90.0, 0.0, ["report", "adjusted", "kept_within"]),
        ({"value": 55.0}, 90.0, 55.0, ["report", "set"]),
        ({"value": 55.0}, None, 55.0, ["no_attempt", "set"]),
        ({"delta": 5.0}, None, None, ["no_attempt", "adjustment_waits"]),
        ({"value": 33.333}, None, 33.33, ["no_attempt", "set"]),
    ],
)
def test_adjustment_is_applied_last_and_kept_within(made, earned, expected, codes):
    attempts = [] if earned is None else [Attempt(1, DUE, earned, 100)]
    counted = count(Terms(assignment(), adjustment=adjustment(**made)), attempts)
    assert counted.points == expected
    assert [step.code for step in counted.steps] == codes


@pytest.mark.parametrize(("made", "earned"), [({"delta": -90.001}, 90.0), ({"value": -0.0}, None)])
def test_nothing_is_written_as_0_in_the_grade_book(made, earned):
    attempts = [] if earned is None else [Attempt(1, DUE, earned, 100)]
    assert cells.number(count(Terms(assignment(), adjustment=adjustment(**made)), attempts).grade_book) == "0"


@pytest.mark.parametrize(
    ("attempt", "code"),
    [
        (Attempt(1, DUE, None), "not_graded"),
        (Attempt(1, DUE, None, is_ours=True), "not_graded"),
        (Attempt(1, DUE, None, is_cancelled=True), "no_attempt"),
        (Attempt(1, DUE, 90.0, 100, is_withheld=True), "withheld"),
        (Attempt(1, DUE, 90.0, 100, is_withheld=True, decision=HoldDecision.REJECTED), "withheld"),
    ],
)
def test_attempt_without_a_grade_says_why(attempt, code):
    counted = count(Terms(assignment()), [attempt])
    assert (counted.points, [step.code for step in counted.steps]) == (None, [code])
    assert counted.is_held == (attempt.is_withheld and attempt.decision is None)
    assert counted.attempts == (not attempt.is_cancelled)


def test_accepted_attempt_and_extended_date_are_in_the_derivation():
    attempt = Attempt(1, DUE + DAY, 90.0, 100, decision=HoldDecision.ACCEPTED)
    penalised = assignment(due=DUE, late_percent_per_day=10)
    counted = count(Terms(penalised, extension(due=DUE + 2 * DAY)), [attempt])
    assert (counted.points, counted.in_extension) == (90, True)
    assert [step.code for step in counted.steps] == ["report", "accepted", "extended"]
    too_late = count(Terms(penalised, extension(due=DUE + DAY / 2)), [replace(attempt, created_at=DUE + 2 * DAY)])
    assert (too_late.late_days, too_late.in_extension) == (2, False)


def test_derivation_names_the_attempts_that_a_decision_keeps_out():
    attempts = [
        Attempt(1, DUE, 40.0, 100),
        Attempt(2, DUE, 90.0, 100, is_withheld=True, decision=HoldDecision.REJECTED),
        Attempt(3, DUE, 95.0, 100, is_withheld=True),
    ]
    counted = count(Terms(assignment()), attempts)
    assert (counted.points, counted.is_held) == (40, True)
    assert in_words(counted.steps, "en") == (
        "points 40 of 100 (attempt 1), held or rejected and left out: attempt 2, 3"
    )


def test_extension_adds_to_dates_and_attempts_of_the_course_and_takes_nothing_away():
    limited = assignment({"limit": 1}, due=DUE, closes=DUE + DAY)
    longer = apply_extension(limited, extension(due=DUE + 3 * DAY, more_attempts=1))
    assert longer.deadline.due == longer.deadline.closes == DUE + 3 * DAY
    assert longer.attempts.limit == 2
    check_attempt(longer, [Attempt(1, DUE, 10.0, 100)], DUE + 2 * DAY)
    assert apply_extension(limited, extension(due=DUE - DAY, closes=DUE - DAY)).deadline == limited.deadline
    assert apply_extension(assignment(), extension(due=DUE, more_attempts=3)) == assignment()
    assert apply_extension(limited, None) is limited
