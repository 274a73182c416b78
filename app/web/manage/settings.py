"""The settings of a course: title, clock, language, how long it keeps what was handed in, and its assignments."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.courses import course as courses
from app.courses import uses
from app.errors import AppError
from app.errors.requests import FieldsWrong
from app.errors.uploads import AssignmentUnknown
from app.http.auth.holders import PageFor
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.services import services
from app.web.manage.asking import CourseManager, Staff
from app.web.manage.fields import Fields, form_context
from grader.report.messages import LANGUAGES

MOST_RETENTION_DAYS = 36500

AssignmentManager = Annotated[Principal, Depends(PageFor(Right.MANAGE_ASSIGNMENTS))]

router = APIRouter(prefix="/courses/{course_id}/settings")


@router.get("")
async def settings_page(request: Request, viewer: Staff) -> Response:
    return await _page(request, viewer)


@router.post("")
async def change(request: Request, holder: CourseManager) -> Response:
    """Change what the course is. Only an admin says how long submissions are kept."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        given: dict[str, Any] = {}
        if holder.may(Right.MANAGE_ASSIGNMENTS):
            given = {
                "title": fields.name("title", required=True),
                "language": fields.choice("language", LANGUAGES, LANGUAGES[0]),
                "time_zone": fields.time_zone("time_zone"),
            }
        if "retention_days" in fields.came:
            holder.check(Right.DELETE_STUDENTS)
            given["retention_days"] = fields.number("retention_days", least=0.01, most=MOST_RETENTION_DAYS)
        fields.check()
        async with services(request).database.write() as session:
            await courses.change(session, holder.course_id, given, holder.name)
    except FieldsWrong as refusal:
        return await _page(request, holder, fields, refusal)
    return see_other(f"/courses/{holder.course_id}/settings", said="course.changed")


@router.post("/assignments")
async def use_assignment(request: Request, holder: AssignmentManager) -> Response:
    """Have the course use an assignment, as its file says."""
    async with form_of(request) as form:
        came = fields_of(form).get("assignment", "")
    parts = services(request)
    try:
        if came not in parts.assignments:
            raise AssignmentUnknown(came=came[:100], known=sorted(parts.assignments))
        async with parts.database.write() as session:
            used = {
                each.use.assignment_id for each in await uses.list_used(session, holder.course_id, parts.assignments)
            }
            if came not in used:  # Else its dates would be lost by a second click.
                await uses.put(session, holder.course_id, came, parts.assignments, {}, holder.name)
    except AssignmentUnknown as refusal:
        return await _page(request, holder, refusal=refusal)
    return see_other(f"/courses/{holder.course_id}/settings/assignments/{came}", said="assignment.added")


async def _page(
    request: Request, viewer: Principal, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        used = await uses.list_used(session, course.id, parts.assignments)
    ids = {each.use.assignment_id for each in used}
    return page(
        request,
        "manage/settings.html",
        viewer=viewer,
        course=course,
        here="settings",
        zone=ZoneInfo(course.time_zone),
        zones=sorted(courses.time_zones()),
        used=used,
        unused=[assignment for id, assignment in parts.assignments.items() if id not in ids],
        kept_days=parts.settings.retention_days,
        may_change=viewer.may(Right.MANAGE_ASSIGNMENTS),
        may_archive=viewer.may(Right.MANAGE_COURSE),
        may_delete=viewer.may(Right.DELETE_COURSE),
        **form_context(request, fields, refusal),
    )
