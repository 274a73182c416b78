"""Bodies about exceptions that people need: extensions, adjustments, comments, requests for review."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from app.actions.fields import (
    ID,
    MOST_ATTEMPTS,
    MOST_POINTS,
    WHOLE,
    WORDS_CHARACTERS,
    ActionRequest,
    Moment,
    both,
    given,
    not_,
    one_of,
)
from app.api.schemas.base import EXAMPLE_ID, Body, Page
from app.storage.models import Adjustment, Comment, Extension, ReviewRequest, Submission
from grader import Assignment


def _says_something(came: str) -> str:
    if not came.strip():
        raise ValueError("expected some words, not only spaces")
    if "\0" in came:
        # PostgreSQL holds no such text.
        raise ValueError("expected words without the character NUL")
    return came


#: For the OpenAPI document.
NO_WORDS = {"anyOf": [{"pattern": r"\x00"}, {"pattern": r"^\s*$"}]}
#: Words of a person to another one.
Words = Annotated[
    str,
    Field(min_length=1, max_length=WORDS_CHARACTERS, json_schema_extra={"not": NO_WORDS}),
    AfterValidator(_says_something),
]
Points = Annotated[float, Field(allow_inf_nan=False, strict=True)]
_NOTHING_GIVEN = not_(one_of(given("due"), given("closes"), given("more_attempts", {"type": "integer", "minimum": 1})))
_BOTH, _NEITHER = both(given("delta"), given("value")), not_(one_of(given("delta"), given("value")))


class ExtensionRequest(ActionRequest):
    """At least one of the three. Dates and attempts only ever add: an earlier date than the course's has no effect."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": _NOTHING_GIVEN,
            "examples": [{"due": "2026-10-08T20:59:59Z", "more_attempts": 1, "reason": "ill for a week"}],
        }
    )

    due: Moment | None = Field(
        None,
        description="replaces the course's; the student can hand in until then at least",
        examples=["2026-10-08T20:59:59Z"],
    )
    closes: Moment | None = Field(None, description="replaces the course's")
    more_attempts: Annotated[int, Field(ge=0, le=MOST_ATTEMPTS, strict=True), WHOLE] = Field(
        0, description="on top of the course's limit"
    )
    reason: Words = Field(description="for the staff and the student", examples=["ill for a week"])

    @model_validator(mode="after")
    def _something_is_given(self) -> Self:
        if self.due is None and self.closes is None and not self.more_attempts:
            raise ValueError("expected at least one of `due`, `closes` and `more_attempts`")
        return self


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

    @classmethod
    def of(cls, extension: Extension, student: str | None, assignment_id: str, effective: Assignment | None) -> Self:
        """Args: effective: the assignment with the dates and the limit of the student; None: its file is gone."""
        return cls(
            member=extension.membership_id,
            student=student,
            assignment=assignment_id,
            due=extension.due,
            closes=extension.closes,
            more_attempts=extension.more_attempts,
            reason=extension.reason,
            made_by=extension.made_by,
            created_at=extension.created_at,
            effective_due=effective.deadline.due if effective else None,
            effective_closes=effective.deadline.closes if effective else None,
            effective_limit=effective.attempts.limit if effective else None,
        )


class ExtensionList(Page):
    items: list[ExtensionBody] = Field(description="the newest first")


class AdjustmentRequest(ActionRequest):
    """Exactly one of `delta` and `value`, in points of the assignment."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": one_of(_BOTH, _NEITHER),
            "examples": [
                {"delta": 5.0, "reason": "a nice plot"},
                {"value": 60.0, "reason": "graded on paper", "replaces": None},
            ],
        }
    )

    delta: Annotated[Points, Field(ge=-MOST_POINTS, le=MOST_POINTS)] | None = Field(
        None, description="points to add, less than 0 to take off; it waits until there is a grade to add them to"
    )
    value: Annotated[Points, Field(ge=0, le=MOST_POINTS)] | None = Field(
        None, description="the grade itself, without an attempt, too"
    )
    reason: Words = Field(description="for the student to read", examples=["a nice plot"])
    replaces: Annotated[str, Field(pattern=f"^{ID.pattern}$")] | None = Field(
        default_factory=lambda: None,
        description="the id of the adjustment that applies now, as you saw it; null: none applies. Another one in its "
        "place is then not replaced, and the answer is 409. Left out: whichever applies is replaced",
    )

    @model_validator(mode="after")
    def _exactly_one_is_given(self) -> Self:
        if (self.delta is None) == (self.value is None):
            raise ValueError("expected exactly one of `delta` and `value`")
        return self


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

    @classmethod
    def of(cls, adjustment: Adjustment, assignment_id: str) -> Self:
        return cls(
            id=adjustment.id,
            assignment=assignment_id,
            delta=adjustment.delta,
            value=adjustment.value,
            reason=adjustment.reason,
            points_below=adjustment.points_below,
            made_by=adjustment.made_by,
            created_at=adjustment.created_at,
            ended_at=adjustment.ended_at,
            ended_by=adjustment.ended_by,
        )


class AdjustmentList(Page):
    items: list[AdjustmentBody] = Field(description="the newest first, ended ones too")


class CommentRequest(ActionRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Look at the forget gate again."}]})

    text: Words = Field(description="for the student to read")
    submission: Annotated[str, Field(pattern=f"^{ID.pattern}$")] | None = Field(
        None, description="the attempt that it is about; null: all of the work"
    )


class CommentBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    assignment: str = Field(examples=["lstm-layer"])
    submission: str | None
    text: str
    made_by: str = Field(examples=["owner"])
    created_at: datetime

    @classmethod
    def of(cls, comment: Comment, assignment_id: str) -> Self:
        return cls(
            id=comment.id,
            assignment=assignment_id,
            submission=comment.submission_id,
            text=comment.text,
            made_by=comment.made_by,
            created_at=comment.created_at,
        )


class CommentList(Page):
    items: list[CommentBody] = Field(description="the newest first")


class ReviewAsked(ActionRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "The report says that my bias is missing."}]})

    text: Words = Field(description="the student's question")


class ReviewAnswerRequest(ActionRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"answer": "It is added after the activation."}]})

    answer: Words = Field(description="for the student to read")


class ReviewBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    submission: str = Field(examples=[EXAMPLE_ID])
    student: str = Field(examples=["ivanov"])
    assignment: str = Field(examples=["lstm-layer"])
    attempt: int
    text: str
    created_at: datetime
    answer: str | None = Field(description="null: it is open")
    answered_by: str | None
    answered_at: datetime | None

    @classmethod
    def of(cls, request: ReviewRequest, submission: Submission) -> Self:
        return cls(
            id=request.id,
            submission=submission.id,
            student=submission.student,
            assignment=submission.assignment_id,
            attempt=submission.attempt,
            text=request.text,
            created_at=request.created_at,
            answer=request.answer,
            answered_by=request.answered_by,
            answered_at=request.answered_at,
        )


class ReviewList(Page):
    items: list[ReviewBody] = Field(description="the newest first")


class ReviewsOfSubmission(Body):
    items: list[ReviewBody] = Field(description="the newest first")
