"""Turns: of several transactions that take the same turn, one continues and the others wait until it has ended."""

from collections.abc import Collection

from sqlalchemy import ARRAY, String, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.announcements import is_postgresql


async def take_turns(session: AsyncSession, names: Collection[str], *, shared: bool = False) -> None:
    """Take these turns, which waits until no other transaction has one. On SQLite all writers take turns anyway.

    Turns are taken in the order of their names, so that two transactions cannot deadlock.

    Args:
        shared: wait only for transactions whose turns are not shared.
    """
    if is_postgresql(session):
        name = func.unnest(bindparam("names", sorted(set(names)), ARRAY(String))).column_valued("name")
        lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        await session.execute(select(lock(func.hashtextextended(name, 0))))
