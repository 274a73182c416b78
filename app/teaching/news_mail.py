"""Mail about news: one a day at most for each person, of what the person has not seen yet.

It waits for an hour, so that a teacher's answers come together, and whoever reads pages is not mailed as well. What was
mailed is kept with the person (`NewsMail`), so a failed mail is tried again, by any process, and no other tells the
same again. Only a process that dies between the mail server's answer and its own note repeats one, with the same
``Message-ID``.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Assignments, title_of
from app.mail.mailer import LEASE, Mailer, renew, wait_after
from app.mail.messages import MailKind
from app.outgoing.sender import Sender
from app.storage.database import Database
from app.storage.due import database_now, is_due
from app.storage.models import Membership, NewsMail, Person
from app.storage.turns import take_turns
from app.teaching.news import SHOWN, News, is_unseen, read_news, stored_news
from app.texts import text

#: The path that switches the mail off, by the secret of the person's mail.
OFF_PATH = "/news/off"
SECRET_CHARACTERS = 32
#: The wait after the first news.
WAIT = timedelta(hours=1)
#: The longest time between the stamp of news and its commit, also by clocks that differ a little.
SETTLED = timedelta(minutes=1)
EVERY = timedelta(days=1)
#: Older news is not mailed any more.
LONGEST = timedelta(days=7)
AT_ONCE = 20


class NewsSender(Sender[NewsMail]):
    """A sender of mail about news; it works while the async context is entered. Several processes may each run one.

    Args:
        url: of the service, without a slash at the end.
    """

    NAME = "news-mail"
    LOOK_SECONDS = 60.0

    def __init__(self, database: Database, assignments: Assignments, mailer: Mailer, url: str) -> None:
        super().__init__(database)
        self._assignments = assignments
        self._mailer = mailer
        self._url = url

    async def _is_something_due(self, session: AsyncSession) -> bool:
        return bool(await _people_due(session, true(), limit=1))

    async def _claim(self, session: AsyncSession, busy: Mapping[str, int]) -> Iterable[NewsMail]:
        people = await _people_due(session, Person.id.not_in(list(busy)), limit=AT_ONCE - len(busy))
        await take_turns(session, [_turn(person_id) for person_id in people])
        claimed = []
        now = await database_now(session)
        # Another process may have claimed some meanwhile.
        for person_id in await _people_due(session, Person.id.in_(people), limit=AT_ONCE):
            mail = await _mail_of(session, person_id)
            mail.waits_since, mail.next_at, mail.tries = now, now + LEASE, mail.tries + 1
            claimed.append(mail)
        return claimed

    def _receiver(self, item: NewsMail) -> str:
        return item.person_id

    async def _send(self, item: NewsMail) -> None:
        async with self._mailer.connections:
            async with self._database.write() as session:
                mail = await session.get_one(NewsMail, item.person_id, with_for_update=True)
                is_ours = renew(mail, item.tries, await database_now(session))
            if is_ours:
                await self._try(item)

    async def _try(self, item: NewsMail) -> None:
        async with self._database.read() as session:
            person = await session.get_one(Person, item.person_id)
            mail = await session.get_one(NewsMail, item.person_id)
            news = stored_news(Membership.person_id == item.person_id)
            # A transaction that is still open may add earlier news.
            is_settled = news.c.at < await database_now(session) - SETTLED
            condition = is_settled & is_unseen(news)
            if mail.mailed_until is not None:
                condition &= news.c.at > mail.mailed_until
            unread = await read_news(session, news, condition, limit=SHOWN)
        is_sent: bool | None = False
        if unread and person.email and mail.off_at is None:  # It may have been seen or switched off since the claim.
            is_sent = await self._mailer.deliver(
                person.email,
                person.language or unread[0].course.language,
                MailKind.NEWS,
                tries=item.tries,
                key=hashlib.sha256(f"{mail.secret} {unread[0].at.isoformat()}".encode()).hexdigest()[:32],
                **self._words(unread, person.language or unread[0].course.language, mail.secret),
            )
        async with self._database.write() as session:
            stored = await session.get_one(NewsMail, item.person_id, with_for_update=True)
            stored.waits_since = now = await database_now(session)
            if is_sent is None:
                stored.next_at = now + wait_after(item.tries)
                return
            stored.tries, stored.next_at = 0, now + EVERY if unread else None
            if unread:
                stored.mailed_until = unread[0].at

    def _words(self, unread: Sequence[News], language: str, secret: str) -> dict[str, str]:
        """Return the parameters of the mail's texts, without points and reasons: mail is read by others, too."""
        titles = {each.use.id: title_of(each.use, self._assignments, language) for each in unread}
        lines = [
            f"{text(f'news.{each.kind}', language, title=titles[each.use.id], attempt=each.attempt)}\n"
            f"{self._url}{each.path}"
            for each in unread
        ]
        return {
            "course": ", ".join(dict.fromkeys(each.course.title for each in unread)),
            "words": "\n\n".join(lines),
            "link": f"{self._url}/",
            "off": f"{self._url}{OFF_PATH}?of={secret}",
        }


async def is_on(session: AsyncSession, person: Person) -> bool:
    """Tell whether the person gets mail about news."""
    mail = await session.get(NewsMail, person.id)
    return person.email is not None and (mail is None or mail.off_at is None)


async def switch(session: AsyncSession, person_id: str, *, off: bool) -> None:
    """Switch the mail of a person off or on."""
    await take_turns(session, [_turn(person_id)])
    mail = await _mail_of(session, person_id)
    mail.off_at = await database_now(session) if off else None


async def switch_off(session: AsyncSession, secret: str) -> None:
    """Switch off the mail that holds this secret, if there is any."""
    mail = await session.scalar(select(NewsMail).where(NewsMail.secret == secret))
    if mail is not None:
        mail.off_at = await database_now(session)


def _turn(person_id: str) -> str:
    return f"news-mail:{person_id}"


async def _mail_of(session: AsyncSession, person_id: str) -> NewsMail:
    """Find the person's row, or add it in the person's turn."""
    mail = await session.get(NewsMail, person_id, populate_existing=True)
    if mail is None:
        mail = NewsMail(person_id=person_id)
        session.add(mail)
        await session.flush()
    return mail


async def _people_due(session: AsyncSession, of: ColumnElement[bool], *, limit: int) -> Collection[str]:
    """List the ids of people to whom mail is due now, those first whose news is the oldest."""
    now = await database_now(session)
    news = stored_news(true())
    first = func.min(news.c.at)
    due = (
        select(Person.id)
        .select_from(news)
        .join(Membership, Membership.id == news.c.member_id)
        .join(Person, Person.id == Membership.person_id)
        .outerjoin(NewsMail, NewsMail.person_id == Person.id)
        .where(of, Person.email.is_not(None), news.c.at > now - LONGEST, is_unseen(news))
        .where(NewsMail.off_at.is_(None), or_(NewsMail.mailed_until.is_(None), news.c.at > NewsMail.mailed_until))
        .where(or_(NewsMail.next_at.is_(None), is_due(NewsMail, now)))
        .group_by(Person.id)
        .having(first < now - WAIT)
        .order_by(first)
        .limit(limit)
    )
    return (await session.scalars(due)).all()
