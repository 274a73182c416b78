"""Letters of a teacher to students who have handed in nothing at an assignment, or whose grade is low.

A letter is stored with the log of changes, and deleted when it is sent. A failed one is tried again, by any process,
for a day, but not after the student's deadline.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.courses import changes
from app.courses.assignments import Assignments
from app.mail.mailer import LEASE, Mailer, renew, wait_after
from app.mail.messages import MailKind
from app.outgoing.sender import Sender
from app.storage.database import Database
from app.storage.due import database_now, is_due
from app.storage.models import Change, Course, CourseAssignment, Letter, Membership, utc_now
from app.submissions.grades import bases
from app.teaching.grade_list import AT_ONCE
from app.teaching.overview.table import list_students

logger = logging.getLogger(__name__)

#: A letter to the same students within this time is asked about.
AGAIN_AFTER = timedelta(minutes=15)
#: A letter is not tried longer.
LONGEST = timedelta(days=1)
#: Letters that one process claims at the same time.
MOST = 20


@dataclass(frozen=True)
class Recipient:
    """A student to write to, with the person.

    Attributes:
        points: the grade; None: there is none.
        due: the student's own deadline until which something can be handed in; None: it is over, or there is none.
        is_extended: it is not the course's.
    """

    member: Membership
    points: float | None
    due: datetime | None
    is_extended: bool

    @property
    def email(self) -> str | None:
        return self.member.person.email


async def recipients(
    session: AsyncSession, assignments: Assignments, use: CourseAssignment, *, below: float | None
) -> Sequence[Recipient]:
    """List the students to write to: joined members are one, and nobody is removed or one of the staff.

    Args:
        below: those whose grade is less than these points; None: those who have handed in nothing and have no grade.
    """
    addressees = []
    everybody = await list_students(session, use.course_id)
    for start in range(0, len(everybody), AT_ONCE):
        members = everybody[start : start + AT_ONCE]
        basis = await bases(session, assignments, members, [use])
        for member in members:
            if (of_member := basis.get((member.id, use.id))) is None:
                continue
            counted, deadline = of_member.counted, of_member.terms.of_student.deadline
            is_low = below is not None and counted.points is not None and counted.points < below
            if is_low if below is not None else not counted.attempts and counted.points is None:
                due = next((each for each in (deadline.due, deadline.closes) if each and each > utc_now()), None)
                is_extended = deadline != of_member.terms.assignment.deadline
                addressees.append(Recipient(member, counted.points, due, is_extended))
    return sorted(addressees, key=lambda each: (each.member.person.name or each.member.external_id or "").casefold())


async def is_repeated(session: AsyncSession, use: CourseAssignment, below: float | None) -> bool:
    """Tell whether somebody has just written to the same students."""
    since = utc_now() - AGAIN_AFTER
    lately = select(Change.after).where(
        Change.course_id == use.course_id, Change.subject == "course", Change.created_at > since
    )
    letters = [after["letter"] for after in await session.scalars(lately) if "letter" in after]
    return (use.assignment_id, below) in [(each["assignment"], each["below"]) for each in letters]


async def add(
    session: AsyncSession, use: CourseAssignment, to: Recipient, *, subject: str, text: str, language: str
) -> None:
    """Store a letter, which is due now."""
    now = await database_now(session)
    session.add(
        Letter(
            membership_id=to.member.id,
            assignment_id=use.assignment_id,
            subject=subject,
            text=text,
            language=language,
            until=min(now + LONGEST, to.due or now + LONGEST),
            waits_since=now,
            next_at=now,
        )
    )


def log(
    session: AsyncSession,
    course: Course,
    use: CourseAssignment,
    made_by: str,
    *,
    below: float | None,
    count: int,
    title: str,
) -> None:
    """Log who wrote to how many and why."""
    why = "missing" if below is None else "below"
    letter = {"assignment": use.assignment_id, "to": why, "below": below, "count": count, "subject": title}
    changes.log(session, course, made_by, {}, {"letter": letter})


class LetterSender(Sender[Letter]):
    """A sender of letters; it works while the async context is entered. Several processes may each run one.

    Args:
        url: of the service, without a slash at the end.
    """

    NAME = "letters"

    def __init__(self, database: Database, mailer: Mailer, url: str) -> None:
        super().__init__(database)
        self._mailer = mailer
        self._url = url

    async def _is_something_due(self, session: AsyncSession) -> bool:
        due = select(Letter.id).where(is_due(Letter, await database_now(session))).limit(1)
        return await session.scalar(due) is not None

    async def _claim(self, session: AsyncSession, busy: Mapping[str, int]) -> Iterable[Letter]:
        return await _claim_due(session, MOST - len(busy))

    def _receiver(self, item: Letter) -> str:
        return item.id

    async def _send(self, item: Letter) -> None:
        async with self._mailer.connections:
            async with self._database.write() as session:
                stored = await session.get_one(Letter, item.id, with_for_update=True)
                is_ours = renew(stored, item.tries, await database_now(session))
            if is_ours:
                await self._try(item)

    async def _try(self, letter: Letter) -> None:
        async with self._database.read() as session:
            member = await session.get_one(Membership, letter.membership_id, options=[joinedload(Membership.person)])
            course = await session.get_one(Course, member.course_id)
            is_late = letter.until < await database_now(session)
        is_sent: bool | None = False
        if member.person.email and member.removed_at is None and not is_late:
            is_sent = await self._mailer.deliver(
                member.person.email,
                letter.language,
                MailKind.LETTER,
                tries=letter.tries,
                key=letter.id,
                subject=letter.subject,
                words=letter.text,
                course=course.title,
                link=f"{self._url}/courses/{course.id}/assignments/{letter.assignment_id}",
            )
        elif is_late:
            logger.error("letter_given_up", extra={"letter_id": letter.id, "tries": letter.tries - 1})
        async with self._database.write() as session:
            stored = await session.get_one(Letter, letter.id)
            if is_sent is None:
                stored.waits_since = now = await database_now(session)
                stored.next_at = now + wait_after(letter.tries)
            else:
                await session.delete(stored)


async def _claim_due(session: AsyncSession, most: int) -> Sequence[Letter]:
    """Claim due letters; no other process gets them before the lease ends."""
    now = await database_now(session)
    due = select(Letter).where(is_due(Letter, now)).order_by(Letter.next_at, Letter.id).limit(most)
    claimed = (await session.scalars(due.with_for_update(skip_locked=True))).all()
    for letter in claimed:
        letter.tries += 1
        letter.waits_since, letter.next_at = now, now + LEASE
    return claimed
