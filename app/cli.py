"""The whole command line: the engine's commands, and those that run the service and look after it.

The web framework and the database are imported inside functions, so that the other commands start faster.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.groups import course_groups, exceptions, lti_groups, ways_in
from app.commands.shell import OfCourse, starting
from grader.cli import cli, main
from grader.doctor import sections
from grader.shell import (
    USAGE,
    check_output,
    make_folder,
    usage,
)

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["main"]

db = typer.Typer(help="Look after the database.", no_args_is_help=True)
cli.add_typer(db, name="db")
students = typer.Typer(help="Delete the data of a student.", no_args_is_help=True)
cli.add_typer(students, name="students")
people = typer.Typer(help="List and merge people; export or delete all that is kept about them.", no_args_is_help=True)
cli.add_typer(people, name="people")
regrades = typer.Typer(help="List regrades; apply or drop previews.", no_args_is_help=True)
cli.add_typer(regrades, name="regrades")
tokens = typer.Typer(help="Make, list and end tokens. The service may be running.", no_args_is_help=True)
cli.add_typer(tokens, name="tokens")


course_groups.courses.command("grade-book")(exceptions.write_grade_book)
cli.add_typer(course_groups.courses, name="courses")
course_groups.members.add_typer(ways_in.link, name="link")
cli.add_typer(course_groups.members, name="members")
cli.add_typer(ways_in.roster, name="roster")
cli.add_typer(ways_in.join_links, name="join-links")
cli.add_typer(lti_groups.lti, name="lti")
cli.add_typer(exceptions.extensions, name="extensions")
cli.add_typer(exceptions.adjust, name="adjust")
cli.add_typer(exceptions.reviews, name="reviews")
held = typer.Typer(help="List and decide attempts that wait for a teacher.", no_args_is_help=True)
cli.add_typer(held, name="held")

Reason = Annotated[str, typer.Option(help="For the student to read.")]
PersonId = Annotated[str, typer.Argument(metavar="ID", help="As `people list` shows it.")]
RegradeId = Annotated[str, typer.Argument(metavar="ID", help="As `regrades list` shows it.")]
HeldId = Annotated[str, typer.Argument(metavar="ID", help="As `held list` shows it.")]


@cli.command()
def serve() -> None:
    """Start the service; print the address, the owner's link and a curl line.

    On SQLite the service also grades. On PostgreSQL workers do (`lstm-grader worker`), on this machine or on others.

    Settings come from the environment: LSTM_GRADER_HOST, LSTM_GRADER_PORT, LSTM_GRADER_DATA_DIR and others.
    Exit codes: 0 stopped, 2 cannot start with these settings, 3 we failed.
    """
    with starting() as settings:
        from app.server import run
        from app.stopping import leave

        if settings.database_url.startswith("sqlite"):
            make_folder(settings.data_dir, "LSTM_GRADER_DATA_DIR")
            make_folder(settings.cache_dir, "LSTM_GRADER_CACHE_DIR")
        run(settings)
        leave()


@cli.command()
def worker() -> None:
    """Grade submissions that services on the same PostgreSQL accept, until stopped. Start one on each machine.

    Needs LSTM_GRADER_DATABASE_URL. LSTM_GRADER_SLOTS sets how many submissions it grades at the same time. Unfinished
    submissions go back to the queue. Exit codes: 0 stopped, 2 cannot start with these settings, 3 we failed.
    """
    with starting() as settings:
        from app.stopping import leave
        from app.worker import run

        make_folder(settings.cache_dir, "LSTM_GRADER_CACHE_DIR")
        run(settings)
        leave()


def _inspect_database(console: Console) -> str | None:
    """Print the service's section of `doctor`, and return its fault."""
    with starting() as settings:
        from app.commands.inspection import inspect_database

        found = asyncio.run(inspect_database(settings))
    for line in found.lines:
        console.print(line, markup=False, soft_wrap=True)
    return f"the database cannot be used: {found.wrong}" if found.wrong else None


sections.append(_inspect_database)


