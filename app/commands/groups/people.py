"""The commands `people` and `students`. What they do is in `app.commands.people` and `app.commands.administration`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.commands.shell import OfCourse, starting
from grader.shell import check_output, usage

students = typer.Typer(help="Delete the data of a student.", no_args_is_help=True)
people = typer.Typer(help="List and merge people; export or delete all that is kept about them.", no_args_is_help=True)

PersonId = Annotated[str, typer.Argument(metavar="ID", help="As `people list` shows it.")]


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
