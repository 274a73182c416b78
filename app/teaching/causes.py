"""The mistakes that reports name, as they are stored: a code alone has no title, for that depends on the variant."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import StoredReport
from app.submissions.reports import part_of_body

#: The stored form of `grader.report.model.Diagnosis`.
Cause = Mapping[str, Any]


async def causes_of(session: AsyncSession, report_ids: Collection[int]) -> dict[int, Sequence[Cause]]:
    """Return the mistakes that each of these reports names, without loading the rest of it."""
    rows = await session.execute(
        select(StoredReport.id, part_of_body("diagnoses")).where(StoredReport.id.in_(report_ids))
    )
    return {report_id: causes or () for report_id, causes in rows}


def only_in(one: Sequence[Cause], other: Sequence[Cause]) -> Sequence[Cause]:
    """Return the mistakes of one report whose codes the other lacks."""
    codes = {each["code"] for each in other}
    return [each for each in one if each["code"] not in codes]
