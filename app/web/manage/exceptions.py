"""Overviews of the exceptions in a course: extensions and adjustments. They are made on a student's own page."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.courses import course as courses
from app.courses import extensions, membership, uses
from app.courses.membership import Members
from app.http.auth.holders import PageFor
from app.http.forms import form_of, see_other
from app.http.pages import page
from app.http.staff import ROWS, MemberId, Shown, cursor_of
from app.services import services
from app.storage.models import MemberRole
from app.teaching import adjustments
from app.teaching.places import take_place

#: How many students a search offers.
OFFERED = 10

Viewer = Annotated[Principal, Depends(Shown(Right.SEE_GRADES))]
Extender = Annotated[Principal, Depends(PageFor(Right.EXTEND))]

router = APIRouter(prefix="/courses/{course_id}")


@router.get("/extensions")
async def list_extensions(request: Request, viewer: Viewer, page_from: str | None = None, search: str = "") -> Response:
    """List the extensions, and find the student for a new one."""
    parts = services(request)
    search = search.strip()[:200]
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await extensions.list_extensions(session, course.id, limit=ROWS + 1, before=cursor_of(page_from))
        used = await uses.list_used(session, course.id, parts.assignments)
        offered = []
        if search and search.isprintable():
            wanted = Members(role=MemberRole.STUDENT, removed=False, text=search)
            offered = list((await membership.list_by_name(session, course.id, wanted, limit=OFFERED))[0])
    return page(
        request,
        "manage/extensions.html",
        viewer=viewer,
        course=course,
        here="extensions",
        wide=True,
        zone=ZoneInfo(course.time_zone),
        extensions=found[:ROWS],
        next=found[ROWS - 1][0].id if len(found) > ROWS else None,
        used={each.use.assignment_id: each for each in used},
        search=search,
        offered=offered,
        may_change=viewer.may(Right.EXTEND),
    )


@router.post("/extensions/{member_id}/{assignment_id}/remove")
async def remove_extension(
    request: Request, holder: Extender, member_id: MemberId, assignment_id: Annotated[str, Path(max_length=64)]
) -> Response:
    """Take an extension back. The dates and the limit of the course hold again."""
    parts = services(request)
    async with form_of(request), parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        # There is none any more where the form is sent twice.
        await extensions.remove(session, place.member, place.use, made_by=holder.name)
    return see_other(f"/courses/{holder.course_id}/extensions", said="extension.removed")


@router.get("/adjustments")
async def list_adjustments(request: Request, viewer: Viewer, page_from: str | None = None, ended: str = "") -> Response:
    """List the adjustments that apply, or all that ever did, with a mark where the points below have changed."""
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await adjustments.list_of_course(
            session,
            parts.assignments,
            course.id,
            limit=ROWS + 1,
            before=cursor_of(page_from),
            ended_too=bool(ended),
        )
        used = await uses.list_used(session, course.id, parts.assignments)
    return page(
        request,
        "manage/adjustments.html",
        viewer=viewer,
        course=course,
        here="adjustments",
        wide=True,
        zone=ZoneInfo(course.time_zone),
        adjustments=found[:ROWS],
        next=found[ROWS - 1].adjustment.id if len(found) > ROWS else None,
        used={each.use.assignment_id: each for each in used},
        ended=bool(ended),
    )
