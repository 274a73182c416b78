"""The first page: the own courses with their assignments, news, and the switches of the mail about news.

Staff of a single course get that course's page instead.
"""

import contextlib
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from sqlalchemy.exc import SQLAlchemyError

from app.access.rights import Right
from app.actions import mail as actions
from app.courses.course import has_only_default
from app.http.archives import send_own_archive
from app.http.auth.sessions import session_person
from app.http.forms import see_other
from app.http.pages import page
from app.http.visits import Pages, Visit
from app.onward import HOME
from app.services import services
from app.storage.models import DEFAULT_COURSE, MemberRole, Person, Role, utc_now
from app.teaching import news_mail
from app.teaching.news import News, list_news
from app.teaching.news_mail import OFF_PATH, SECRET_CHARACTERS
from app.teaching.own.courses import own_courses

router = Pages()


@router.page("/")
async def home(visit: Visit) -> Response:
    """Show the courses of everybody who is signed in; lead staff of one course to its page, where their work is."""
    viewer, query = visit.holder, visit.request.query_params
    person = await session_person(visit.request)
    async with visit.database.read() as session:
        courses = await own_courses(session, visit.assignments, viewer, person)
        members = [each.member for each in courses if each.member and each.member.role == MemberRole.STUDENT]
        news = await list_news(session, [member.id for member in members])
        mailed = await session.get(Person, members[0].person_id) if members and visit.mailer else None
        gets_mail = mailed is not None and await news_mail.is_on(session, mailed)
        is_first = viewer.may(Right.MAKE_COURSES) and await has_only_default(session)
    if len(courses) == 1 and courses[0].is_staff and viewer.role != Role.ADMIN:
        return see_other(f"/courses/{courses[0].course.id}?{visit.request.url.query}")
    await _see(visit, news)
    visit.request.state.news = 0  # This page shows it.
    if asked := query.get("course"):
        courses = [each for each in courses if each.course.id == asked]
    return visit.page(
        "student/home.html",
        courses=courses,
        default_course=DEFAULT_COURSE,
        zone_of=lambda course: ZoneInfo(course.time_zone),
        now=utc_now(),
        is_first=is_first,
        listed=news,
        mailed=mailed,
        gets_mail=gets_mail,
    )


@router.page("/courses/{course_id}/me/export", Right.READ)
async def export_me(visit: Visit) -> Response:
    return await send_own_archive(visit.request, visit.holder)


async def _see(visit: Visit, news: Sequence[News]) -> None:
    """Record that the page shows this news, unless a browser only prefetches it."""
    seen = {each.member_id: each.at for each in reversed(news) if each.is_new}  # The newest of a member comes last.
    if seen and not visit.request.headers.get("sec-purpose"):
        # It stays new if nothing can be stored now.
        with contextlib.suppress(SQLAlchemyError):
            await actions.see_news(visit, seen, visit.language)


# --- mail about news --------------------------------------------------------------------------------------------------


@router.form("/news/mail", actions.switch_news_mail)
async def switch_mail(visit: Visit) -> Response:
    wanted = visit.fields.read(actions.SwitchNewsMail)
    await actions.switch_news_mail(visit, wanted)
    return see_other(HOME, said="news.off" if wanted.off else "news.on")


@router.get(OFF_PATH)
async def off_page(request: Request, of: str = "") -> Response:
    """Ask whether to end the mail: the link alone changes nothing, because mail servers open it."""
    return page(request, "student/news_off.html", of=of, is_off=False)


@router.post(OFF_PATH)
async def end_mail(request: Request, of: str = "") -> Response:
    """End the mail, asked for by the page or by a mail program (RFC 8058). The secret in the link is the only proof."""
    if of.isprintable():
        await actions.end_news_mail(services(request).database, of[:SECRET_CHARACTERS])
    return page(request, "student/news_off.html", of=of, is_off=True)
