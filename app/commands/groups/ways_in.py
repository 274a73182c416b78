"""The commands `roster`, `members link` and `join-links`. What they do is in `app.commands.links`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.shell import OfCourse, echo_list, ours, starting
from grader.shell import check_output

if TYPE_CHECKING:
    from app.commands.links import Done

roster = typer.Typer(help="Import the people of a course from a CSV file.", no_args_is_help=True)
link = typer.Typer(help="Make, list and revoke the personal links of members.", no_args_is_help=True)
join_links = typer.Typer(help="Make, list and revoke links by which a whole course joins.", no_args_is_help=True)

MemberId = Annotated[str, typer.Argument(metavar="ID", help="Id in the grade book, or of the member.")]
Mail = Annotated[bool, typer.Option("--mail", help="Send the links by mail.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@roster.command("import")
def import_roster(
    file: Annotated[Path, typer.Argument(help="CSV file: our own, Moodle's or Canvas'.", exists=True, dir_okay=False)],
    course: OfCourse = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    id_column: Annotated[str | None, typer.Option(help="Heading of the column with the ids.")] = None,
    links: Annotated[
        Path | None, typer.Option(help="Write new members' personal links into this new CSV file.", show_default=False)
    ] = None,
    mail: Mail = False,
    everybody: Annotated[bool, typer.Option("--all", help="Links for everybody in the file.")] = False,
) -> None:
    """Import a roster: print, row by row, what is done. The same file again changes nothing.

    Nobody is taken out of the course. Links are made with --links or --mail only, and shown nowhere else. Exit codes:
    0 done, but for the rows that the output calls a conflict or invalid, 2 wrong usage or a file that is no roster,
    3 we failed.
    """
    check_output(links)
    with starting() as settings:
        from app.actions.ways_in import LinksFor
        from app.commands import links as commands

        wanted = LinksFor.NONE if links is None and not mail else LinksFor.ALL if everybody else LinksFor.NEW
        done = commands.import_roster(
            settings,
            file,
            course,
            dry_run=dry_run,
            id_column=id_column,
            links_for=wanted,
            output=links,
            mail=mail,
        )
        _tell(asyncio.run(done))


@link.command("make")
def make_link(member: MemberId, course: OfCourse = None, mail: Mail = False) -> None:
    """Print a new link of one member. Earlier ones end when somebody first comes in by it."""
    with starting() as settings:
        from app.commands import links as commands

        _tell(asyncio.run(commands.make_links(settings, member, course, mail=mail)))


@link.command("make-all")
def make_all_links(
    file: Annotated[Path, typer.Argument(help="New CSV file for the links.", show_default=False)],
    course: OfCourse = None,
    never_used: Annotated[bool, typer.Option("--never-used", help="Only students who never came in.")] = False,
    mail: Mail = False,
) -> None:
    """Make a new link for every student of a course."""
    check_output(file)
    with starting() as settings:
        from app.commands import links as commands

        made = commands.make_links(settings, None, course, never_used=never_used, output=file, mail=mail)
        _tell(asyncio.run(made))


@link.command("list")
def list_links(course: OfCourse = None) -> None:
    """List personal links, ended ones too. Their secrets are not shown."""
    with starting() as settings:
        from app.commands import links as commands

        echo_list(asyncio.run(commands.list_links(settings, course)), none="the course has no personal links")


@link.command("revoke")
def revoke_link(member: MemberId, course: OfCourse = None) -> None:
    """End the links of one member at once, and sign out the browsers that came by them."""
    with starting() as settings:
        from app.commands import links as commands

        typer.echo(f"links: {asyncio.run(commands.revoke_links(settings, member, course))}")


@link.command("revoke-all")
def revoke_all_links(course: OfCourse = None, yes: Yes = False) -> None:
    """End all personal links of a course at once, and sign out the browsers that came by them."""
    with starting() as settings:
        from app.commands import links as commands

        if not yes:
            typer.confirm("End all personal links of the course?", abort=True)
        typer.echo(f"links: {asyncio.run(commands.revoke_links(settings, None, course))}")


@join_links.command("make")
def make_join_link(
    course: OfCourse = None,
    group: Annotated[str | None, typer.Option(help="Group of those who come by it.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, max=100_000, help="How many may come.")] = 500,
    days: Annotated[int, typer.Option(min=1, max=36500, help="Days of validity.")] = 30,
    qr: Annotated[Path | None, typer.Option(help="Draw it as a QR code into this file, SVG or PNG.")] = None,
) -> None:
    """Print the id and the address of a new link by which anybody becomes a new, unconfirmed student."""
    check_output(qr)
    with starting() as settings:
        from app.commands import links as commands

        id, url = asyncio.run(commands.make_join_link(settings, course, group=group, limit=limit, days=days))
        typer.echo(f"{id}\n{url}")
        if qr is not None:
            import segno

            segno.make_qr(url).save(str(qr), kind="png" if qr.suffix.lower() == ".png" else "svg", scale=8)


@join_links.command("list")
def list_join_links(course: OfCourse = None) -> None:
    """List join links, ended ones too. Their addresses are not shown."""
    with starting() as settings:
        from app.commands import links as commands

        echo_list(asyncio.run(commands.list_join_links(settings, course)), none="the course has no join links")


@join_links.command("revoke")
def revoke_join_link(
    join_link: Annotated[str, typer.Argument(metavar="ID", help="As `join-links list` shows it.")],
    course: OfCourse = None,
) -> None:
    """End a join link at once. Those who came by it stay members."""
    with starting() as settings:
        from app.commands import links as commands

        asyncio.run(commands.revoke_join_link(settings, join_link, course))


def _tell(done: Done) -> None:
    """Print what was done. Raises: typer.Exit: some mail could not be sent."""
    for line in done.lines:
        typer.echo(line)
    if done.unsent:
        raise ours(done.unsent)
