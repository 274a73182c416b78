"""Rows of a member that become another one's as they are, and values that a `Merge` keeps as JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import Membership, Token


async def move(
    session: AsyncSession, table: type[Any], kept: Membership, other: Membership, *conditions: ColumnElement[bool]
) -> list[str]:
    """Move the other member's rows; return their ids."""
    found = (await session.scalars(select(table).where(table.membership_id == other.id, *conditions))).all()
    _give(found, kept)
    return [each.id for each in found]


async def put_back(session: AsyncSession, table: type[Any], ids: Collection[str], other: Membership) -> None:
    """Give rows back that were moved."""
    _give(await still_there(session, table, ids), other)


async def still_there(session: AsyncSession, table: type[Any], ids: Collection[str]) -> Sequence[Any]:
    """Find those of these rows that have not been deleted since."""
    return (await session.scalars(select(table).where(table.id.in_(ids)))).all()


def as_text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def as_moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _give(rows: Collection[Any], owner: Membership) -> None:
    for each in rows:
        each.membership_id = owner.id
        if isinstance(each, Token):
            each.student = owner.external_id
