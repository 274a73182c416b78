"""News of students: seeing it, and the mail about it."""

from collections.abc import Mapping
from datetime import datetime

from app.access.rights import Right
from app.actions.asking import Asking, action
from app.actions.fields import ActionRequest
from app.errors.members import MemberNotFound
from app.storage.database import Database
from app.storage.models import Membership, Person
from app.teaching import news, news_mail


class SwitchNewsMail(ActionRequest):
    off: bool = False


@action(Right.READ)
async def see_news(asking: Asking, seen: Mapping[str, datetime], language: str) -> None:
    """Record up to which times the holder has seen the news of their memberships, and in which language."""
    async with asking.write() as session:
        await news.see(session, seen)
        for member_id in seen:
            member = await session.get_one(Membership, member_id)
            (await session.get_one(Person, member.person_id)).language = language


@action(Right.READ)
async def switch_news_mail(asking: Asking, wanted: SwitchNewsMail) -> None:
    """Switch the holder's mail about news off or on.

    Raises:
        MemberNotFound: the holder is no member.
    """
    async with asking.write() as session:
        member = await session.get(Membership, asking.holder.membership_id) if asking.holder.membership_id else None
        if member is None:
            raise MemberNotFound
        await news_mail.switch(session, member.person_id, off=wanted.off)


async def end_news_mail(database: Database, secret: str) -> None:
    """Switch off the mail that holds this secret. An unknown secret changes nothing."""
    async with database.write() as session:
        await news_mail.switch_off(session, secret)
