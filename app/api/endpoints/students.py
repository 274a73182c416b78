"""Deletes everything that is kept about a student."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import Name
from app.api.openapi import problem_answers
from app.api.schemas.submissions import DeletedBody
from app.errors.requests import NotPermitted
from app.http.auth.holders import Permitted
from app.privacy import deletion
from app.services import services

router = APIRouter(prefix="/students", tags=["students"])


@router.delete("", summary="Delete a student", responses=problem_answers(NotPermitted))
async def delete_student(
    request: Request,
    holder: Annotated[Principal, Depends(Permitted(Right.DELETE_STUDENTS))],
    student: Annotated[Name, Query(examples=["ivanov"])],
) -> DeletedBody:
    """Delete everything that the course keeps about the student: files, reports, own tokens. This cannot be undone.

    Asking again changes nothing. Earlier backups still hold the data.
    """
    parts = services(request)
    deleted = await deletion.delete_student(parts.database, student, holder.course_id)
    return DeletedBody(**vars(deleted))
