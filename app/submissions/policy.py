"""The rules on attempts and deadlines: the refusal of uploads, and the choice of the attempt that counts.

A report's points do not depend on the time of the upload. The penalty for lateness and the attempt that counts are
computed from the current rules on each request: those of the course, or else those of the assignment file. So a teacher
can move a deadline without a regrade.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.bodies import Body, shows
from app.errors import AssignmentClosed, AssignmentNotOpen, AttemptsUsedUp, AttemptTooSoon
from app.storage.models import HoldDecision
from grader import Assignment

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Attempt:
    """One of a student's attempts at an assignment.

    Attributes:
        points: the points in the counting report; None: there is no report, or we failed to grade.
        is_ours: grading failed by our fault.
        is_invalid: there was nothing in it to run.
        is_withheld: it is held for a teacher, or was rejected.
        decision: the teacher's decision, if it was held.
        is_cancelled: it was cancelled before it was graded.
    """

    number: int
    created_at: datetime
    points: float | None
    max_points: float = 0.0
    is_ours: bool = False
    is_invalid: bool = False
    is_withheld: bool = False
    decision: HoldDecision | None = None
    is_cancelled: bool = False

    @property
    def is_used(self) -> bool:
        """Whether it is one of the attempts that the student may make."""
        return not (self.is_ours or self.is_invalid)


class Grade(Body):
    """The grade of an attempt, by the assignment's current rules."""

    points: float = shows("the report's points, less the penalty for lateness")
    max_points: float
    late_days: int = shows("days begun since the due date", 0)
    penalty_percent: float = shows("of the report's points", 0.0)
    counts: bool = shows("whether this attempt is the student's grade: the best or the last one")
    counting_attempt: int = shows("the number of the attempt that counts", 1)
    counting_points: float = shows("the points of the attempt that counts")


def check_attempt(assignment: Assignment, earlier: Sequence[Attempt], now: datetime) -> None:
    """Check that the student may hand in one more.

    Raises:
        AssignmentNotOpen, AssignmentClosed, AttemptsUsedUp, AttemptTooSoon
    """
    opens = assignment.deadline.opens
    if opens is not None and now < opens:
        raise AssignmentNotOpen(opens_at=opens.isoformat())
    closes = assignment.deadline.closes
    if closes is not None and now >= closes:
        raise AssignmentClosed(closed_at=closes.isoformat())
    limit = assignment.attempts.limit
    if limit is not None and sum(attempt.is_used for attempt in earlier) >= limit:
        raise AttemptsUsedUp(limit=limit)
    cooldown = timedelta(seconds=assignment.attempts.cooldown_seconds)
    # An attempt dated in the future comes from before a clock was set back, so the pause cannot be measured.
    last = max((attempt.created_at for attempt in earlier if attempt.created_at <= now), default=None)
    if last is not None and now < last + cooldown:
        left = math.ceil((last + cooldown - now).total_seconds())
        raise AttemptTooSoon(retry_after_seconds=left, cooldown_seconds=assignment.attempts.cooldown_seconds)


def lateness(assignment: Assignment, created_at: datetime) -> tuple[int, float]:
    """Return the days begun since the due date, and the penalty in percent."""
    deadline = assignment.deadline
    if deadline.due is None or created_at <= deadline.due:
        return 0, 0.0
    days = math.ceil((created_at - deadline.due) / DAY)
    return days, min(days * deadline.late_percent_per_day, deadline.late_percent_max)


def grade_by_rules(assignment: Assignment, attempts: Sequence[Attempt], number: int) -> Grade | None:
    """Compute the grade of the attempt with this number; None: it has no points, or is withheld.

    Args:
        attempts: all attempts of the student at this assignment.
    """
    grades = points_by_attempt(assignment, attempts)
    if number not in grades:
        return None
    best = counting_attempt(assignment, grades)
    attempt = next(each for each in attempts if each.number == number)
    days, percent = lateness(assignment, attempt.created_at)
    return Grade(
        points=grades[number],
        max_points=attempt.max_points,
        late_days=days,
        penalty_percent=percent,
        counts=best == number,
        counting_attempt=best,
        counting_points=grades[best],
    )


def points_by_attempt(assignment: Assignment, attempts: Sequence[Attempt]) -> dict[int, float]:
    """Return the points after the penalty for lateness of each attempt that has points and is not withheld.

    Files with nothing to run are among them only if there are no others.
    """
    graded = [each for each in attempts if each.points is not None and not each.is_withheld]
    return {
        each.number: points_after_lateness(assignment, each.points, each.created_at)
        for each in [each for each in graded if not each.is_invalid] or graded
        if each.points is not None
    }


def counting_attempt(assignment: Assignment, points: Mapping[int, float]) -> int:
    """Return the number of the attempt that counts: the best or the last; of equally good ones the first.

    Args:
        points: by attempt, not empty.
    """
    if assignment.attempts.counts == "last":
        return max(points)
    return max(points, key=lambda each: (points[each], -each))


def points_after_lateness(assignment: Assignment, points: float, created_at: datetime) -> float:
    """Subtract the penalty for lateness from a report's points."""
    _, percent = lateness(assignment, created_at)
    return round(points * (100 - percent) / 100, 2)
