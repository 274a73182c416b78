"""The life of a course: copy it to the next term, archive, reopen, export and delete it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import courses as actions
from app.actions.asking import Asking
from app.actions.courses import MOST_COPY_DAYS, ChangeCourse, CopyCourse
from app.courses import course as courses
from app.errors import AppError
from app.errors.courses import DeletionUnconfirmed
from app.errors.requests import FieldsWrong
from app.http.archives import limit_archives, send_archive
from app.http.auth.holders import FormAsks, PageFor
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.staff import CourseManager
from app.http.texts import language_of
from app.services import services

#: The default shift: half a year in whole weeks, so that the days of the week stay.
USUAL_DAYS = 182

Changer = Annotated[Asking, Depends(FormAsks(actions.change_course))]
Deleter = Annotated[Principal, Depends(PageFor(Right.DELETE_COURSE))]

router = APIRouter(prefix="/courses/{course_id}")


@router.get("/copy")
async def copy_page(request: Request, holder: CourseManager) -> Response:
    return await _copy_page(request, holder)


@router.post("/copy")
async def copy(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.copy_course))]) -> Response:
    """Copy the course. A form that is sent twice makes one copy."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    key = f"page:{fields.form_key()}"
    try:
        dates = {} if fields.has("with_dates") else {"shift_days": None}
        wanted = fields.read(CopyCourse, names={"shift_days": "days"}, filled_only=True, **dates)
    except FieldsWrong as refusal:
        return await _copy_page(request, asking.holder, fields, refusal)
    course = await actions.copy_course(asking, wanted, key=key)
    # A teacher acts in the new course by a membership there, and this session may be in the old one only.
    address = f"/courses/{course.id}/start" if asking.holder.may(Right.MAKE_COURSES) else "/courses"
    return see_other(address, said="course.copied")


@router.post("/archive")
async def archive(request: Request, asking: Changer) -> Response:
    return await _set_archived(request, asking, archived=True)


@router.post("/reopen")
async def reopen(request: Request, asking: Changer) -> Response:
    return await _set_archived(request, asking, archived=False)


@router.post("/export")
async def export(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.export_course))]
) -> StreamingResponse:
    """Send the course as one archive."""
    async with form_of(request):
        limit_archives(request, asking.holder)
    content = await actions.export_course(asking, language_of(request))
    return send_archive(content, f"course-{asking.course_id}")


@router.get("/delete")
async def delete_page(request: Request, holder: Deleter) -> Response:
    return await _delete_page(request, holder)


@router.post("/delete")
async def delete(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.delete_course))]) -> Response:
    """Delete the course with everything in it, if the form repeats its title."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        await actions.delete_course(asking, title=fields.typed.get("confirmation", ""))
    except DeletionUnconfirmed as refusal:
        return await _delete_page(request, asking.holder, fields, refusal)
    return see_other("/courses", said="course.deleted")


async def _set_archived(request: Request, asking: Asking, *, archived: bool) -> Response:
    async with form_of(request):
        await actions.change_course(asking, ChangeCourse(archived=archived))
    return see_other(f"/courses/{asking.course_id}/settings", said="course.archived" if archived else "course.reopened")


async def _copy_page(
    request: Request, holder: Principal, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, holder.course_id)
    return page(
        request,
        "manage/course_copy.html",
        viewer=holder,
        course=course,
        here="settings",
        days=USUAL_DAYS,
        most_days=MOST_COPY_DAYS,
        **form_context(request, fields, refusal),
    )


async def _delete_page(
    request: Request, holder: Principal, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, holder.course_id)
        size = (await courses.sizes(session, [course.id]))[course.id]
    return page(
        request,
        "manage/course_delete.html",
        viewer=holder,
        course=course,
        here="settings",
        size=size,
        **form_context(request, fields, refusal),
    )
