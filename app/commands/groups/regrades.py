"""The commands `regrade` and `regrades`.

Their work is in `app.commands.administration` and `app.commands.previews`.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import typer

from app.commands.shell import echo_list, starting
from grader.shell import usage

regrades = typer.Typer(help="List regrades; apply or drop previews.", no_args_is_help=True)

RegradeId = Annotated[str, typer.Argument(metavar="ID", help="As `regrades list` shows it.")]


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
    """Have submissions graded again, behind all uploads. The new report counts; the earlier ones stay.

    With --preview it counts only after `regrades apply`; `regrades drop` deletes it.

    A running service or worker picks them up by itself. Exit codes: 0 queued, or done with --wait; 2 wrong usage or
    settings, 3 we failed.
    """
    chosen = {"assignment": assignment, "student": student, "status": status, "since": since}
    given = {key: value for key, value in chosen.items() if value is not None}
    if (bool(submissions) + bool(given) + everything) != 1:
        raise usage("expected either ids, or a filter, or --all")
    with starting() as settings:
        from app.commands import administration

        asyncio.run(administration.regrade(settings, submissions, given, preview=preview, wait=wait, say=typer.echo))


@regrades.command("list")
def list_regrades() -> None:
    """List the newest regrades, with their progress."""
    with starting() as settings:
        from app.commands import previews

        echo_list(asyncio.run(previews.list_regrades(settings)), none="there were no regrades")


@regrades.command("show")
def show_regrade(regrade: RegradeId) -> None:
    """Print the progress of a regrade, and each submission whose points or verdict changed."""
    with starting() as settings:
        from app.commands import previews

        asyncio.run(previews.show(settings, regrade, say=typer.echo))


@regrades.command("apply")
def apply_preview(regrade: RegradeId) -> None:
    """Let the reports of a preview count. It must be done.

    A submission that has a newer report keeps that. Exit codes: 0 applied, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import previews

        typer.echo(asyncio.run(previews.apply(settings, regrade)))


@regrades.command("drop")
def drop_preview(regrade: RegradeId) -> None:
    """Delete the reports of a preview, and grade no more for it.

    Exit codes: 0 dropped, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import previews

        typer.echo(asyncio.run(previews.drop(settings, regrade)))
