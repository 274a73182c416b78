"""The first page: the own courses with their assignments. Staff of a single course come to the course itself."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import news as actions
from app.courses.course import has_only_default
from app.http.auth.holders import SessionHolder
from app.http.auth.holders import asking as asking_of
from app.http.auth.sessions import session_person
from app.http.forms import see_other
from app.http.pages import page
from app.http.staff import titles_of
from app.http.texts import language_of
from app.services import services
from app.storage.models import DEFAULT_COURSE, CourseAssignment, MemberRole, Person, Role, utc_now
from app.teaching import news_mail
from app.teaching.news import News, list_news
from app.teaching.own.courses import own_courses

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request, viewer: SessionHolder) -> Response:
    """Show the courses of everybody who is signed in; lead staff of one course to its page, where their work is."""
    parts = services(request)
    person = await session_person(request)
    async with parts.database.read() as session:
        courses = await own_courses(session, parts.assignments, viewer, person)
        members = [each.member for each in courses if each.member and each.member.role == MemberRole.STUDENT]
        news = await list_news(session, [member.id for member in members])
        mailed = await session.get(Person, members[0].person_id) if members and parts.mailer else None
        gets_mail = mailed is not None and await news_mail.is_on(session, mailed)
        is_first = viewer.may(Right.MAKE_COURSES) and await has_only_default(session)
    if len(courses) == 1 and courses[0].is_staff and viewer.role != Role.ADMIN:
        return see_other(f"/courses/{courses[0].course.id}?{request.url.query}")
    await _see(request, viewer, news)
    request.state.news = 0  # This page shows it.
    if asked := request.query_params.get("course"):
        courses = [each for each in courses if each.course.id == asked]
    return page(
        request,
        "student/home.html",
        viewer=viewer,
        courses=courses,
        default_course=DEFAULT_COURSE,
        zone_of=lambda course: ZoneInfo(course.time_zone),
        now=utc_now(),
        is_first=is_first,
        listed=news,
        title_of_use=partial(_title, request),
        mailed=mailed,
        gets_mail=gets_mail,
    )


async def _see(request: Request, viewer: Principal, news: Sequence[News]) -> None:
    """Keep that the page shows this news, unless a browser only fetches it in advance."""
    seen: dict[str, datetime] = {}
    for each in news:
        if each.is_new:
            seen[each.member_id] = max(seen.get(each.member_id, each.at), each.at)
    if seen and not request.headers.get("sec-purpose"):
        # It stays new where nothing can be stored now.
        with contextlib.suppress(SQLAlchemyError):
            await actions.see_news(asking_of(request, viewer), seen, language_of(request))


def _title(request: Request, use: CourseAssignment) -> str:
    return titles_of(request, [use])[use.assignment_id]
