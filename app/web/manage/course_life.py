"""The life of a course: copied to the next term, archived, opened again, deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.idempotency import made_before, make_once
from app.access.rights import Right
from app.access.tokens import Principal
from app.courses import copying
from app.courses import course as courses
from app.errors import AppError
from app.errors.courses import DeletionUnconfirmed
from app.errors.requests import FieldsWrong
from app.http.auth.holders import PageFor
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.privacy import deletion
from app.services import services
from app.storage.models import Course
from app.web.manage.asking import CourseManager
from app.web.manage.fields import Fields, form_context

MOST_DAYS = 3660
#: Half a year, in whole weeks, so that days of the week stay.
USUAL_DAYS = 182

Deleter = Annotated[Principal, Depends(PageFor(Right.DELETE_COURSE))]

router = APIRouter(prefix="/courses/{course_id}")


@router.get("/copy")
async def copy_page(request: Request, holder: CourseManager) -> Response:
    return await _copy_page(request, holder)


@router.post("/copy")
async def copy(request: Request, holder: CourseManager) -> Response:
    """Copy the course. A form that is sent twice makes one copy."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    key = f"page:{fields.form_key()}"
    try:
        title = fields.name("title", required=True) or ""
        days = fields.whole("days", least=-MOST_DAYS, most=MOST_DAYS)
        fields.check()
    except FieldsWrong as refusal:
        return await _copy_page(request, holder, fields, refusal)

    async def make(session: AsyncSession) -> Course:
        return await copying.copy(
            session,
            await courses.existing(session, holder.course_id),
            parts.assignments,
            title=title,
            shift_days=days or 0 if fields.has("with_dates") else None,
            made_by=holder.name,
            created_by=holder.id,
            idempotency_key=key,
        )

    made, _ = await make_once(
        parts.database, lambda session: made_before(session, Course, holder.id, key, title=title), make
    )
    # A teacher acts in the new course by a membership there, and this session may be in the old one only.
    address = f"/courses/{made.id}/start" if holder.may(Right.MAKE_COURSES) else "/courses"
    return see_other(address, said="course.copied")


@router.post("/archive")
async def archive(request: Request, holder: CourseManager) -> Response:
    return await _archived(request, holder, archived=True)


@router.post("/reopen")
async def reopen(request: Request, holder: CourseManager) -> Response:
    return await _archived(request, holder, archived=False)


@router.get("/delete")
async def delete_page(request: Request, holder: Deleter) -> Response:
    return await _delete_page(request, holder)


@router.post("/delete")
async def delete(request: Request, holder: Deleter) -> Response:
    """Delete the course with everything in it, if the form repeats its title."""
    database = services(request).database
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    async with database.read() as session:
        course = await courses.existing(session, holder.course_id)
    came = fields.came.get("confirmation", "")
    if came != course.title:
        return await _delete_page(request, holder, fields, DeletionUnconfirmed(came=came[:200]))
    await deletion.delete_course(database, course.id)
    return see_other("/courses", said="course.deleted")


async def _archived(request: Request, holder: Principal, *, archived: bool) -> Response:
    async with form_of(request), services(request).database.write() as session:
        await courses.change(session, holder.course_id, {"archived": archived}, holder.name)
    return see_other(f"/courses/{holder.course_id}/settings", said="course.archived" if archived else "course.reopened")


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
        most_days=MOST_DAYS,
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
