"""An operator's commands on extensions, adjustments, requests for review and grade books, by the rules of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.work import AdjustGrade, AnswerReview, ExtendWork
from app.commands.acting import checked, member_id_of, moment, opened, owner_in, refused_in_words
from app.courses import course as courses
from app.courses import extensions
from app.courses.assignments import in_course
from app.settings import Settings
from app.storage.database import Database
from app.storage.models import Adjustment, Membership
from app.teaching import adjustments, grade_book, reviews
from app.teaching.grade_book import GradeBookFormat
from app.teaching.places import find_place, take_place
from grader import load_assignments
from grader.assignment import Deadline

MOST_LISTED = 5000


async def set_extension(
    settings: Settings, student: str, assignment: str, course: str | None, values: dict[str, Any]
) -> str:
    """Give a student an extension; return a line that says what holds."""
    files = load_assignments(settings.assignments_dir)
    async with _acting(settings, course, Right.EXTEND) as (database, owner), database.write() as session:
        zone = await _zone(session, owner)
        given = {name: value for name, value in values.items() if value is not None}
        given |= {name: moment(name, given[name], zone) for name in ("due", "closes") if name in given}
        wanted = checked(ExtendWork, given)
        member_id = await member_id_of(session, owner, student)
        place = await take_place(session, files, owner.course_id, member_id, assignment)
        extension = await extensions.put(session, place.member, place.use, made_by=owner.name, **wanted.model_dump())
        offered = in_course(files, place.use)
        held = offered.deadline if offered else Deadline()
        later = [
            f"; the course's {name} {_shown(of_course, zone)} is later and holds"
            for name in ("due", "closes")
            if (came := getattr(extension, name)) and (of_course := getattr(held, name)) and of_course > came
        ]
        return _extension_line(extension, place.member, assignment, zone) + "".join(later)


async def remove_extension(settings: Settings, student: str, assignment: str, course: str | None) -> bool:
    """Take an extension back; return False if there is none."""
    files = load_assignments(settings.assignments_dir)
    async with _acting(settings, course, Right.EXTEND) as (database, owner), database.write() as session:
        member_id = await member_id_of(session, owner, student)
        place = await take_place(session, files, owner.course_id, member_id, assignment)
        if await extensions.find(session, place.member, place.use) is None:
            return False
        await extensions.remove(session, place.member, place.use, made_by=owner.name)
        return True


async def list_extensions(settings: Settings, course: str | None) -> list[str]:
    """Return a line for each extension of the course, the newest first."""
    async with _acting(settings, course, Right.SEE_GRADES) as (database, owner), database.read() as session:
        zone = await _zone(session, owner)
        found = await extensions.list_extensions(session, owner.course_id, limit=MOST_LISTED)
    return [_extension_line(extension, member, use.assignment_id, zone) for extension, member, use in found]


async def adjust(settings: Settings, student: str, assignment: str, course: str | None, values: dict[str, Any]) -> str:
    """Adjust a grade; return the adjustment's line."""
    wanted = checked(AdjustGrade, {name: value for name, value in values.items() if value is not None})
    files = load_assignments(settings.assignments_dir)
    async with _acting(settings, course, Right.ADJUST) as (database, owner), database.write() as session:
        member_id = await member_id_of(session, owner, student)
        place = await take_place(session, files, owner.course_id, member_id, assignment)
        made = await adjustments.adjust(session, files, place, **wanted.given(), made_by=owner.name)
    return _adjustment_line(made)


async def withdraw(settings: Settings, student: str, assignment: str, course: str | None) -> bool:
    """Withdraw the adjustment that applies; return False if none does."""
    files = load_assignments(settings.assignments_dir)
    async with _acting(settings, course, Right.ADJUST) as (database, owner), database.write() as session:
        member_id = await member_id_of(session, owner, student)
        place = await take_place(session, files, owner.course_id, member_id, assignment)
        applies = await adjustments.current(session, place)
        if applies is None:
            return False
        await adjustments.withdraw(session, place, applies.id, made_by=owner.name)
    return True


