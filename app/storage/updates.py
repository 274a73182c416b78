"""Changes rows without loading them."""

from typing import Any

from sqlalchemy import ColumnElement, CursorResult, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import Base


async def update_rows(session: AsyncSession, model: type[Base], *conditions: ColumnElement[bool], **values: Any) -> int:
    """Set these values in all rows that meet the conditions. Objects that the session has loaded stay as they are.

    Returns:
        The number of rows.
    """
    statement = update(model).where(*conditions).values(**values).execution_options(synchronize_session=False)
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount
