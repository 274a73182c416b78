"""The counted grade of a student at an assignment of a course, with its derivation.

API, pages, grade books, exports and webhooks share one derivation. It starts from the points of the reports, subtracts
the penalty for lateness by the student's own dates, and picks the attempt that counts, the best or the last. An
adjustment by a teacher comes last and stays within 0 and the maximum; the result is scaled to the grade book. Each step
is a code with parameters and the points after it, and is put into words for its reader, who can so check the sum.

An adjustment that sets a value applies even without an attempt. One that adds points waits until there is a grade.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Any

from babel.units import format_unit

from app.courses.extensions import apply_extension
from app.storage.models import Adjustment, Extension, HoldDecision
from app.submissions import policy
from app.submissions.policy import Attempt
from app.texts import text
from grader import Assignment
from grader.report.numbers import moment, points, signed

#: The decimals of every grade, as in reports and grade books.
DECIMALS = 2


class StepCode(StrEnum):
    """The kind of a step in a derivation. The values are the strings in the JSON."""

    NOT_A_STUDENT = "not_a_student"
    NO_ATTEMPT = "no_attempt"
    NOT_GRADED = "not_graded"
    WITHHELD = "withheld"
    REPORT = "report"
    ACCEPTED = "accepted"
    LATE = "late"
    EXTENDED = "extended"
    COUNTS = "counts"
    LEFT_OUT = "left_out"
    ADJUSTED = "adjusted"
    SET = "set"
    ADJUSTMENT_WAITS = "adjustment_waits"
    KEPT_WITHIN = "kept_within"
    GRADE_BOOK = "grade_book"


@dataclass(frozen=True)
class Step:
    """One step of a derivation. Attributes: points: the grade after this step; None: there is none."""

    code: StepCode
    points: float | None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Terms:
    """The rules and decisions for one member at one assignment of the course.

    Attributes:
        assignment: with the dates and rules of the course, without the extension.
        adjustment: the current one.
        grade_book_points: the maximum in the grade book; None: the points of the assignment.
    """

    assignment: Assignment
    extension: Extension | None = None
    adjustment: Adjustment | None = None
    is_student: bool = True
    grade_book_points: float | None = None

    @property
    def of_student(self) -> Assignment:
        """The assignment with the dates and the limit of this student."""
        return apply_extension(self.assignment, self.extension)


@dataclass(frozen=True)
class Counted:
    """The counted grade of a student at an assignment.

    Attributes:
        points: None: there is no grade, or none yet.
        max_points: the maximum in the counting report; without a report, that of the assignment.
        points_below: the points before the adjustment.
        attempt: the number of the attempt that counts.
        late_days: the days by which that attempt was late.
        in_extension: that attempt came after the course's due date, but before the student's own.
        grade_book: the points in the grade book.
        unrounded: the same without rounding, for platforms, which rescale it.
        grade_book_max: the most that the grade book gives.
        attempts: the number of attempts without cancelled ones, although those are used up.
        is_adjusted: an adjustment applies.
        is_stale: the points below the adjustment have changed since it was made.
        is_held: an attempt waits for a teacher's decision.
        is_waiting: an attempt waits to be graded.
        is_extended: the student has an extension.
        has_failed: we failed to grade an attempt.
    """

    points: float | None
    max_points: float
    points_below: float | None
    attempt: int | None
    late_days: int
    in_extension: bool
    grade_book: float | None
    unrounded: float | None
    grade_book_max: float
    attempts: int
    is_adjusted: bool
    is_stale: bool
    is_held: bool
    is_waiting: bool
    is_extended: bool
    has_failed: bool
    steps: tuple[Step, ...]


def count(terms: Terms, attempts: Sequence[Attempt]) -> Counted:
    """Compute the counted grade.

    Args:
        attempts: all attempts of the member at this assignment, in any order.
    """
    assignment, adjustment = terms.of_student, terms.adjustment if terms.is_student else None
    is_held = any(each.is_withheld and each.decision is None for each in attempts)
    is_waiting = any(_is_waiting(each) for each in attempts)
    steps: list[Step] = []
    counting, below = _below(terms, assignment, attempts, steps)
    max_points = counting.max_points if counting else assignment.max_points
    result = _adjust(adjustment, below, max_points, steps) if adjustment else below
    grade_book_max = terms.grade_book_points or assignment.max_points
    scaled = None if result is None else _scale(result, max_points, grade_book_max)
    grade_book = None if scaled is None else _round(scaled)
    late_days, late_in_course = (
        policy.lateness(each, counting.created_at)[0] if counting else 0 for each in (assignment, terms.assignment)
    )
    if result is not None and grade_book_max != max_points:
        steps.append(Step(StepCode.GRADE_BOOK, result, {"points": grade_book, "max_points": grade_book_max}))
    return Counted(
        points=result,
        max_points=max_points,
        points_below=below,
        attempt=counting.number if counting else None,
        late_days=late_days,
        in_extension=late_in_course > late_days == 0,
        grade_book=grade_book,
        unrounded=scaled,
        grade_book_max=grade_book_max,
        attempts=sum(not each.is_cancelled for each in attempts),
        is_adjusted=adjustment is not None,
        is_stale=adjustment is not None and adjustment.points_below != below,
        is_held=is_held,
        is_waiting=is_waiting,
        is_extended=terms.extension is not None,
        has_failed=any(each.is_ours for each in attempts),
        steps=tuple(steps),
    )


def _below(
    terms: Terms, assignment: Assignment, attempts: Sequence[Attempt], steps: list[Step]
) -> tuple[Attempt | None, float | None]:
    """Return the counting attempt and its points before an adjustment, and add the steps to `steps`."""
    if not terms.is_student:
        steps.append(Step(StepCode.NOT_A_STUDENT, None))
        return None, None
    by_attempt = policy.points_by_attempt(assignment, attempts)
    if not by_attempt:
        steps.append(Step(_nothing(attempts), None))
        return None, None
    number = policy.counting_attempt(assignment, by_attempt)
    attempt = next(each for each in attempts if each.number == number)
    reported, result = attempt.points, by_attempt[number]
    assert reported is not None
    steps.append(Step(StepCode.REPORT, reported, {"attempt": number, "max_points": attempt.max_points}))
    if attempt.decision == HoldDecision.ACCEPTED:
        steps.append(Step(StepCode.ACCEPTED, reported, {"attempt": number}))
    days, percent = policy.lateness(assignment, attempt.created_at)
    if terms.extension is not None and assignment.deadline.due != terms.assignment.deadline.due:
        assert assignment.deadline.due is not None
        steps.append(Step(StepCode.EXTENDED, reported, {"due": assignment.deadline.due.isoformat()}))
    if days:
        change = round(result - reported, DECIMALS)
        steps.append(Step(StepCode.LATE, result, {"days": days, "penalty_percent": percent, "change": change}))
    if len(by_attempt) > 1:
        params = {"attempt": number, "rule": assignment.attempts.counts, "graded": len(by_attempt)}
        steps.append(Step(StepCode.COUNTS, result, params))
    if left_out := sorted(each.number for each in attempts if each.is_withheld):
        steps.append(Step(StepCode.LEFT_OUT, result, {"attempts": left_out}))
    return attempt, result


def _nothing(attempts: Sequence[Attempt]) -> StepCode:
    """Return the code for the lack of a grade."""
    if any(map(_is_waiting, attempts)):
        return StepCode.NOT_GRADED
    if any(each.is_withheld for each in attempts):
        return StepCode.WITHHELD
    # We failed to grade it.
    return StepCode.NOT_GRADED if any(each.is_ours for each in attempts) else StepCode.NO_ATTEMPT


def _is_waiting(attempt: Attempt) -> bool:
    return attempt.points is None and not (attempt.is_ours or attempt.is_cancelled)


def _adjust(adjustment: Adjustment, below: float | None, max_points: float, steps: list[Step]) -> float | None:
    facts = {"adjustment": adjustment.id, "reason": adjustment.reason}
    if adjustment.value is not None:
        result = _round(adjustment.value)
        steps.append(Step(StepCode.SET, result, {**facts, "value": adjustment.value}))
    else:
        assert adjustment.delta is not None
        if below is None:
            steps.append(Step(StepCode.ADJUSTMENT_WAITS, None, {**facts, "change": adjustment.delta}))
            return None
        result = _round(below + adjustment.delta)
        steps.append(Step(StepCode.ADJUSTED, result, {**facts, "change": adjustment.delta}))
    within = min(max(result, 0.0), max_points)
    if within != result:
        steps.append(Step(StepCode.KEPT_WITHIN, within, {"max_points": max_points}))
    return within


def _round(points: float) -> float:
    # Adding 0 turns -0 into 0, which a grade book would show as "-0".
    return round(points, DECIMALS) + 0.0


def _scale(points: float, max_points: float, grade_book_max: float) -> float:
    return points * grade_book_max / max_points if max_points and grade_book_max != max_points else points


def in_words(steps: Sequence[Step], language: str, zone: tzinfo = UTC) -> str:
    """Put a derivation into one line, such as ``points 100, 3 days late −30, adjusted +5: ...``.

    Args:
        zone: the time zone of its dates.
    """
    return join_steps([step_in_words(step, language, zone) for step in steps])


def without_words(steps: Sequence[Step]) -> Sequence[Step]:
    """Leave out a teacher's words to the student."""
    return [
        replace(step, params={name: value for name, value in step.params.items() if name != "reason"}) for step in steps
    ]


