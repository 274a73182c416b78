"""The commands `courses`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.shell import ask, echo_counts, echo_list, only_given, read_request, starting
from grader.shell import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.actions.actor import Actor
    from app.storage.models import Course

group = typer.Typer(help="Make, list, copy, archive and delete courses.", no_args_is_help=True)

CourseId = Annotated[str, typer.Argument(metavar="ID", help="As `courses list` shows it.")]


@group.command("list")
def list_courses() -> None:
    """List all courses, archived ones too."""
    with starting() as settings:
        from app.courses import course as courses

        async def read_courses(owner: Actor) -> Sequence[Course]:
            async with owner.database.read() as session:
                return await courses.list_courses(session)

        echo_list([_line(each) for each in ask(settings, read_courses)], none="there are no courses")


@group.command("create")
def create_course(
    title: Annotated[str, typer.Argument(help="Such as: Neural networks, spring.")],
    language: Annotated[str | None, typer.Option(help="ru or en.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="A name of the IANA database, such as Europe/Moscow.")] = None,
) -> None:
    """Make a course without people and assignments; print its id.

    Exit codes: 0 made, 2 wrong usage or settings, 3 we failed.
    """
    with starting() as settings:
        from app.actions.courses import MakeCourse, make_course

        wanted = read_request(MakeCourse, only_given(title=title, language=language, time_zone=time_zone))
        typer.echo(ask(settings, lambda owner: make_course(owner, wanted)).id)


@group.command("copy")
def copy_course(
    course: CourseId,
    title: Annotated[str, typer.Option(help="Title of the copy.", show_default=False)],
    shift_days: Annotated[int, typer.Option(help="Days by which its dates move, by the clock on the wall.")] = 0,
    without_dates: Annotated[bool, typer.Option("--without-dates", help="Leave the dates out.")] = False,
) -> None:
    """Copy a course without its students and submissions; print its id.

    The copy has the same assignments, rules and staff.
    """
    with starting() as settings:
        from app.actions.courses import CopyCourse, copy_course

        wanted = read_request(CopyCourse, {"title": title, "shift_days": None if without_dates else shift_days})
        typer.echo(ask(settings, lambda owner: copy_course(owner, wanted), course).id)


@group.command("archive")
def archive_course(
    course: CourseId, reopen: Annotated[bool, typer.Option("--reopen", help="Open it again instead.")] = False
) -> None:
    """Let nothing in a course change any more.

    It can be read, copied and opened again.
    """
    with starting() as settings:
        from app.actions.courses import ChangeCourse, change_course

        wanted = ChangeCourse(archived=not reopen)
        typer.echo(_line(ask(settings, lambda owner: change_course(owner, wanted), course)))


@group.command("delete")
def delete_course(
    course: CourseId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, and delete one that is not archived.")] = False,
) -> None:
    """Delete an archived course with everything in it.

    The people who are in no other one are deleted, too. This cannot be undone. The course Default stays, empty. Exit
    codes: 0 done, 1 not confirmed, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.actions.courses import delete_course
        from app.courses import course as courses

        async def chosen(owner: Actor) -> Course:
            async with owner.database.read() as session:
                return await courses.existing(session, owner.course_id)

        there = ask(settings, chosen, course)
        if not (there.archived_at or yes):
            raise usage(f"the course {there.title} is not archived; to delete it all the same, add --yes")
        if not yes:
            typer.confirm(f"Delete the course {there.title} with everything in it?", abort=True)
        echo_counts(ask(settings, lambda owner: delete_course(owner, title=there.title), course))


def _line(course: Course) -> str:
    return f"{course.id}  {'archived' if course.archived_at else 'open':<8}  {course.title}"
