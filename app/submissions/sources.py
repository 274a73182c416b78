"""The sources of attempts, as their reports keep them, and the differences between them."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select

from app.storage.database import Database
from app.storage.models import Artefact
from grader.report.source import MOST_BYTES, SUFFIX, Cells, unpack
from grader.report.source_difference import Beside, Hunk, side_by_side, source_difference

#: The packed size of an honest source of 3,000 lines. It takes 20 ms to unpack; a usual source takes 1 ms.
MOST_BYTES_OF_MANY = 500_000
T = TypeVar("T")
#: The numbers (`StoredReport.id`) of the reports on an earlier and a later submission.
Pair = tuple[int, int]


@dataclass(frozen=True)
class ChangedLines:
    """The number of lines only in the later source, and of those only in the earlier one."""

    new: int
    gone: int


async def difference_of_reports(database: Database, pair: Pair) -> list[Hunk] | None:
    """Return the changes between the sources of two reports; None: one of them keeps no source.

    The caller has checked that the reader may see both. It costs one query and some milliseconds, in any process: the
    reader process has extracted the lines during grading.
    """
    return (await _differences(database, [pair], source_difference, most_bytes=MOST_BYTES)).get(pair)


async def sources_side_by_side(database: Database, pair: Pair) -> list[Beside] | None:
    """Return the sources of two reports, line beside line, as `difference_of_reports` returns their changes."""
    return (await _differences(database, [pair], side_by_side, most_bytes=MOST_BYTES)).get(pair)


async def changed_lines(database: Database, pairs: Collection[Pair]) -> dict[Pair, ChangedLines]:
    """Count the changed lines of each pair of reports, in one query; pairs without sources are left out.

    Sources too large to compare by the dozen are left out, too.
    """
    return {
        pair: ChangedLines(
            **{name: sum(line.change == name for hunk in hunks for line in hunk.lines) for name in ("new", "gone")}
        )
        for pair, hunks in (
            await _differences(database, pairs, source_difference, most_bytes=MOST_BYTES_OF_MANY)
        ).items()
    }


async def _differences(
    database: Database, pairs: Collection[Pair], compare: Callable[[Cells, Cells], T], *, most_bytes: int
) -> dict[Pair, T]:
    if not pairs:
        return {}
    contents_of_pairs = select(Artefact.report_id, Artefact.content).where(
        Artefact.report_id.in_({id for pair in pairs for id in pair}), Artefact.name.endswith(SUFFIX)
    )
    async with database.read() as session:
        contents = {report_id: content for report_id, content in await session.execute(contents_of_pairs)}  # noqa: C416
    return await asyncio.to_thread(_compare, contents, pairs, compare, most_bytes)


def _compare(
    contents: Mapping[int, bytes], pairs: Collection[Pair], compare: Callable[[Cells, Cells], T], most_bytes: int
) -> dict[Pair, T]:
    sources = {report_id: unpack(content, most_bytes=most_bytes) for report_id, content in contents.items()}
    results: dict[Pair, T] = {}
    for old, new in pairs:
        before, after = sources.get(old), sources.get(new)
        if before is not None and after is not None:
            results[old, new] = compare(before, after)
    return results
