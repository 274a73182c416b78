"""New personal links for people who have lost theirs, sent to the address that the course has.

The form tells strangers nothing: it is answered before the address is looked up, so neither the answer nor its time
shows whether the address is known. A link goes to the mailbox only, and an unused link ends no other link
(`app.access.links`), so that strangers can neither get in nor lock anybody out.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from app.access import links
from app.access.tokens import sign_in_link
from app.errors import TooManyRequests
from app.mail.addresses import comparable
from app.mail.mailer import Mailer
from app.mail.messages import MailKind
from app.onward import HOME, mail_target
from app.storage.database import Database
from app.storage.models import Course, Membership, Person, Token, utc_now
from app.storage.outage import reason_of
from app.storage.turns import take_turns

logger = logging.getLogger(__name__)

#: New links of one member in an hour; further requests send nothing.
PER_HOUR = 3
HOUR = timedelta(hours=1)
#: The most courses of one address; the newest ones are enough.
COURSES = 20
WAITING_MAX = 500


class LostLinks:
    """Looks addresses up and sends links in the background, while the async context is entered.

    Args:
        url: of the service, without a slash at the end.
    """

    def __init__(self, database: Database, mailer: Mailer, url: str) -> None:
        self._database = database
        self._mailer = mailer
        self._url = url
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def ask(self, address: str, next: str = HOME) -> None:
        """Send links to the members with this address soon, if there are any.

        Args:
            next: the page that a link leads to, if a mail may name it.
        Raises:
            TooManyRequests: hundreds of earlier requests still wait.
        """
        if len(self._tasks) >= WAITING_MAX:
            raise TooManyRequests(retry_after_seconds=60)
        task = asyncio.create_task(self._send(comparable(address), next), name="lost_links")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, address: str, next: str) -> None:
        try:
            async with self._database.write() as session:
                # Requests for one address take turns, in all processes, so each sees the links of those before.
                await take_turns(session, [f"address:{address}"])
                chosen = await _members(session, address)
                new_links = [
                    (link, course)
                    for member, course in chosen
                    # The member is the actor.
                    for link in await links.make(session, [member], member.id)
                ]
        except SQLAlchemyError as exc:
            logger.warning("lost_links_failed", extra={"reason": reason_of(exc)})
            return
        for link, course in new_links:
            self._mailer.send(
                # The stored address, not the typed one.
                link.member.person.email or "",
                course.language,
                MailKind.NEW_LINK,
                course=course.title,
                link=sign_in_link(self._url, link.secret, mail_target(next)),
            )
        logger.info("lost_links_sent", extra={"links": len(new_links)})


async def _members(session: AsyncSession, address: str) -> Sequence[tuple[Membership, Course]]:
    """Find the members who get a link: those who are not removed, and have not had several in the last hour."""
    rows = await session.execute(
        select(Membership, Course)
        .join(Membership.person)
        .join(Course, Course.id == Membership.course_id)
        .where(func.lower(Person.email) == address, Membership.removed_at.is_(None))
        .options(contains_eager(Membership.person))
        .order_by(Membership.id.desc())
        .limit(COURSES)
    )
    # Databases fold letters that addresses do not.
    members = [(member, course) for member, course in rows if comparable(member.person.email or "") == address]
    asked_for = (
        select(Token.membership_id)
        .where(
            Token.membership_id.in_([member.id for member, _ in members]),
            Token.created_by == Token.membership_id,
            Token.is_link,
            Token.created_at > utc_now() - HOUR,
        )
        .group_by(Token.membership_id)
        .having(func.count() >= PER_HOUR)
    )
    enough = set(await session.scalars(asked_for))
    return [(member, course) for member, course in members if member.id not in enough]
