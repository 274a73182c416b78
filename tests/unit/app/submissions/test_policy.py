"""The rules of an assignment: how many attempts, until when, and the grade of a late one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.errors import AssignmentClosed, AssignmentNotOpen, AttemptRefused, AttemptsUsedUp, AttemptTooSoon
from app.submissions.policy import Attempt, check_attempt, grade_by_rules, lateness
from grader import Assignment
from grader.assignment import BUILT_IN, read_assignment

DUE = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def assignment(attempts: dict[str, Any] | None = None, **deadline: Any) -> Assignment:
    plain = read_assignment(BUILT_IN / "lstm-layer.toml")
    return Assignment.model_validate(plain.model_dump() | {"attempts": attempts or {}, "deadline": deadline})


def attempts(*points: float | None, first: datetime = DUE - DAY, step: timedelta = MINUTE) -> list[Attempt]:
    return [Attempt(number + 1, first + number * step, each, 100) for number, each in enumerate(points)]


def test_without_rules_everything_is_accepted_and_on_time():
    check_attempt(assignment(), attempts(*[100.0] * 500), DUE)
    assert lateness(assignment(), DUE) == (0, 0)


def test_attempts_are_limited_and_those_we_failed_to_grade_are_none():
    limited = assignment({"limit": 2})
    ours = Attempt(2, DUE, None, is_ours=True)
    waiting = Attempt(3, DUE, None)
    check_attempt(limited, [*attempts(50.0), ours], DUE + DAY)
    with pytest.raises(AttemptsUsedUp) as refusal:
        check_attempt(limited, [*attempts(50.0), ours, waiting], DUE + DAY)
    assert refusal.value.params == {"limit": 2}


@pytest.mark.parametrize(
    ("after", "left"),
    [(timedelta(0), 60), (timedelta(seconds=20.5), 40), (timedelta(seconds=59.9), 1), (timedelta(seconds=60), None)],
)
def test_attempt_during_the_cooldown_is_told_how_long_to_wait(after, left):
    cooled = assignment({"cooldown_seconds": 60})
    earlier = attempts(10.0, None)
    now = earlier[-1].created_at + after
    if left is None:
        check_attempt(cooled, earlier, now)
        return
    with pytest.raises(AttemptTooSoon) as refusal:
        check_attempt(cooled, earlier, now)
    assert refusal.value.params == {"retry_after_seconds": left, "cooldown_seconds": 60}


def test_clock_that_was_set_back_locks_nobody_out():
    cooled, earlier = assignment({"cooldown_seconds": 60}), attempts(10.0, 10.0)
    check_attempt(cooled, earlier, DUE - 3 * DAY)
    # Nor does one that was ahead for a while free anybody of the wait.
    ahead = [replace(earlier[0], created_at=DUE + DAY), earlier[1]]
    with pytest.raises(AttemptTooSoon):
        check_attempt(cooled, ahead, earlier[1].created_at + timedelta(seconds=1))


def test_assignment_is_open_from_one_moment_on_and_closed_from_another():
    opening, instant = assignment(opens=DUE - DAY, due=DUE, closes=DUE + DAY), timedelta(microseconds=1)
    for now in (DUE - DAY, DUE + DAY - instant):
        check_attempt(opening, [], now)
    with pytest.raises(AssignmentNotOpen):
        check_attempt(opening, [], DUE - DAY - instant)
    with pytest.raises(AssignmentClosed) as refusal:
        check_attempt(opening, [], DUE + DAY)
    assert refusal.value.params == {"closed_at": "2026-03-02T23:59:00+00:00"}
    assert isinstance(refusal.value, AttemptRefused)


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (timedelta(0), (0, 0)),
        (timedelta(seconds=1), (1, 10)),
        (DAY, (1, 10)),
        (DAY + timedelta(seconds=1), (2, 20)),
        (90 * DAY, (90, 50)),
    ],
)
def test_each_day_begun_costs_until_the_maximum(late, expected):
    penalised = assignment(due=DUE, late_percent_per_day=10, late_percent_max=50)
    assert lateness(penalised, DUE + late) == expected


def test_late_attempt_loses_part_of_its_grade():
    penalised = assignment(due=DUE, late_percent_per_day=10)
    grade = grade_by_rules(penalised, attempts(80.0, first=DUE + MINUTE), 1)
    assert (grade.points, grade.max_points, grade.late_days, grade.penalty_percent) == (72, 100, 1, 10)
    assert grade.counts


@pytest.mark.parametrize(
    ("counts", "points", "expected"),
    [
        ("best", [40.0, 90.0, 60.0, None], 2),
        ("best", [90.0, 90.0], 1),
        ("last", [40.0, 90.0, 60.0, None], 3),
    ],
)
def test_best_or_last_graded_attempt_counts(counts, points, expected):
    graded = attempts(*points)
    grades = {each.number: grade_by_rules(assignment({"counts": counts}), graded, each.number) for each in graded}
    assert [number for number, grade in grades.items() if grade is not None and grade.counts] == [expected]
    counting = {(grade.counting_attempt, grade.counting_points) for grade in grades.values() if grade is not None}
    assert counting == {(expected, points[expected - 1])}
    assert [number for number, grade in grades.items() if grade is None] == [
        each.number for each in graded if each.points is None
    ]


@pytest.mark.parametrize("counts", ["best", "last"])
def test_file_with_nothing_to_run_uses_up_no_attempt_and_counts_only_alone(counts):
    limited = assignment({"limit": 2, "counts": counts})
    invalid = Attempt(2, DUE, 0.0, 100, is_invalid=True)
    check_attempt(limited, [*attempts(50.0), invalid], DUE + DAY)
    assert grade_by_rules(limited, [invalid], 2).counts
    assert grade_by_rules(limited, [*attempts(50.0), invalid], 2) is None
    assert grade_by_rules(limited, [*attempts(50.0), invalid], 1).counts


def test_best_is_judged_after_what_lateness_costs():
    penalised = assignment(due=DUE, late_percent_per_day=50)
    graded = [*attempts(60.0), Attempt(2, DUE + MINUTE, 100.0, 100)]
    on_time, late = (grade_by_rules(penalised, graded, number) for number in (1, 2))
    assert (on_time.points, on_time.counts, late.points, late.counts) == (60, True, 50, False)
