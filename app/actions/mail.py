"""Mail to students: news, which they also see in the page, and letters of a teacher."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from app.access.rights import Right
from app.actions.actor import Writer, change
from app.actions.fields import ActionRequest, Id, Language, Name, Points, Words
from app.courses import course as courses
from app.errors import LetterRepeated, MailNotSet, MemberNotFound, existing
from app.storage.database import Database
from app.storage.models import Membership, Person
from app.storage.turns import take_turns
from app.teaching import letters, news, news_mail
from app.teaching.grade_list import used_assignments
from app.texts import text
from grader.report import numbers


class SwitchNewsMail(ActionRequest):
    off: bool = False


@change(Right.READ)
async def see_news(actor: Writer, seen: Mapping[str, datetime], language: str) -> None:
    """Record up to which times the holder has seen the news of their memberships, and in which language."""
    await news.see(actor.session, seen)
    for member_id in seen:
        member = await actor.session.get_one(Membership, member_id)
        (await actor.session.get_one(Person, member.person_id)).language = language


@change(Right.READ)
async def switch_news_mail(actor: Writer, wanted: SwitchNewsMail) -> None:
    """Switch the holder's mail about news off or on.

    Raises:
        MemberNotFound: the holder is no member.
    """
    member = await actor.session.get(Membership, actor.holder.membership_id) if actor.holder.membership_id else None
    await news_mail.switch(actor.session, existing(member, MemberNotFound).person_id, off=wanted.off)


async def end_news_mail(database: Database, secret: str) -> None:
    """Switch off the mail that holds this secret. An unknown secret changes nothing."""
    async with database.write() as session:
        await news_mail.switch_off(session, secret)


# --- letters of a teacher ---------------------------------------------------------------------------------------------


class WriteToStudents(ActionRequest):
    below: Points | None = Field(None, description="to those whose grade is less; null: to those who handed in nothing")
    subject: Name
    text: Words
    language: Language = Field(description="of what the service adds: the deadline, and the link")
    members: Annotated[list[Id], Field(max_length=20_000)] = Field(description="those to whom the writer agreed")
    again: bool = Field(False, description="although somebody has just written to the same students")


@change(Right.MANAGE_MEMBERS)
async def write_to_students(actor: Writer, assignment_id: str, wanted: WriteToStudents) -> int:
    """Store a letter to each student alone, with the student's own deadline, to be mailed at once.

    It goes to those of `members` who still have handed in nothing, or too little.

    Returns:
        The number of letters.
    Raises:
        CourseArchived, AssignmentNotFound
        MailNotSet
        LetterRepeated: the same students got one a few minutes ago.
    """
    if actor.mailer is None:
        raise MailNotSet
    session = actor.session
    await courses.keep_open(session, actor.course_id)
    await take_turns(session, [f"letters:{actor.course_id}"])
    course = await courses.existing(session, actor.course_id)
    (use,) = await used_assignments(session, actor.assignments, course.id, assignment_id)
    lacking = await letters.recipients(session, actor.assignments, use, below=wanted.below)
    agreed = set(wanted.members)
    recipients = [each for each in lacking if each.email and each.member.id in agreed]
    if not recipients:
        return 0
    if not wanted.again and await letters.is_repeated(session, use, wanted.below):
        raise LetterRepeated(minutes=int(letters.AGAIN_AFTER.total_seconds() // 60))
    letters.log(session, course, use, actor.name, below=wanted.below, count=len(recipients), title=wanted.subject)
    zone, language = ZoneInfo(course.time_zone), wanted.language.value
    for each in recipients:
        due = numbers.moment(each.due.astimezone(zone), language) if each.due else None
        lines = [wanted.text.strip(), text("letter.due", language, due=due) if due else ""]
        words = "\n\n".join(filter(None, lines))
        await letters.add(session, use, each, subject=wanted.subject, text=words, language=language)
    return len(recipients)
