"""The commands `regrade` and `regrades`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.shell import ask, only_given, read_request, starting
from grader.shell import usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.actions.actor import Actor
    from app.storage.database import Database
    from app.teaching.regrades import RegradeChange, RegradeProgress

LOOK_SECONDS = 1.0
AT_ONCE = 200

group = typer.Typer(help="Apply or drop a preview of `regrade`.", no_args_is_help=True)

PreviewId = Annotated[str, typer.Argument(metavar="ID", help="As `regrade --preview` has printed it.")]


def regrade(
    submissions: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of submissions.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All submissions.")] = False,
    assignment: Annotated[str | None, typer.Option(help="Only of this assignment.")] = None,
    student: Annotated[str | None, typer.Option(help="Only of this student.")] = None,
    status: Annotated[str | None, typer.Option(help="Only with this verdict, such as internal_error.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only submitted at this moment (UTC) or later.")] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Let the new reports not count yet.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it is done, and print the changes.")] = False,
) -> None:
    """Have submissions graded again, behind all uploads.

    The new report counts; the earlier ones stay. With --preview it counts only after `regrades apply`; `regrades drop`
    deletes it. A running service or worker picks them up by itself. Exit codes: 0 queued, or done with --wait; 2 wrong
    usage or settings, 3 we failed.
    """
    since = since and since.replace(tzinfo=UTC)
    filter = only_given(assignment=assignment, student=student, status=status, since=since)
    if bool(submissions) + bool(filter) + everything != 1:
        raise usage("expected either ids, or a filter, or --all")
    chosen = {"submissions": submissions} if submissions else {"filter": filter} if filter else {"all": True}
    with starting() as settings:
        from app.actions.regrades import BeginRegrade, begin_regrade
        from app.teaching.regrades import find_regrade

        wanted = read_request(BeginRegrade, {**chosen, "preview": preview})

        async def begin(owner: Actor) -> None:
            progress = await begin_regrade(owner, wanted)
            while wait and progress.done < progress.total:
                await asyncio.sleep(LOOK_SECONDS)
                async with owner.database.read() as session:
                    progress = await find_regrade(session, progress.regrade.id)
            typer.echo(_line(progress))
            if wait:
                async for item in _changes(owner.database, progress.regrade.id):
                    typer.echo(_change(item))

        ask(settings, begin)


@group.command("apply")
def apply_preview(preview: PreviewId) -> None:
    """Let the reports of a preview count.

    It must be done. A submission that has a newer report keeps that. Exit codes: 0 applied, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.actions import regrades

        typer.echo(_line(ask(settings, lambda owner: regrades.apply_preview(owner, preview))))


@group.command("drop")
def drop_preview(preview: PreviewId) -> None:
    """Delete the reports of a preview, and grade no more for it.

    Exit codes: 0 dropped, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.actions import regrades

        typer.echo(_line(ask(settings, lambda owner: regrades.drop_preview(owner, preview))))


def _line(progress: RegradeProgress) -> str:
    regrade = progress.regrade
    line = f"{regrade.id}: {progress.done} of {progress.total} submissions are graded again, {progress.changed} changed"
    if not regrade.is_preview:
        return line
    if regrade.dropped_at is not None:
        return f"{line}; a preview, dropped {regrade.dropped_at:%Y-%m-%d %H:%M}"
    if regrade.applied_at is None:
        return f"{line}; a preview"
    line = f"{line}; a preview, applied {regrade.applied_at:%Y-%m-%d %H:%M}"
    return f"{line}, {progress.superseded} keep a newer report" if progress.superseded else line


async def _changes(database: Database, id: str) -> AsyncIterator[RegradeChange]:
    from app.storage.paging import Paging
    from app.teaching import regrades

    cursor: str | None = ""
    while cursor is not None:
        paging = Paging(AT_ONCE, cursor)
        async with database.read() as session:
            items = await regrades.list_items(session, id, paging, only_changed=True)
        shown, cursor = paging.cut(items, lambda item: item.submission.id)
        for item in shown:
            yield item


def _change(item: RegradeChange) -> str:
    submission, old, new = item.submission, item.old, item.new
    assert new is not None
    before, after = (f"{each.status} {'-' if each.points is None else format(each.points, 'g')}" for each in (old, new))
    what = f"{submission.student}, {submission.assignment_id}, attempt {submission.attempt}"
    return f"{submission.id}  {what}: {before} -> {after}"
