"""Bodies about grades in a course: their derivation, and the decisions, comments and requests about them."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from app.access.tokens import Principal
from app.api.schemas.base import EXAMPLE_ID, Body, Items, Page, Whether, shows
from app.http.visibility import steps_for
from app.submissions.derivation import Counted, StepCode, join_steps, step_in_words


class StepBody(Body):
    """One step of the derivation of a grade."""

    code: StepCode
    points: float | None = shows("after this step; null: there is no grade", 70.0)
    params: dict[str, Any] = shows(
        "what the step says, by `code`", {"days": 3, "penalty_percent": 30.0, "change": -30.0}
    )
    text: str = shows("the step in words", "3 days late -30")


class CountedBody(Body):
    """The counted grade of a student at an assignment: what is in the grade book, and how it came about."""

    points: float | None = shows("null: there is no grade, or none yet", 75.0)
    max_points: float = Field(examples=[100.0])
    points_below: float | None = shows("before an adjustment", 70.0)
    attempt: int | None = shows("the number of the attempt that counts", 2)
    late_days: int = shows("of that attempt, since the student's due date", 3)
    grade_book_points: float | None = shows("as in the grade book of the course", 7.5, of="grade_book")
    grade_book_max: float = shows("the most that the grade book gives", 10.0)
    adjusted: bool = shows("a teacher's adjustment applies", of="is_adjusted")
    stale: bool = shows("the points below the adjustment have changed since it was made", of="is_stale")
    held: bool = shows("an attempt waits for a teacher's decision", of="is_held")
    waiting: bool = shows("an attempt waits to be graded", of="is_waiting")
    derivation: list[StepBody] = shows("the steps, in order")
    text: str = shows(
        "the derivation in words, in the requested language",
        "points 100 of 100 (attempt 2), 3 days late -30, adjusted +5: a nice plot",
    )

    @classmethod
    def of(cls, counted: Counted, language: str, viewer: Principal, **more: object) -> Self:
        """Return the body for this reader (`steps_for`)."""
        derivation = [
            StepBody.from_row(step, text=step_in_words(step, language)) for step in steps_for(counted, viewer)
        ]
        text = join_steps([step.text for step in derivation])
        return cls.from_row(counted, derivation=derivation, text=text, **more)


class AssignmentGrade(CountedBody):
    """The counted grade of a student at one assignment."""

    assignment: str = Field(examples=["lstm-layer"])


class StudentGradesBody(Body):
    """A student, with the grade at each assignment."""

    member: str = shows(None, EXAMPLE_ID, of="id")
    student: str | None = shows("the id in the grade book", "ivanov", of="external_id")
    name: str | None = shows(of="person.name")
    group: str | None
    confirmed: Whether = shows("a teacher or a roster has confirmed the student", of="confirmed_at")
    grades: list[AssignmentGrade]


class GradesList(Page[StudentGradesBody]):
    pass


class ExtensionBody(Body):
    member: str = Field(examples=[EXAMPLE_ID])
    student: str | None = shows("the student's id in the grade book", "ivanov")
    assignment: str = Field(examples=["lstm-layer"])
    due: datetime | None
    closes: datetime | None
    more_attempts: int
    reason: str
    made_by: str = Field(examples=["owner"])
    created_at: datetime = shows("when it was given or last changed")
    effective_due: datetime | None = shows("the student's due date: the later one of both")
    effective_closes: datetime | None
    effective_limit: int | None = shows("the most attempts of the student; null: no limit")


class AdjustmentBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    assignment: str = Field(examples=["lstm-layer"])
    delta: float | None
    value: float | None
    reason: str
    points_below: float | None = shows("the grade below it when it was made")
    made_by: str = Field(examples=["owner"])
    created_at: datetime
    ended_at: datetime | None = shows("when it was replaced or withdrawn; null: it applies")
    ended_by: str | None


class CommentBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    assignment: str = Field(examples=["lstm-layer"])
    submission: str | None = shows(of="submission_id")
    text: str
    made_by: str = Field(examples=["owner"])
    created_at: datetime


class ReviewBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    submission: str = shows(None, EXAMPLE_ID, of="submission_id")
    student: str = Field(examples=["ivanov"])
    assignment: str = Field(examples=["lstm-layer"])
    attempt: int
    text: str
    created_at: datetime
    answer: str | None = shows("null: it is open")
    answered_by: str | None
    answered_at: datetime | None


class ReviewsOfSubmission(Items[ReviewBody]):
    pass


class OwnGradesBody(Body):
    """The holder's own grades, and what the staff did about them and said."""

    student: str | None = shows("null: the token is no member's own", "ivanov")
    grades: list[AssignmentGrade]
    adjustments: list[AdjustmentBody] = shows("the newest first, ended ones too")
    comments: list[CommentBody] = shows("the newest first")
    reviews: list[ReviewBody] = shows("the newest first")
