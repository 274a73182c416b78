"""Requests that can be sent twice: what was made with the same key of the same token is found again, and not made anew.

The key stands in the row that the request made, so that both are stored or neither. An index lets no token use one key
for two rows of a table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.errors import IdempotencyKeyReused
from app.models import Regrade, Submission, Token, Webhook

Made = TypeVar("Made", Regrade, Submission, Token, Webhook)
# The columns that name the token which sent the request.
SENT_BY = {
    Regrade: Regrade.requested_by,
    Submission: Submission.submitted_by,
    Token: Token.created_by,
    Webhook: Webhook.created_by,
}


async def made_before(
    session: AsyncSession, made: type[Made], token_id: str, key: str | None, **came: object
) -> Made | None:
    """What this token has made with this key.

    Args:
        came: what the request asks for, by the columns that hold it.
    Raises:
        IdempotencyKeyReused: it asked for something else then.
    """
    if key is None:
        return None
    earlier = await session.scalar(select(made).where(SENT_BY[made] == token_id, made.idempotency_key == key))
    if earlier is not None and any(getattr(earlier, name) != value for name, value in came.items()):
        raise IdempotencyKeyReused
    return earlier


async def make_once(
    database: Database,
    find: Callable[[AsyncSession], Awaitable[Made | None]],
    make: Callable[[AsyncSession], Awaitable[Made]],
) -> tuple[Made, bool]:
    """Make it in a transaction, unless it can be found.

    Returns:
        It, and whether it was made now.
    """
    try:
        async with database.write() as session:
            if earlier := await find(session):
                return earlier, False
            return await make(session), True
    except IntegrityError:
        # The same request at the same time, and the other one was faster.
        async with database.read() as session:
            if earlier := await find(session):
                return earlier, False
        raise
