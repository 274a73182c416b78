"""Deletes rows with everything that refers to them.

The rows that refer to them are found by the tables' foreign keys, so a table added later is not forgotten.
"""

from sqlalchemy import ColumnElement, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import Base


async def delete_rows(session: AsyncSession, model: type[Base], condition: ColumnElement[bool]) -> None:
    """Delete the rows of this table that meet the condition, and before them all rows that refer to them."""
    await _delete(session, table_of(model), condition)


def table_of(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


async def _delete(session: AsyncSession, table: Table, condition: ColumnElement[bool]) -> None:
    for other in Base.metadata.tables.values():
        for key in other.foreign_keys:
            if key.column.table is table:
                await _delete(session, other, key.parent.in_(select(key.column).where(condition)))
    await session.execute(delete(table).where(condition))
