"""The assignments that a course uses, with its dates and rules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.status import HTTP_204_NO_CONTENT

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import courses as actions
from app.actions.asking import Asking
from app.actions.courses import ChangeAssignment, UseAssignment, rule_description
from app.api.openapi import JSON_BODY, problem_answers
from app.api.schemas.base import Body
from app.courses import uses
from app.courses.uses import UsedAssignment
from app.errors.courses import (
    AssignmentInUse,
    AssignmentNotFound,
    CourseArchived,
    CourseNotFound,
    LateWithoutDue,
    RulesContradictory,
)
from app.errors.requests import NotPermitted
from app.errors.uploads import AssignmentUnknown
from app.http.auth.holders import AsksIn, TokenInCourseFor
from app.http.texts import language_of
from app.services import services
from app.texts import title_of


class RulesBody(Body):
    """The dates and rules that hold: the file's, and the course's instead."""

    opens: datetime | None = Field(description=rule_description("opens"))
    due: datetime | None = Field(description=rule_description("due"))
    closes: datetime | None = Field(description=rule_description("closes"))
    late_percent_per_day: float = Field(description=rule_description("late_percent_per_day"))
    late_percent_max: float = Field(description=rule_description("late_percent_max"))
    limit: int | None = Field(description=rule_description("limit"))
    cooldown_seconds: int = Field(description=rule_description("cooldown_seconds"))
    counts: str = Field(description=rule_description("counts"))
    checks_per_hour: int = Field(description=rule_description("checks_per_hour"))


class UseBody(Body):
    assignment: str = Field(description="the `id` of its file", examples=["lstm-layer"])
    title: str
    max_points: float | None = Field(description="of a report; null: the file is gone")
    grade_book_points: float | None = Field(description="the maximum in the grade book; null: the file is gone")
    set_here: list[str] = Field(
        description="what the course sets itself; everything else is as in the file", examples=[["due", "limit"]]
    )
    rules: RulesBody


class UseList(Body):
    items: list[UseBody]


UsedId = Annotated[str, Path(pattern="^[a-z0-9-]{1,64}$", description="an `assignment` from the list")]
Viewer = Annotated[Principal, Depends(TokenInCourseFor(Right.READ))]
CHANGE_REFUSALS = (
    *JSON_BODY,
    NotPermitted,
    CourseArchived,
    RequestValidationError,
    RulesContradictory,
    LateWithoutDue,
)

router = APIRouter(
    prefix="/courses/{course_id}/assignments", tags=["courses"], responses=problem_answers(CourseNotFound)
)


@router.get("", summary="List the assignments of a course")
async def list_course_assignments(request: Request, viewer: Viewer) -> UseList:
    """List them with the dates and rules that hold. The course Default uses every file."""
    parts = services(request)
    async with parts.database.read() as session:
        found = await uses.list_used(session, viewer.course_id, parts.assignments)
    return UseList(items=[_body(each, language_of(request)) for each in found])


@router.get("/{assignment_id}", summary="Read an assignment of a course", responses=problem_answers(AssignmentNotFound))
async def read_course_assignment(request: Request, viewer: Viewer, assignment_id: UsedId) -> UseBody:
    parts = services(request)
    async with parts.database.read() as session:
        used = await uses.find_used(session, viewer.course_id, assignment_id, parts.assignments)
    return _body(used, language_of(request))


@router.put(
    "/{assignment_id}",
    summary="Have a course use an assignment",
    responses=problem_answers(*CHANGE_REFUSALS, AssignmentUnknown),
)
async def set_course_assignment(
    request: Request,
    asking: Annotated[Asking, Depends(AsksIn(actions.use_assignment))],
    assignment_id: UsedId,
    wanted: UseAssignment,
) -> UseBody:
    """Use a file, with these dates and rules and no others. One that is not given is as in the file, null is none.

    A course uses one file once. Dates count at once, for what was handed in, too; nothing is graded again.
    """
    return _body(await actions.use_assignment(asking, assignment_id, wanted), language_of(request))


@router.patch(
    "/{assignment_id}",
    summary="Change dates and rules of a course",
    responses=problem_answers(*CHANGE_REFUSALS, AssignmentNotFound),
)
async def change_course_assignment(
    request: Request,
    asking: Annotated[Asking, Depends(AsksIn(actions.change_assignment))],
    assignment_id: UsedId,
    wanted: ChangeAssignment,
) -> UseBody:
    """Change what is given. `as_in_file` names the dates and rules for which the file holds again."""
    return _body(await actions.change_assignment(asking, assignment_id, wanted), language_of(request))


@router.delete(
    "/{assignment_id}",
    summary="Let a course use an assignment no more",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(NotPermitted, CourseArchived, AssignmentNotFound, AssignmentInUse),
)
async def remove_course_assignment(
    asking: Annotated[Asking, Depends(AsksIn(actions.remove_assignment))], assignment_id: UsedId
) -> Response:
    """Refused while there are submissions to it. In the course Default the file's own dates and rules hold again."""
    await actions.remove_assignment(asking, assignment_id)
    return Response(status_code=HTTP_204_NO_CONTENT)


def _body(used: UsedAssignment, language: str) -> UseBody:
    use, effective = used.use, used.effective
    max_points = effective.max_points if effective else None
    named = [name for name in ("title", "grade_book_points") if getattr(use, name) is not None]
    return UseBody(
        assignment=use.assignment_id,
        title=use.title or (title_of(effective, language) if effective else use.assignment_id),
        max_points=max_points,
        grade_book_points=use.grade_book_points if use.grade_book_points is not None else max_points,
        set_here=[*named, *sorted(use.rules)],
        rules=RulesBody(**dict(used.rules)),
    )