@db.command()
def upgrade() -> None:
    """Upgrade the tables to the form that this version works with.

    A service on SQLite upgrades its own when it starts. On PostgreSQL run this before the first start and after each
    update, with the processes of the old version stopped. Exit codes: 0 done, 2 wrong settings, 3 we failed.
    """
    with starting() as settings:
        from app.log_config import configure_logging
        from app.queue import locked
        from app.storage.database import Database

        configure_logging(settings.log_level)
        database = Database(settings.database_url)
        if database.is_sqlite:
            make_folder(settings.data_dir, "LSTM_GRADER_DATA_DIR")

        async def upgrade() -> None:
            try:
                await database.upgrade()
            finally:
                await database.close()

        with locked(settings.data_dir) if database.is_sqlite else contextlib.nullcontext():
            asyncio.run(upgrade())


@db.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist yet.", show_default=False)],
) -> None:
    """Copy an SQLite database into one file. The service may be running.

    Back up PostgreSQL with pg_dump: docs/operations.md. Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    check_output(file)
    with starting() as settings:
        from app.commands import backup

        backup.back_up(backup.sqlite_file(settings), file)
    typer.echo(f"lstm-grader: copied to {file}")


@db.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `db backup` has made.", show_default=False)],
) -> None:
    """Restore a backup. The service must be stopped; the database from before is kept beside the restored one.

    The service upgrades older tables when it starts. Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import backup
        from app.queue import locked

        make_folder(settings.data_dir, "LSTM_GRADER_DATA_DIR")
        with locked(settings.data_dir):
            before = backup.restore(backup.sqlite_file(settings), file)
    typer.echo(f"lstm-grader: restored{f'; what was there before is in {before}' if before else ''}")


@db.command()
def prune(
    days: Annotated[
        float,
        typer.Option(
            "--older-than-days", min=0, max=36500, help="Delete submissions older than this.", show_default=False
        ),
    ],
) -> None:
    """Delete submissions older than so many days, with their reports. Waiting ones stay.

    A service with LSTM_GRADER_RETENTION_DAYS set does this daily. Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import administration

        typer.echo(f"submissions: {asyncio.run(administration.prune(settings, days))}")


@students.command("delete")
def delete_student_command(
    name: Annotated[str | None, typer.Argument(help="Name as in the submissions.", show_default=False)] = None,
    course: OfCourse = None,
    member: Annotated[str | None, typer.Option(help="Id of the member, for one who has no name there.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete everything that a course keeps about a student: files, reports, own tokens. This cannot be undone.

    The service may be running. Exit codes: 0 done, 1 not confirmed, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import administration
        from app.commands import people as people_commands

        if (name is None) == (member is None):
            raise usage("expected either a name or --member")
        student = None if name is None else administration.known_student(name)
        if not yes:
            typer.confirm(f"Delete everything about {student or member}?", abort=True)
        deleted = asyncio.run(
            administration.delete_student(settings, student, course)
            if student is not None
            else people_commands.delete_member(settings, member or "")
        )
    typer.echo(", ".join(f"{what}: {count}" for what, count in vars(deleted).items()))


@people.command("list")
def list_people() -> None:
    """List the people of all courses, with their parts in them and their accounts of single sign-on."""
    with starting() as settings:
        from app.commands import people

        async def say() -> None:
            async for line in people.list_people(settings):
                typer.echo(line)

        asyncio.run(say())


@people.command("export")
def export_person(
    person: PersonId,
    output: Annotated[Path, typer.Option(help="Zip file to write; it must not exist yet.", show_default=False)],
) -> None:
    """Write everything that is kept about a person into one archive: files, reports, grades, log of changes.

    Exit codes: 0 written, 2 wrong usage, 3 we failed.
    """
    check_output(output)
    with starting() as settings:
        from app.commands import people

        size = asyncio.run(people.export_person(settings, person, output))
    typer.echo(f"lstm-grader: {output}: {size} bytes")


@people.command("merge")
def merge_people(
    kept: PersonId,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Who is the same human being; nothing is left of it.")],
) -> None:
    """Merge two persons who are members of different courses, and print the id that undoes it.

    Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import people

        typer.echo(asyncio.run(people.merge_people(settings, kept, other)))


