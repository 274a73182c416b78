"""The first page: the own courses with their assignments, or the course of somebody who teaches one."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from app.http.auth import SessionHolder, session_person
from app.http.pages import page
from app.services import services
from app.storage.models import Course, utc_now
from app.teaching.own.courses import own_courses

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request, viewer: SessionHolder) -> Response:
    """Show the courses of everybody who is signed in."""
    parts = services(request)
    person = await session_person(request)
    async with parts.database.read() as session:
        courses = await own_courses(session, parts.assignments, viewer, person)
    if asked := request.query_params.get("course"):
        courses = [each for each in courses if each.course.id == asked]
    return page(request, "student/home.html", viewer=viewer, courses=courses, zone_of=zone_of, now=utc_now())


def zone_of(course: Course) -> ZoneInfo:
    """Return the clock of a course."""
    return ZoneInfo(course.time_zone)
