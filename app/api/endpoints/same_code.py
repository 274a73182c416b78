"""Groups of students with the same code at an assignment of a course."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from app.access.rights import Right
from app.api.dependencies import Reading, reads
from app.api.endpoints.work import AssignmentId
from app.api.openapi import refusals
from app.api.schemas.base import EXAMPLE_ID, Body, shows
from app.errors.courses import AssignmentNotFound
from app.teaching.grade_list import used_assignments
from app.teaching.same_code import same_code


class CopyBody(Body):
    submission: str = shows(None, EXAMPLE_ID, of="submission_id")
    attempt: int
    created_at: datetime
    text: int = shows("attempts of the group with the same number have the code word for word")


class HolderBody(Body):
    member: str = shows(None, EXAMPLE_ID, of="membership_id")
    student: str = Field(examples=["ivanov"])
    attempts: list[CopyBody] = shows("those with this code, from the first", of="copies")


class GroupBody(Body):
    students: list[HolderBody] = shows("in the order in which they handed it in", of="holders")
    word_for_word: int = shows("the most students who have it word for word; 0: no two have")
    within_an_hour: int = shows("the most students who handed it in for the first time within one hour")
    statements: int = shows("how many statements of its own the code has")
    says_little: bool = shows("so few statements are often alike by chance")


class SameCodeBody(Body):
    students: int = shows("how many have an attempt that was compared")
    with_known: int = shows("how many of them have an attempt with code from the course, or that the staff handed in")
    not_compared: int = shows("attempts that were graded before code was compared")
    items: list[GroupBody] = shows("the groups; those with the most students word for word come first", of="groups")


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
