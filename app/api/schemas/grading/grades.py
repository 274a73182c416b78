"""Bodies about the grades of a course, and of one student."""

from __future__ import annotations

from pydantic import Field

from app.api.schemas.base import EXAMPLE_ID, Body, Page
from app.api.schemas.grading.counted import CountedBody
from app.api.schemas.grading.exceptions import AdjustmentBody, CommentBody, ReviewBody


class AssignmentGrade(CountedBody):
    """The counted grade of a student at one assignment."""

    assignment: str = Field(examples=["lstm-layer"])


class StudentGradesBody(Body):
    """A student, with the grade at each assignment."""

    member: str = Field(examples=[EXAMPLE_ID])
    student: str | None = Field(description="the id in the grade book", examples=["ivanov"])
    name: str | None
    group: str | None
    confirmed: bool = Field(description="a teacher or a roster has said that there is this student")
    grades: list[AssignmentGrade]


class GradesList(Page):
    items: list[StudentGradesBody] = Field(description="in the order in which they joined")


class OwnGradesBody(Body):
    """The holder's own grades, and what the staff did about them and said."""

    student: str | None = Field(description="null: the token is no member's own", examples=["ivanov"])
    grades: list[AssignmentGrade]
    adjustments: list[AdjustmentBody] = Field(description="the newest first, ended ones too")
    comments: list[CommentBody] = Field(description="the newest first")
    reviews: list[ReviewBody] = Field(description="the newest first")
