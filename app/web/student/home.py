"""The first page: the own courses with their assignments. Staff of a single course come to the course itself."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fastapi import Response

from app.access.rights import Right
from app.courses.course import has_only_default
from app.http.auth.sessions import session_person
from app.http.forms import see_other
from app.http.visits import Anybody, Pages
from app.storage.models import DEFAULT_COURSE, Role, utc_now
from app.teaching.own.courses import own_courses

router = Pages()


@router.get("/")
async def home(visit: Anybody) -> Response:
    """Show the courses of everybody who is signed in; lead staff of one course to its page, where their work is."""
    viewer, query = visit.holder, visit.request.query_params
    person = await session_person(visit.request)
    async with visit.database.read() as session:
        courses = await own_courses(session, visit.assignments, viewer, person)
        is_first = viewer.may(Right.MAKE_COURSES) and await has_only_default(session)
    if len(courses) == 1 and courses[0].is_staff and viewer.role != Role.ADMIN:
        return see_other(f"/courses/{courses[0].course.id}?{visit.request.url.query}")
    if asked := query.get("course"):
        courses = [each for each in courses if each.course.id == asked]
    return visit.page(
        "student/home.html",
        courses=courses,
        default_course=DEFAULT_COURSE,
        zone_of=lambda course: ZoneInfo(course.time_zone),
        now=utc_now(),
        is_first=is_first,
    )
