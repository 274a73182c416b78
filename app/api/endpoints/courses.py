"""Courses: list, make, change, copy and delete them; their log of changes; and the assignments that they use."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, Field

from app.access.rights import Right
from app.actions import courses as actions
from app.actions.actor import Actor
from app.api.dependencies import AnyReading, Limit, Paged, Reading, Resource, acts, page_of, reads
from app.api.openapi import ARCHIVE
from app.api.schemas.base import EXAMPLE_COURSE, Items, Page
from app.bodies import EXAMPLE_ID, Body, shows
from app.courses import changes, uses
from app.courses import course as courses
from app.courses.assignments import Assignments, Rules, title_of
from app.courses.uses import UsedAssignment
from app.errors import AssignmentNotFound, LateWithoutDue, RulesContradictory
from app.http.archives import BINARY, limit_archives, send_archive
from app.http.parameters import Omittable, Refuses
from app.http.texts import language_of
from app.privacy.deletion import DeletedCourse
from app.storage.paging import Paging


class CourseBody(Body):
    id: str = Field(examples=[EXAMPLE_COURSE])
    title: str
    language: str = Field(examples=["ru"])
    time_zone: str = Field(examples=["Europe/Moscow"])
    retention_days: float | None = shows(actions.RETENTION)
    created_at: datetime
    archived_at: datetime | None = shows("since when nothing in it changes; null: it is not archived")


class CourseChangeBody(Body):
    id: int
    at: datetime = shows(of="created_at")
    made_by: str = shows("the name of a person or of a token", "owner")
    subject: str = shows("what was changed: `course`, `assignment`, `member` or another", "assignment")
    subject_id: str = Field(examples=[EXAMPLE_ID])
    member: str | None = shows("the id of the member concerned", of="membership_id")
    before: dict[str, Any] = shows("the changed values; empty for something new")
    after: dict[str, Any] = Field(examples=[{"due": "2026-10-01T20:59:59Z"}])


class RulesBody(Rules):
    """The dates and rules that hold: the file's, and the course's instead."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class UseBody(Body):
    assignment: str = shows("the `id` of its file", "lstm-layer")
    title: str
    max_points: float | None = shows("of a report; null: the file is gone")
    grade_book_points: float | None = shows("the maximum in the grade book; null: the file is gone")
    set_here: list[str] = shows("what the course sets itself; everything else is as in the file", ["due", "limit"])
    rules: RulesBody


ChangesCursor = Annotated[
    Omittable[Annotated[str, Field(pattern="^[0-9]{1,18}$")]],
    Query(description="`next_cursor` of the page before; by default the first page"),
]
UsedId = Annotated[str, Path(pattern="^[a-z0-9-]{1,64}$", description="an `assignment` from the list")]
ListedId = Annotated[UsedId, Refuses((AssignmentNotFound,))]
RULES = (RulesContradictory, LateWithoutDue)

router = Resource(prefix="/courses", tags=["courses"])


@router.get("", summary="List the courses")
async def list_courses(reading: AnyReading, paging: Paged) -> Page[CourseBody]:
    """List the courses in which this token acts, the newest first: all of them for an admin, else one."""
    rows = await courses.list_courses(reading.session, paging, only=reading.viewer.course)
    return page_of(paging, rows, CourseBody.model_validate)


router.make("", actions.make_course, CourseBody, summary="Make a course", name="create_course")


@router.get("/{course_id}", summary="Read a course")
async def read_course(reading: AnyReading) -> CourseBody:
    return CourseBody.model_validate(await courses.existing(reading.session, reading.course_id))


router.act("PATCH", "/{course_id}", actions.change_course, CourseBody, summary="Change a course")


router.make("/{course_id}/copy", actions.copy_course, CourseBody, summary="Copy a course to the next term")


@router.post("/{course_id}/export", summary="Export a course", response_class=StreamingResponse, responses=ARCHIVE)
async def export_course(request: Request, actor: Annotated[Actor, acts(actions.export_course)]) -> StreamingResponse:
    limit_archives(request, actor.holder)
    content = await actions.export_course(actor, language_of(request))
    return send_archive(content, f"course-{actor.course_id}", BINARY)


@router.delete("/{course_id}", summary="Delete a course")
async def delete_course(
    actor: Annotated[Actor, acts(actions.delete_course)],
    title: Annotated[str, Query(description="the exact title of the course, as a confirmation")] = "",
) -> DeletedCourse:
    return await actions.delete_course(actor, title=title)


@router.get("/{course_id}/changes", summary="List the changes to a course")
async def list_changes(
    reading: Annotated[Reading, reads(Right.SEE_MEMBERS)], limit: Limit = 50, cursor: ChangesCursor = None
) -> Page[CourseChangeBody]:
    """List who changed what and when, the newest first: the course, its assignments, members, extensions, grades."""
    paging = Paging(limit, int(cursor) if cursor is not None else None)
    rows = await changes.list_changes(reading.session, reading.course_id, paging)
    return page_of(paging, rows, CourseChangeBody.model_validate)


# --- the assignments of a course --------------------------------------------------------------------------------------


@router.get("/{course_id}/assignments", summary="List the assignments of a course")
async def list_course_assignments(reading: AnyReading) -> Items[UseBody]:
    """List them with the dates and rules that hold. The course Default uses every file."""
    used = await uses.list_used(reading.session, reading.course_id, reading.assignments)
    return Items(items=[_body(each, reading.assignments, reading.language) for each in used])


@router.get("/{course_id}/assignments/{assignment_id}", summary="Read an assignment of a course")
async def read_course_assignment(reading: AnyReading, assignment_id: ListedId) -> UseBody:
    used = await uses.find_used(reading.session, reading.course_id, assignment_id, reading.assignments)
    return _body(used, reading.assignments, reading.language)


@router.put("/{course_id}/assignments/{assignment_id}", summary="Have a course use an assignment")
async def set_course_assignment(
    request: Request,
    actor: Annotated[Actor, acts(actions.use_assignment)],
    assignment_id: UsedId,
    wanted: actions.UseAssignment,
) -> UseBody:
    used = await actions.use_assignment(actor, assignment_id, wanted)
    return _body(used, actor.assignments, language_of(request))


@router.patch("/{course_id}/assignments/{assignment_id}", summary="Change dates and rules of a course")
async def change_course_assignment(
    request: Request,
    actor: Annotated[Actor, acts(actions.change_assignment)],
    assignment_id: ListedId,
    wanted: actions.ChangeAssignment,
) -> UseBody:
    used = await actions.change_assignment(actor, assignment_id, wanted)
    return _body(used, actor.assignments, language_of(request))


router.act(
    "DELETE",
    "/{course_id}/assignments/{assignment_id}",
    actions.remove_assignment,
    summary="Let a course use an assignment no more",
    name="remove_course_assignment",
    assignment_id=ListedId,
)


def _body(used: UsedAssignment, assignments: Assignments, language: str) -> UseBody:
    use, effective = used.use, used.effective
    max_points = effective.max_points if effective else None
    named = [name for name in ("title", "grade_book_points") if getattr(use, name) is not None]
    return UseBody(
        assignment=use.assignment_id,
        title=title_of(use, assignments, language),
        max_points=max_points,
        grade_book_points=use.grade_book_points if use.grade_book_points is not None else max_points,
        set_here=[*named, *sorted(use.rules)],
        rules=RulesBody(**dict(used.rules)),
    )
