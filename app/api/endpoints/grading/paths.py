"""Paths and parameters that endpoints of grades share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.errors.members import MemberNotFound
from app.http.auth.holders import PermittedIn

#: Of a student at an assignment.
PLACE = "/courses/{course_id}/members/{member_id}/assignments/{assignment_id}"


async def _member_id(member_id: Annotated[str, Path(description="the `id` of a member of the course")]) -> str:
    """Raises: MemberNotFound: no member can have this id. This saves a query."""
    if not ID.fullmatch(member_id):
        raise MemberNotFound
    return member_id


MemberId = Annotated[str, Depends(_member_id)]
AssignmentId = Annotated[
    str, Path(pattern="^[a-z0-9-]{1,64}$", description="the `id` of an assignment", examples=["lstm-layer"])
]
Viewer = Annotated[Principal, Depends(PermittedIn(Right.SEE_GRADES))]
