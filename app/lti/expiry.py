"""Deletes expired rows: unfinished launches, questions that hold a whole message, and codes.

An expired row is refused at once. The service deletes it some minutes later (`app.lti.nightly`), even if nobody uses
the platform any more.
"""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, delete, exists, select

from app.lti.registration import invitations
from app.storage.database import Database
from app.storage.models import Base, LtiCode, LtiInvitation, LtiLogin, LtiQuestion, LtiSelection, utc_now


async def delete_expired(database: Database) -> None:
    now = utc_now()
    expired: Mapping[type[Base], ColumnElement[bool]] = {
        LtiLogin: LtiLogin.expires_at <= now,
        LtiQuestion: LtiQuestion.expires_at <= now,
        LtiSelection: LtiSelection.expires_at <= now,
        LtiCode: LtiCode.expires_at <= now,
        LtiInvitation: LtiInvitation.expires_at < now - invitations.KEPT,
    }
    async with database.read() as session:
        tables = [table for table, is_over in expired.items() if await session.scalar(select(exists().where(is_over)))]
    if not tables:
        return
    async with database.write() as session:
        for table in tables:
            await session.execute(delete(table).where(expired[table]))
    if LtiQuestion in tables:
        await database.empty_log()
