"""Courses: the list, a new one, and the steps until students can hand in."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import courses as actions
from app.actions.asking import Asking
from app.actions.courses import MakeCourse
from app.courses import course as courses
from app.courses import uses
from app.errors.requests import FieldsWrong
from app.http.auth.holders import FormAsks, PageFor, SessionHolder
from app.http.auth.sessions import session_person
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.staff import ROWS, Staff, cursor_of
from app.http.texts import language_of
from app.lti import platforms
from app.services import services

#: The time zone in the form until a script asks the browser.
ZONES = {"ru": "Europe/Moscow", "en": "UTC"}

Maker = Annotated[Principal, Depends(PageFor(Right.MAKE_COURSES))]

router = APIRouter()


@router.get("/courses")
async def list_courses(request: Request, viewer: SessionHolder, page_from: str | None = None) -> Response:
    """List the courses of the reader; for an admin all, the newest first."""
    person = await session_person(request)
    async with services(request).database.read() as session:
        if person is not None:
            rows = [(each, member.role.value) for each, member in await courses.list_of_person(session, person.id)]
        else:
            found = await courses.list_courses(session, only=viewer.course, limit=ROWS + 1, before=cursor_of(page_from))
            rows = [(each, viewer.role.value) for each in found]
        sizes = await courses.sizes(session, [each.id for each, _ in rows])
        is_first = viewer.may(Right.MAKE_COURSES) and await courses.has_only_default(session)
    return page(
        request,
        "manage/courses.html",
        viewer=viewer,
        rows=rows[:ROWS],
        sizes=sizes,
        next=rows[ROWS - 1][0].id if len(rows) > ROWS else None,
        may_make=viewer.may(Right.MAKE_COURSES),
        is_first=is_first,
    )


@router.get("/courses/new")
async def new_course(request: Request, maker: Maker) -> Response:
    return _new_page(request, maker)


@router.post("/courses/new")
async def make_course(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.make_course))]) -> Response:
    """Make a course with the chosen assignments. A form that is sent twice makes one."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
        chosen = sorted({str(value) for value in form.getlist("assignment")})
    key = f"page:{fields.form_key()}"
    try:
        wanted = fields.read(MakeCourse, filled_only=True, retention_days=None)
    except FieldsWrong as refusal:
        return _new_page(request, asking.holder, fields, refusal, chosen)
    course = await actions.make_course(asking, wanted, uses_too=chosen, key=key)
    return see_other(f"/courses/{course.id}/start", said="course.made")


@router.get("/courses/{course_id}/start")
async def start(request: Request, viewer: Staff) -> Response:
    """Show the steps until students can hand in, and which of them are done."""
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        used = await uses.list_used(session, course.id, parts.assignments)
        size = (await courses.sizes(session, [course.id]))[course.id]
        platform = await platforms.name_for_course(session, course.id)
    return page(
        request,
        "manage/start.html",
        viewer=viewer,
        course=course,
        here="settings",
        zone=ZoneInfo(course.time_zone),
        used=used,
        has_dates=bool(used) and all(each.rules.due for each in used),
        size=size,
        platform=platform,
    )


def _new_page(
    request: Request,
    maker: Principal,
    fields: Fields | None = None,
    refusal: FieldsWrong | None = None,
    chosen: list[str] | None = None,
) -> Response:
    assignments = services(request).assignments
    return page(
        request,
        "manage/course_new.html",
        viewer=maker,
        zones=sorted(courses.time_zones()),
        zone=ZONES[language_of(request)],
        assignments=assignments.values(),
        chosen=[*assignments] if chosen is None else chosen,
        **form_context(request, fields, refusal),
    )
