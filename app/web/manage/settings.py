"""The settings of a course: title, time zone, language, retention, and its assignments."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import courses as actions
from app.actions.asking import Asking
from app.actions.courses import ChangeCourse
from app.courses import course as courses
from app.courses import uses
from app.errors import AppError
from app.errors.requests import FieldsWrong
from app.errors.uploads import AssignmentUnknown
from app.http.auth.holders import FormAsks
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.staff import Staff
from app.services import services

router = APIRouter(prefix="/courses/{course_id}/settings")


@router.get("")
async def settings_page(request: Request, viewer: Staff) -> Response:
    return await _page(request, viewer)


@router.post("")
async def change(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.change_course))]) -> Response:
    """Change the settings. Only an admin sets how long submissions are kept."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        await actions.change_course(asking, fields.read(ChangeCourse))
    except FieldsWrong as refusal:
        return await _page(request, asking.holder, fields, refusal)
    return see_other(f"/courses/{asking.course_id}/settings", said="course.changed")


@router.post("/assignments")
async def use_assignment(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.add_assignment))]
) -> Response:
    """Have the course use an assignment, as its file says."""
    async with form_of(request) as form:
        assignment_id = fields_of(form).get("assignment", "")
    try:
        await actions.add_assignment(asking, assignment_id)
    except AssignmentUnknown as refusal:
        return await _page(request, asking.holder, refusal=refusal)
    return see_other(f"/courses/{asking.course_id}/settings/assignments/{assignment_id}", said="assignment.added")


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
