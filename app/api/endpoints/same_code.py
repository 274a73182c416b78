"""Groups of students with the same code at an assignment of a course."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from app.access.rights import Right
from app.api.dependencies import Reading, reads
from app.api.endpoints.work import AssignmentId
from app.api.openapi import refusals
from app.api.schemas.base import EXAMPLE_ID, Body
from app.errors.courses import AssignmentNotFound
from app.teaching.grade_list import used_assignments
from app.teaching.same_code import same_code


class CopyBody(Body):
    submission: str = Field(validation_alias="submission_id", examples=[EXAMPLE_ID])
    attempt: int
    created_at: datetime
    text: int = Field(description="attempts of the group with the same number have the code word for word")


class HolderBody(Body):
    member: str = Field(validation_alias="membership_id", examples=[EXAMPLE_ID])
    student: str = Field(examples=["ivanov"])
    attempts: list[CopyBody] = Field(validation_alias="copies", description="those with this code, from the first")


class GroupBody(Body):
    students: list[HolderBody] = Field(
        validation_alias="holders", description="in the order in which they handed it in"
    )
    word_for_word: int = Field(description="the most students who have it word for word; 0: no two have")
    within_an_hour: int = Field(description="the most students who handed it in for the first time within one hour")
    statements: int = Field(description="how many statements of its own the code has")
    says_little: bool = Field(description="so few statements are often alike by chance")


class SameCodeBody(Body):
    students: int = Field(description="how many have an attempt that was compared")
    with_known: int = Field(
        description="how many of them have an attempt with code from the course, or that the staff handed in"
    )
    not_compared: int = Field(description="attempts that were graded before code was compared")
    items: list[GroupBody] = Field(
        validation_alias="groups", description="the groups; those with the most students word for word come first"
    )


router = APIRouter(tags=["grades"])


@router.get(
    "/courses/{course_id}/assignments/{assignment_id}/same-code",
    summary="List groups of students with the same code",
    responses=refusals(AssignmentNotFound),
)
async def list_same_code(
    reading: Annotated[Reading, reads(Right.SEE_GRADES)], assignment_id: AssignmentId
) -> SameCodeBody:
    """List all groups. Their code is the same but for names, comments and the order of independent lines.

    It is a hint, never a verdict: right answers look alike.
    """
    (use,) = await used_assignments(reading.session, reading.assignments, reading.course_id, assignment_id)
    return SameCodeBody.model_validate(await same_code(reading.session, use.id))
