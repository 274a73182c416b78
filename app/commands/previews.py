"""An operator's commands on regrades that were begun: what they change, and whether a preview counts."""

from __future__ import annotations

from collections.abc import Callable

from app.actions.fields import ID
from app.commands.acting import opened
from app.commands.administration import change_line, changed_items, progress_line
from app.errors import AppError
from app.errors.commands import NotPossible
from app.errors.courses import CourseArchived
from app.errors.teaching import PreviewApplied, PreviewDropped, PreviewUnfinished, RegradeNotFound, RegradeNotPreview
from app.settings import Settings
from app.storage.database import Database
from app.teaching import previews, regrades

MOST_LISTED = 100
REFUSALS: dict[type[AppError], str] = {
    RegradeNotFound: "there is no regrade {id!a}",
    RegradeNotPreview: "the regrade {id} is not a preview: its reports count already",
    PreviewUnfinished: "the preview {id} is not done: {done} of {total} submissions are graded again",
    PreviewApplied: "the preview {id} was applied: its reports count",
    PreviewDropped: "the preview {id} was dropped: its reports are gone",
    CourseArchived: "a course of the preview {id} is archived; nothing in it changes",
}


async def list_regrades(settings: Settings) -> list[str]:
    """Return a line for each of the newest regrades, the newest first."""
    async with opened(settings) as database, database.read() as session:
        found = await regrades.list_regrades(session, limit=MOST_LISTED)
    return [f"{progress.regrade.created_at:%Y-%m-%d %H:%M}  {progress_line(progress)}" for progress in found]


async def show(settings: Settings, regrade_id: str, *, say: Callable[[str], None]) -> None:
    """Tell the progress and the changes of a regrade. Raises: NotPossible: there is none."""
    async with opened(settings) as database:
        say(await _line(database, regrade_id))
        async for item in changed_items(database, regrade_id):
            say(change_line(item))


async def apply(settings: Settings, regrade_id: str) -> str:
    """Let the reports of a preview count. Raises: NotPossible: the API would refuse it, too."""
    async with opened(settings) as database:
        try:
            async with database.write() as session:
                await previews.apply(session, regrade_id)
        except tuple(REFUSALS) as exc:
            raise _refused(regrade_id, exc) from exc
        return await _line(database, regrade_id)


async def drop(settings: Settings, regrade_id: str) -> str:
    """Delete the reports of a preview. Raises: NotPossible: the API would refuse it, too."""
    async with opened(settings) as database:
        try:
            async with database.write() as session:
                await previews.drop(session, regrade_id)
        except tuple(REFUSALS) as exc:
            raise _refused(regrade_id, exc) from exc
        await database.erased()
        return await _line(database, regrade_id)


def _refused(regrade_id: str, error: AppError) -> NotPossible:
    return NotPossible(reason=REFUSALS[type(error)].format(id=regrade_id, **error.params))


async def _line(database: Database, regrade_id: str) -> str:
    async with database.read() as session:
        progress = await regrades.find_regrade(session, regrade_id) if ID.fullmatch(regrade_id) else None
    if progress is None:
        raise _refused(regrade_id, RegradeNotFound())
    return progress_line(progress)
