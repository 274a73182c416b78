"""Bodies about grades in a course: their derivation, and the decisions, comments and requests about them."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AliasPath, BeforeValidator, Field

from app.access.tokens import Principal
from app.api.schemas.base import EXAMPLE_ID, Body, Items, Page
from app.http.visibility import steps_for
from app.submissions.derivation import Counted, StepCode, join_steps, step_in_words


class StepBody(Body):
    """One step of the derivation of a grade."""

    code: StepCode
    points: float | None = Field(description="after this step; null: there is no grade", examples=[70.0])
    params: dict[str, Any] = Field(
        description="what the step says, by `code`", examples=[{"days": 3, "penalty_percent": 30.0, "change": -30.0}]
    )
    text: str = Field(description="the step in words", examples=["3 days late -30"])


class CountedBody(Body):
    """The counted grade of a student at an assignment: what is in the grade book, and how it came about."""

    points: float | None = Field(description="null: there is no grade, or none yet", examples=[75.0])
    max_points: float = Field(examples=[100.0])
    points_below: float | None = Field(description="before an adjustment", examples=[70.0])
    attempt: int | None = Field(description="the number of the attempt that counts", examples=[2])
    late_days: int = Field(description="of that attempt, since the student's due date", examples=[3])
    grade_book_points: float | None = Field(
        validation_alias="grade_book", description="as in the grade book of the course", examples=[7.5]
    )
    grade_book_max: float = Field(description="the most that the grade book gives", examples=[10.0])
    adjusted: bool = Field(validation_alias="is_adjusted", description="a teacher's adjustment applies")
    stale: bool = Field(
        validation_alias="is_stale", description="the points below the adjustment have changed since it was made"
    )
    held: bool = Field(validation_alias="is_held", description="an attempt waits for a teacher's decision")
    waiting: bool = Field(validation_alias="is_waiting", description="an attempt waits to be graded")
    derivation: list[StepBody] = Field(description="the steps, in order")
    text: str = Field(
        description="the derivation in words, in the requested language",
        examples=["points 100 of 100 (attempt 2), 3 days late -30, adjusted +5: a nice plot"],
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

    member: str = Field(validation_alias="id", examples=[EXAMPLE_ID])
    student: str | None = Field(
        validation_alias="external_id", description="the id in the grade book", examples=["ivanov"]
    )
    name: str | None = Field(validation_alias=AliasPath("person", "name"))
    group: str | None
    confirmed: Annotated[bool, BeforeValidator(bool)] = Field(
        validation_alias="confirmed_at", description="a teacher or a roster has confirmed the student"
    )
    grades: list[AssignmentGrade]


class GradesList(Page[StudentGradesBody]):
    pass


class ExtensionBody(Body):
    member: str = Field(examples=[EXAMPLE_ID])
    student: str | None = Field(description="the student's id in the grade book", examples=["ivanov"])
    assignment: str = Field(examples=["lstm-layer"])
    due: datetime | None
    closes: datetime | None
    more_attempts: int
    reason: str
    made_by: str = Field(examples=["owner"])
    created_at: datetime = Field(description="when it was given or last changed")
    effective_due: datetime | None = Field(description="the student's due date: the later one of both")
    effective_closes: datetime | None
    effective_limit: int | None = Field(description="the most attempts of the student; null: no limit")


class AdjustmentBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    assignment: str = Field(examples=["lstm-layer"])
    delta: float | None
    value: float | None
    reason: str
    points_below: float | None = Field(description="the grade below it when it was made")
    made_by: str = Field(examples=["owner"])
    created_at: datetime
    ended_at: datetime | None = Field(description="when it was replaced or withdrawn; null: it applies")
    ended_by: str | None


class CommentBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    assignment: str = Field(examples=["lstm-layer"])
    submission: str | None = Field(validation_alias="submission_id")
    text: str
    made_by: str = Field(examples=["owner"])
    created_at: datetime


class ReviewBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    submission: str = Field(validation_alias="submission_id", examples=[EXAMPLE_ID])
    student: str = Field(examples=["ivanov"])
    assignment: str = Field(examples=["lstm-layer"])
    attempt: int
    text: str
    created_at: datetime
    answer: str | None = Field(description="null: it is open")
    answered_by: str | None
    answered_at: datetime | None


class ReviewsOfSubmission(Items[ReviewBody]):
    pass


class OwnGradesBody(Body):
    """The holder's own grades, and what the staff did about them and said."""

    student: str | None = Field(description="null: the token is no member's own", examples=["ivanov"])
    grades: list[AssignmentGrade]
    adjustments: list[AdjustmentBody] = Field(description="the newest first, ended ones too")
    comments: list[CommentBody] = Field(description="the newest first")
    reviews: list[ReviewBody] = Field(description="the newest first")