async def list_adjustments(settings: Settings, student: str, assignment: str, course: str | None) -> list[str]:
    """Return a line for each adjustment of a student's grade, the newest first, ended ones too."""
    files = load_assignments(settings.assignments_dir)
    async with _acting(settings, course, Right.SEE_GRADES) as (database, owner), database.read() as session:
        member_id = await member_id_of(session, owner, student)
        place = await find_place(session, files, owner.course_id, member_id, assignment)
        found = await adjustments.list_adjustments(session, place, limit=MOST_LISTED)
    return list(map(_adjustment_line, found))


async def list_reviews(settings: Settings, course: str | None, *, everything: bool) -> list[str]:
    """Return a line for each request for review that is open, or for all of them, the newest first."""
    async with _acting(settings, course, Right.SEE_GRADES) as (database, owner), database.read() as session:
        answered = None if everything else False
        found = await reviews.list_reviews(session, owner.course_id, answered=answered, limit=MOST_LISTED)
    return [
        f"{request.id}  {request.created_at:%Y-%m-%d %H:%M}  {submission.student}, {submission.assignment_id}, "
        f"attempt {submission.attempt}: {_one_line(request.text)}"
        + (f" -> {_one_line(request.answer)}" if request.answer is not None else "")
        for request, submission in found
    ]


async def answer_review(settings: Settings, review_id: str, answer: str, course: str | None) -> None:
    """Answer a request for review."""
    wanted = checked(AnswerReview, {"answer": answer})
    async with _acting(settings, course, Right.ANSWER_REVIEWS) as (database, owner), database.write() as session:
        await reviews.answer(session, owner.course_id, review_id, wanted.answer, answered_by=owner.name)


async def write_grade_book(
    settings: Settings,
    course: str | None,
    form: GradeBookFormat,
    *,
    assignment: str | None,
    missing_is_zero: bool,
    unconfirmed: bool | None,
    language: str,
) -> str:
    """Return the grade book of a course as CSV."""
    files = load_assignments(settings.assignments_dir)
    async with _acting(settings, course, Right.SEE_GRADES) as (database, owner), database.read() as session:
        book = await grade_book.grade_book(
            session,
            files,
            owner.course_id,
            form,
            language,
            only=assignment,
            unconfirmed=unconfirmed,
            missing_is_zero=missing_is_zero,
        )
    return book.text


@asynccontextmanager
async def _acting(settings: Settings, course: str | None, right: Right) -> AsyncIterator[tuple[Database, Principal]]:
    """Open the database, and act as the owner in a course. Raises: NotPossible: the API would refuse it."""
    with refused_in_words():
        async with opened(settings) as database:
            yield database, await owner_in(database, course, right)


async def _zone(session: AsyncSession, owner: Principal) -> ZoneInfo:
    return ZoneInfo((await courses.existing(session, owner.course_id)).time_zone)


def _shown(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def _extension_line(extension: Any, member: Membership, assignment: str, zone: ZoneInfo) -> str:
    dates = [f"{name} {_shown(value, zone)}" for name in ("due", "closes") if (value := getattr(extension, name))]
    more = [f"{extension.more_attempts} more attempts"] if extension.more_attempts else []
    given = ", ".join([*dates, *more])
    return f"{member.external_id or member.id}, {assignment}: {given} ({_one_line(extension.reason)})"


def _adjustment_line(adjustment: Adjustment) -> str:
    what = f"{adjustment.delta:+g}" if adjustment.delta is not None else f"= {adjustment.value:g}"
    state = f"ended {adjustment.ended_at:%Y-%m-%d %H:%M}" if adjustment.ended_at else "applies"
    return f"{adjustment.id}  {what:<8}  {state:<22}  {adjustment.made_by}: {_one_line(adjustment.reason)}"


def _one_line(words: str) -> str:
    return " ".join(words.split())
