"""The commands `people`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.shell import Yes, ask, create, echo_counts, starting
from app.errors.commands import NotPossible
from grader.shell import check_output

if TYPE_CHECKING:
    from app.actions.actor import Actor
    from app.courses.people import PersonRecord
    from app.privacy.deletion import DeletedRows

group = typer.Typer(help="Export or delete all that is kept about a person.", no_args_is_help=True)

Who = Annotated[
    str,
    typer.Argument(metavar="WHO", help="Id, e-mail address, id in a course or in its grade book, or full name."),
]


@group.command("export")
def export_person(
    who: Who,
    output: Annotated[Path, typer.Option(help="Zip file to write; it must not exist yet.", show_default=False)],
) -> None:
    """Write all that is kept about a person into one archive.

    It has files, reports, grades and the log of changes, of all courses. Exit codes: 0 written, 2 wrong usage, 3 we
    failed.
    """
    check_output(output)
    with starting() as settings:
        from app.privacy import export

        async def write(owner: Actor) -> int:
            scope = await export.scope_of_person(owner.database, (await _find_person(owner, who)).person.id)
            with create(output) as out:
                async for piece in export.archive(owner.database, scope, lambda stored: stored.body, owner.assignments):
                    out.write(piece)
                return out.tell()

        size = ask(settings, write)
    typer.echo(f"lstm-grader: {output}: {size} bytes")


@group.command("delete")
def delete_person(
    who: Who,
    course: Annotated[str | None, typer.Option(help="Id of the only course that forgets the person.")] = None,
    yes: Yes = False,
) -> None:
    """Delete all that is kept about a person, in all courses.

    That is memberships, files, reports, tokens and accounts of single sign-on. This cannot be undone. Exit codes:
    0 done, 1 not confirmed, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.actions import members

        known = ask(settings, lambda owner: _find_person(owner, who), course)
        if not yes:
            typer.confirm(f"Delete everything about {_line(known)}?", abort=True)

        async def delete(owner: Actor) -> DeletedRows:
            if course is None:
                return await members.delete_person(owner, known.person.id)
            (member,) = (each for each in known.memberships if each.course_id == owner.course_id)
            return await members.delete_member(owner, member.id)

        echo_counts(ask(settings, delete, course))


async def _find_person(owner: Actor, who: str) -> PersonRecord:
    """Find the only person with this name, address or id. Raises: NotPossible: nobody has it, or several people."""
    from app.courses import people

    async with owner.database.read() as session:
        people_named = await people.find_by_name(session, who, course_id=owner.holder.course)
    if len(people_named) == 1:
        return people_named[0]
    if not people_named:
        raise NotPossible(reason=f"nobody is {who!r}; expected an id, an e-mail address, or a whole name")
    raise NotPossible(reason="\n".join([f"several people are {who!r}; name one by the id", *map(_line, people_named)]))


def _line(known: PersonRecord) -> str:
    person = known.person
    parts = ", ".join(
        f"{member.role} {member.external_id or '-'} in {member.course_id}" for member in known.memberships
    )
    return f"{person.id}  {person.name or '-'}  {person.email or '-'}  {parts or 'in no course'}"
