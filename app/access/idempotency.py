"""Requests that can be sent twice: the same key of the same actor finds the first row instead of making another.

The key is a column of the row that the request made, so both are stored or neither. A unique index keeps an actor from
using one key for two rows of a table.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from sqlalchemy import select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import IdempotencyKeyReused
from app.storage.database import Database
from app.storage.models import Check, Course, Regrade, Submission, Token, Webhook

Record = TypeVar("Record", Check, Course, Regrade, Submission, Token, Webhook)
# The column that names the requesting actor, by table.
SENT_BY = {
    Check: Check.submitted_by,
    Course: Course.created_by,
    Regrade: Regrade.requested_by,
    Submission: Submission.submitted_by,
    Token: Token.created_by,
    Webhook: Webhook.created_by,
}


async def find_all_earlier(
    session: AsyncSession, table: type[Record], requests: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Record]:
    """Find the records of these requests, each named by the id of its actor and the key."""
    sent_by = SENT_BY[table]
    rows = await session.execute(
        select(sent_by, table.idempotency_key, table).where(tuple_(sent_by, table.idempotency_key).in_(requests))
    )
    return {(actor_id or "", key or ""): earlier for actor_id, key, earlier in rows}


def check_same(earlier: Record, **request: object) -> Record:
    """Check that the earlier request was the same as this one.

    Raises:
        IdempotencyKeyReused: the two requests differ.
    """
    if any(getattr(earlier, name) != value for name, value in request.items()):
        raise IdempotencyKeyReused
    return earlier


async def make_once(
    database: Database,
    table: type[Record],
    actor_id: str,
    key: str | None,
    request: Mapping[str, object],
    make: Callable[[AsyncSession], Awaitable[Record]],
) -> tuple[Record, bool]:
    """Return the record of this key, or make one in a transaction.

    Args:
        actor_id: whose key it is (`Principal.id`).
        key: None: each request makes one.
        request: what it asks for, by the columns that hold it.
    Returns:
        The record, and whether it was made now.
    Raises:
        IdempotencyKeyReused: the earlier request asked for something else.
    """

    async def find(session: AsyncSession) -> Record | None:
        if key is None:
            return None
        earlier = (await find_all_earlier(session, table, [(actor_id, key)])).get((actor_id, key))
        return earlier and check_same(earlier, **request)

    try:
        async with database.write() as session:
            if earlier := await find(session):
                return earlier, False
            return await make(session), True
    except IntegrityError:
        # The same request came twice at the same time, and the other one won.
        async with database.read() as session:
            if earlier := await find(session):
                return earlier, False
        raise
