"""The commands `roster`."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.shell import THE_DEFAULT, OfCourse, ask, create, ours, starting
from grader.shell import check_output

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.actions.actor import Actor
    from app.actions.ways_in import ImportResult
    from app.courses.roster.planning import Step
    from app.mail.mailer import Mailer
    from app.settings import Settings

group = typer.Typer(help="Import the people of a course from a CSV file.", no_args_is_help=True)


@group.command("import")
def import_roster(
    file: Annotated[Path, typer.Argument(help="CSV file: our own, Moodle's or Canvas'.", exists=True, dir_okay=False)],
    course: OfCourse = THE_DEFAULT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    id_column: Annotated[str | None, typer.Option(help="Heading of the column with the ids.")] = None,
    links: Annotated[
        Path | None, typer.Option(help="Write new members' personal links into this new CSV file.", show_default=False)
    ] = None,
    mail: Annotated[bool, typer.Option("--mail", help="Send the links by mail.")] = False,
    everybody: Annotated[bool, typer.Option("--all", help="Links for everybody in the file.")] = False,
) -> None:
    """Import a roster; print, row by row, what is done.

    The same file again changes nothing, and nobody is taken out of the course. Links are made with --links or --mail
    only, and shown nowhere else. Exit codes: 0 done, but for the rows that the output calls a conflict or invalid,
    2 wrong usage or a file that is no roster, 3 we failed.
    """
    check_output(links)
    with starting() as settings:
        from app.access.links import links_csv
        from app.actions import ways_in
        from app.actions.ways_in import LinksFor
        from app.courses.roster.reading import MOST_BYTES

        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        links_for = LinksFor.NONE if links is None and not mail else LinksFor.ALL if everybody else LinksFor.NEW

        def keep(imported: ImportResult) -> None:
            if links is not None:
                with create(links) as out:
                    out.write(links_csv(imported.links.values(), settings.url()).encode())

        async def carry_out(owner: Actor) -> str | None:
            async with _mailer(settings, wanted=mail) as mailer:
                imported = await ways_in.import_roster(
                    replace(owner, mailer=mailer),
                    content,
                    id_column=id_column,
                    dry_run=dry_run,
                    links_for=links_for,
                    by_mail=mail,
                    keep=keep,
                )
            _show(imported, mailer, dry_run=dry_run)
            return _unsent(mailer, links)

        if unsent := ask(settings, carry_out, course):
            raise ours(unsent)


@contextlib.asynccontextmanager
async def _mailer(settings: Settings, *, wanted: bool) -> AsyncIterator[Mailer | None]:
    """Yield a mailer, if one is wanted and there is a mail server; in the end, wait until it has finished."""
    if not wanted or settings.mail_server is None:
        yield None
        return
    from app.mail.mailer import Mailer

    async with Mailer(settings.mail_server) as mailer:
        yield mailer
        await mailer.finish()


def _show(imported: ImportResult, mailer: Mailer | None, *, dry_run: bool) -> None:
    for step in imported.plan.steps:
        typer.echo(_line(step))
    for member in imported.plan.missing:
        typer.echo(f"{'':<11}{member.external_id or member.id}: in the course, and not in the file; left as it is")
    counted = ", ".join(f"{outcome}: {count}" for outcome, count in imported.plan.counts().items() if count)
    end = "; nothing was stored" if dry_run else f"; links: {len(imported.links)}" if imported.links else ""
    mailed = f", mailed: {mailer.sent}" if mailer and imported.links else ""
    typer.echo(f"{counted or 'no rows'} (ids from {imported.roster.id_column!r}){end}{mailed}")


def _line(step: Step) -> str:
    from app.texts import text

    row = step.row
    remarks = [text(f"roster.fault.{problem.fault}", "en", **problem.params) for problem in row.problems]
    if step.conflict is not None:
        remarks.append(text(f"roster.conflict.{step.conflict}", "en", with_id=step.with_id or "?"))
    if step.outcome != "new":
        remarks += [f"{name}: {_value(before)} -> {_value(after)}" for name, (before, after) in step.changes.items()]
    remarks += [f"{name} stays: the person is in other courses, too, or signs in with an account" for name in step.kept]
    who = " ".join(filter(None, (row.id, row.name)))
    why = "; ".join(remarks)
    return f"{row.line:>5}  {step.outcome:<10}  {who}{f'  ({why})' if why else ''}"


def _value(value: object) -> str:
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _unsent(mailer: Mailer | None, links: Path | None) -> str | None:
    """Describe the messages that a finished mailer could not send, and where the links are; None: all were sent.

    Args:
        links: the file with the links; None: there is none, so they have to be made again.
    """
    if mailer is None or not mailer.given_up:
        return None
    reasons = ", ".join(sorted(mailer.given_up))
    way = f"their links are in {links}" if links else "make them new links on the course's page Ways in, as a file"
    return f"messages that could not be sent: {mailer.given_up.total()} ({reasons}); {way}"