@people.command("unmerge")
def unmerge_people(
    merge: Annotated[str, typer.Argument(metavar="ID", help="As `people merge` has printed it.")],
) -> None:
    """Take two merged persons apart, if nothing since makes that impossible.

    Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import people

        asyncio.run(people.undo_merge(settings, merge))


@people.command("detach")
def detach_identity(
    person: PersonId,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="As `people list` shows it with the person.")],
) -> None:
    """Take an account of single sign-on away from a person who is not its owner, and sign its browsers out.

    Whoever signs in with it next is a new person in no course. Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import people

        asyncio.run(people.detach_identity(settings, person, account))


@people.command("delete")
def delete_person(person: PersonId, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete a person from all courses: memberships, files, reports, tokens, identities. This cannot be undone.

    Exit codes: 0 done, 1 not confirmed, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import people

        name = asyncio.run(people.name_of(settings, person))
        if not yes:
            typer.confirm(f"Delete everything about {name}?", abort=True)
        deleted = asyncio.run(people.delete_person(settings, person))
    typer.echo(", ".join(f"{what}: {count}" for what, count in vars(deleted).items()))


@course_groups.courses.command("delete")
def delete_course(
    course: Annotated[str, typer.Argument(metavar="ID", help="Id of the course.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, and delete one that is not archived.")] = False,
) -> None:
    """Delete an archived course with everything in it, and the people who are in no other. This cannot be undone.

    The course Default stays, empty. Exit codes: 0 done, 1 not confirmed, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import people

        title, archived = asyncio.run(people.title_of(settings, course))
        if not archived and not yes:
            raise usage(f"the course {title} is not archived; to delete it all the same, add --yes")
        if not yes:
            typer.confirm(f"Delete the course {title} with everything in it?", abort=True)
        deleted = asyncio.run(people.delete_course(settings, course))
    typer.echo(", ".join(f"{what}: {count}" for what, count in vars(deleted).items()))


@tokens.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Purpose of the token, such as Moodle.")],
    role: Annotated[str, typer.Option(help="submitter, teacher or admin.")] = "submitter",
    student: Annotated[str | None, typer.Option(help="Makes it this student's own.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Days of validity; default: no end.")] = None,
    course: OfCourse = None,
) -> None:
    """Print a new token, and for a student's own the link that signs a browser in. They are shown only now.

    Exit codes: 0 made, 2 wrong usage or settings, 3 we failed.
    """
    with starting() as settings:
        from app.commands import administration

        secret, link = asyncio.run(administration.create_token(settings, name, role, student, days, course))
        typer.echo(f"{secret}\n{link}" if student else secret)


@tokens.command("list")
def list_tokens() -> None:
    """List all tokens, ended ones too. Their secrets are not shown."""
    with starting() as settings:
        from app.commands import administration

        for line in asyncio.run(administration.list_tokens(settings)):
            typer.echo(line)


@tokens.command("revoke")
def revoke_token(token_id: Annotated[str, typer.Argument(metavar="ID", help="As `tokens list` shows it.")]) -> None:
    """End a token at once, and sign out its browsers."""
    with starting() as settings:
        from app.commands import administration

        asyncio.run(administration.revoke_token(settings, token_id))


@held.command("list")
def list_held() -> None:
    """List undecided attempts. Their code attacked the grader itself; each report says how."""
    with starting() as settings:
        from app.commands import administration

        for line in asyncio.run(administration.list_held(settings)):
            typer.echo(line)


@held.command("accept")
def accept_held(submission: HeldId, reason: Reason) -> None:
    """Let an attempt count like any other."""
    _decide(submission, "accepted", reason)


@held.command("reject")
def reject_held(submission: HeldId, reason: Reason) -> None:
    """Keep an attempt from counting."""
    _decide(submission, "rejected", reason)


def _decide(submission: str, decision: str, reason: str) -> None:
    with starting() as settings:
        from app.commands import administration

        asyncio.run(administration.decide_held(settings, submission, decision, reason))


@cli.command()
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
        typer.echo("lstm-grader: expected either ids, or a filter, or --all", err=True)
        raise typer.Exit(USAGE)
    with starting() as settings:
        from app.commands import administration

        asyncio.run(administration.regrade(settings, submissions, given, preview=preview, wait=wait, say=typer.echo))


@regrades.command("list")
def list_regrades() -> None:
    """List the newest regrades, with their progress."""
    with starting() as settings:
        from app.commands import previews

        for line in asyncio.run(previews.list_regrades(settings)):
            typer.echo(line)


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