def steps_in_words(steps: Sequence[Step], language: str, zone: tzinfo) -> list[tuple[str, str | None]]:
    """Put the steps into words, each with the date (ISO 8601) that it names, if any."""
    return [(step_in_words(step, language, zone), step.params.get("due")) for step in steps]


def join_steps(texts: Sequence[str]) -> str:
    """Join the steps' texts into one line."""
    return ", ".join(texts)


def step_in_words(step: Step, language: str, zone: tzinfo = UTC) -> str:
    """Put one step into words. Parameters hidden from this reader are not mentioned."""
    params = {name: _param_in_words(name, value, language, zone) for name, value in step.params.items()}
    if step.code == StepCode.REPORT:
        params["points"] = _points(step.points or 0.0, language)
    words = text(f"step.{step.code}", language, **params)
    return (
        text("step.reason", language, said=words, reason=params["reason"].rstrip(". ")) if "reason" in params else words
    )


def _param_in_words(name: str, value: Any, language: str, zone: tzinfo) -> str:
    if name == "change":
        return signed(value, language)
    if name == "days":
        return _days(value, language)
    if name == "rule":
        return text(f"step.rule.{value}", language)
    if name == "due":
        return moment(datetime.fromisoformat(value).astimezone(zone), language)
    if name == "attempts":
        return ", ".join(map(str, value))
    return _points(value, language) if isinstance(value, float) else str(value)


# A list of grades has few different numbers, and Babel is slow.
@lru_cache(maxsize=2000)
def _points(value: float, language: str) -> str:
    return points(value, language)


@lru_cache(maxsize=1000)
def _days(count: int, language: str) -> str:
    return format_unit(count, "duration-day", length="long", locale=language)
