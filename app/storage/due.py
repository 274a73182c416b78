"""The time at which a row of an outbox is due, by the database's clock.

The processes that store and send rows may have different clocks. Each wait has a beginning and an end, and a row waits
only while the clock is between the two. So if a clock is set forward or back, rows are due at once, never hours late. A
beginning less than a minute ahead does not mean that the clock was set back: another process has claimed the row after
this transaction began.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.announcements import is_postgresql
from app.storage.models import Delivery, Letter, LtiContext, LtiScore, NewsMail, utc_now

SLACK = timedelta(minutes=1)


async def database_now(session: AsyncSession) -> datetime:
    """Return the time by the database's clock, which all processes share."""
    if not is_postgresql(session):
        return utc_now()
    now: datetime = (await session.execute(select(func.now()))).scalar_one()
    return now


def is_due(
    table: type[Delivery] | type[Letter] | type[LtiScore] | type[LtiContext] | type[NewsMail], now: datetime
) -> ColumnElement[bool]:
    """Return the condition that a row is due. Without `next_at` it was delivered or given up."""
    return and_(table.next_at.is_not(None), or_(table.next_at <= now, table.waits_since > now + SLACK))
