"""The commands `courses`. Their work is in `app.commands.courses`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from app.commands.shell import echo_list, only_given, starting
from grader.shell import usage

courses = typer.Typer(help="Make, list, copy, archive and delete courses.", no_args_is_help=True)

CourseId = Annotated[str, typer.Argument(metavar="ID", help="As `courses list` shows it.")]


@courses.command("list")
def list_courses() -> None:
    """List all courses, archived ones too."""
    with starting() as settings:
        from app.commands import courses

        echo_list(asyncio.run(courses.list_courses(settings)), none="there are no courses")


@courses.command("create")
def create_course(
    title: Annotated[str, typer.Argument(help="Such as: Neural networks, spring.")],
    language: Annotated[str | None, typer.Option(help="ru or en.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="A name of the IANA database, such as Europe/Moscow.")] = None,
) -> None:
    """Print the id of a new course, without people and assignments.

    Exit codes: 0 made, 2 wrong usage or settings, 3 we failed.
    """
    with starting() as settings:
        from app.commands import courses

        given = only_given(title=title, language=language, time_zone=time_zone)
        typer.echo(asyncio.run(courses.make(settings, given)))


@courses.command("copy")
def copy_course(
    course: CourseId,
    title: Annotated[str, typer.Option(help="Title of the copy.", show_default=False)],
    shift_days: Annotated[int, typer.Option(help="Days by which its dates move, by the clock on the wall.")] = 0,
    without_dates: Annotated[bool, typer.Option("--without-dates", help="Leave the dates out.")] = False,
) -> None:
    """Print the id of a copy: the same assignments, rules and staff, without students and submissions."""
    with starting() as settings:
        from app.commands import courses

        typer.echo(asyncio.run(courses.copy(settings, course, title, None if without_dates else shift_days)))


@courses.command("archive")
def archive_course(
    course: CourseId, reopen: Annotated[bool, typer.Option("--reopen", help="Open it again instead.")] = False
) -> None:
    """Let nothing in a course change any more. It can be read, copied and opened again."""
    with starting() as settings:
        from app.commands import courses

        typer.echo(asyncio.run(courses.archive(settings, course, archived=not reopen)))


@courses.command("delete")
def delete_course(
    course: CourseId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, and delete one that is not archived.")] = False,
) -> None:
    """Delete an archived course with everything in it, and the people who are in no other. This cannot be undone.

    The course Default stays, empty. Exit codes: 0 done, 1 not confirmed, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import courses

        title, archived = asyncio.run(courses.title_of(settings, course))
        if not archived and not yes:
            raise usage(f"the course {title} is not archived; to delete it all the same, add --yes")
        if not yes:
            typer.confirm(f"Delete the course {title} with everything in it?", abort=True)
        deleted = asyncio.run(courses.delete(settings, course, title))
    typer.echo(", ".join(f"{what}: {count}" for what, count in vars(deleted).items()))
