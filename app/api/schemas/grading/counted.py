"""Bodies about the counted grade of a student at an assignment, and its derivation."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field

from app.access.tokens import Principal
from app.api.schemas.base import Body
from app.http.visibility import steps_for
from app.submissions.derivation import Counted, Step, StepCode, join_steps, step_in_words


class StepBody(Body):
    """One step of the derivation of a grade."""

    code: StepCode
    points: float | None = Field(description="after this step; null: there is no grade", examples=[70.0])
    params: dict[str, Any] = Field(
        description="what the step says, by `code`", examples=[{"days": 3, "penalty_percent": 30.0, "change": -30.0}]
    )
    text: str = Field(description="the step in words", examples=["3 days late -30"])

    @classmethod
    def of(cls, step: Step, language: str) -> Self:
        return cls(code=step.code, points=step.points, params=dict(step.params), text=step_in_words(step, language))


class CountedBody(Body):
    """The counted grade of a student at an assignment: what is in the grade book, and how it came about."""

    points: float | None = Field(description="null: there is no grade, or none yet", examples=[75.0])
    max_points: float = Field(examples=[100.0])
    points_below: float | None = Field(description="before an adjustment", examples=[70.0])
    attempt: int | None = Field(description="the number of the attempt that counts", examples=[2])
    late_days: int = Field(description="of that attempt, since the student's due date", examples=[3])
    grade_book_points: float | None = Field(description="as in the grade book of the course", examples=[7.5])
    grade_book_max: float = Field(description="the most that the grade book gives", examples=[10.0])
    adjusted: bool = Field(description="a teacher's adjustment applies")
    stale: bool = Field(description="the points below the adjustment have changed since it was made")
    held: bool = Field(description="an attempt waits for a teacher's decision")
    waiting: bool = Field(description="an attempt waits to be graded")
    derivation: list[StepBody] = Field(description="the steps, in order")
    text: str = Field(
        description="the derivation in words, in the requested language",
        examples=["points 100 of 100 (attempt 2), 3 days late -30, adjusted +5: a nice plot"],
    )

    @classmethod
    def of(cls, counted: Counted, language: str, viewer: Principal) -> Self:
        """Return the body for this reader (`steps_for`)."""
        derivation = [StepBody.of(step, language) for step in steps_for(counted, viewer)]
        return cls(
            points=counted.points,
            max_points=counted.max_points,
            points_below=counted.points_below,
            attempt=counted.attempt,
            late_days=counted.late_days,
            grade_book_points=counted.grade_book,
            grade_book_max=counted.grade_book_max,
            adjusted=counted.is_adjusted,
            stale=counted.is_stale,
            held=counted.is_held,
            waiting=counted.is_waiting,
            derivation=derivation,
            text=join_steps([step.text for step in derivation]),
        )
