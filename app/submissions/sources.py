"""The sources of attempts, as their reports keep them, and the differences between them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from app.storage.database import Database
from app.storage.models import Artefact
from grader.report.source import SUFFIX, unpack
from grader.report.source_difference import Hunk, source_difference


async def difference_of_reports(database: Database, old: int, new: int) -> list[Hunk] | None:
    """Return the changes in the source from one report's submission to another's; None: one of them keeps no source.

    The caller has made sure that the reader may see both. It costs a query and milliseconds, in any process: the lines
    were made by the reader child when each was graded.

    Args:
        old: number of the report on the earlier submission, `StoredReport.id`.
        new: that of the later one.
    """
    kept = select(Artefact.report_id, Artefact.content).where(
        Artefact.report_id.in_([old, new]), Artefact.name.endswith(SUFFIX)
    )
    async with database.read() as session:
        contents = {report_id: content for report_id, content in await session.execute(kept)}  # noqa: C416
    if not contents.keys() >= {old, new}:
        return None
    return await run_in_threadpool(_difference, [contents[old], contents[new]])


def _difference(contents: Sequence[bytes]) -> list[Hunk] | None:
    old, new = map(unpack, contents)
    return None if old is None or new is None else source_difference(old, new)
