"""The commands `courses` and `members`. What they do is in `app.commands.courses`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from app.commands.shell import OfCourse, starting
from grader.shell import USAGE

courses = typer.Typer(
    help="Make, list, change, archive, copy and delete courses; write grade books.", no_args_is_help=True
)
assignments = typer.Typer(help="The assignments of a course, with its dates and rules.", no_args_is_help=True)
courses.add_typer(assignments, name="assignments")
members = typer.Typer(help="List, add, change, remove and join members of a course.", no_args_is_help=True)

CourseId = Annotated[str, typer.Argument(metavar="ID", help="As `courses list` shows it.")]
AssignmentId = Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="Id of its file, such as lstm-layer.")]
MemberId = Annotated[str, typer.Argument(metavar="ID", help="Id in the grade book, or of the member.")]
Language = Annotated[str | None, typer.Option(help="ru or en.")]
TimeZone = Annotated[str | None, typer.Option(help="A name of the IANA database, such as Europe/Moscow.")]
Name = Annotated[str | None, typer.Option(help="Name of the person.")]
Email = Annotated[str | None, typer.Option(help="Address of the person.")]
Group = Annotated[str | None, typer.Option(help="Group in the course.")]
ADate = "{} in the course's time zone, such as 2026-10-01T23:59; none: never."


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


@courses.command("list")
def list_courses() -> None:
    """List all courses, archived ones too."""
    with starting() as settings:
        from app.commands import courses

        for line in asyncio.run(courses.list_courses(settings)):
            typer.echo(line)


@courses.command("create")
def create_course(
    title: Annotated[str, typer.Argument(help="Such as: Neural networks, spring.")],
    language: Language = None,
    time_zone: TimeZone = None,
) -> None:
    """Print the id of a new course, without people and assignments.

    Exit codes: 0 made, 2 wrong usage or settings, 3 we failed.
    """
    with starting() as settings:
        from app.commands import courses

        given = _given(title=title, language=language, time_zone=time_zone)
        typer.echo(asyncio.run(courses.create(settings, given)))


@courses.command("show")
def show_course(course: CourseId) -> None:
    """Show a course and its assignments; a star stands beside what the course sets itself."""
    with starting() as settings:
        from app.commands import courses

        for line in asyncio.run(courses.show(settings, course)):
            typer.echo(line)


@courses.command("change")
def change_course(
    course: CourseId,
    title: Annotated[str | None, typer.Option(help="New title.")] = None,
    language: Language = None,
    time_zone: TimeZone = None,
    retention_days: Annotated[
        float | None, typer.Option(min=0, help="Age at which submissions are deleted; 0: as in the settings.")
    ] = None,
) -> None:
    """Change what is given."""
    given = _given(title=title, language=language, time_zone=time_zone)
    if retention_days is not None:
        given["retention_days"] = retention_days or None
    _change(course, given)


@courses.command("archive")
def archive_course(course: CourseId) -> None:
    """Let nothing in a course change any more. It can be read, copied and opened again."""
    _change(course, {"archived": True})


@courses.command("reopen")
def reopen_course(course: CourseId) -> None:
    """Open an archived course again."""
    _change(course, {"archived": False})


def _change(course: str, given: dict[str, Any]) -> None:
    _check_something(given)
    with starting() as settings:
        from app.commands import courses

        typer.echo(asyncio.run(courses.change(settings, course, given)))


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


@courses.command("changes")
def list_changes(
    course: OfCourse = None, limit: Annotated[int, typer.Option(min=1, max=5000, help="How many.")] = 100
) -> None:
    """List the newest changes to a course: who changed what and when (UTC)."""
    with starting() as settings:
        from app.commands import courses

        for line in asyncio.run(courses.list_changes(settings, course, limit)):
            typer.echo(line)


@assignments.command("list")
def list_assignments(course: OfCourse = None) -> None:
    """List the assignments of a course; a star stands beside what the course sets itself."""
    with starting() as settings:
        from app.commands import courses

        for line in asyncio.run(courses.list_uses(settings, course)):
            typer.echo(line)


@assignments.command("set")
def set_assignment(
    assignment: AssignmentId,
    course: OfCourse = None,
    title: Annotated[str | None, typer.Option(help="Title in this course; none: the file's.")] = None,
    grade_book_points: Annotated[float | None, typer.Option(help="Maximum in the grade book.")] = None,
    opens: Annotated[str | None, typer.Option(help=ADate.format("Nothing is accepted before it;"))] = None,
    due: Annotated[str | None, typer.Option(help=ADate.format("Later attempts are late;"))] = None,
    closes: Annotated[str | None, typer.Option(help=ADate.format("Nothing is accepted from it on;"))] = None,
    late_percent_per_day: Annotated[float | None, typer.Option(help="Cost of each day begun.")] = None,
    late_percent_max: Annotated[float | None, typer.Option(help="Most that lateness costs.")] = None,
    limit: Annotated[str | None, typer.Option(help="Most attempts; none: no limit.")] = None,
    cooldown_seconds: Annotated[int | None, typer.Option(help="From one attempt to the next.")] = None,
    counts: Annotated[str | None, typer.Option(help="Which attempt is the grade: best or last.")] = None,
    as_in_file: Annotated[
        list[str] | None, typer.Option(help="A rule for which the file holds again, such as due.")
    ] = None,
) -> None:
    """Have a course use an assignment, and set its dates and rules there; the others stay."""
    rules = _given(
        opens=opens,
        due=due,
        closes=closes,
        late_percent_per_day=late_percent_per_day,
        late_percent_max=late_percent_max,
        limit=int(limit) if limit and limit.isdecimal() else limit,
        cooldown_seconds=cooldown_seconds,
        counts=counts,
    )
    with starting() as settings:
        from app.commands import courses

        given = _given(title=title, grade_book_points=grade_book_points)
        typer.echo(asyncio.run(courses.set_use(settings, course, assignment, given, rules, as_in_file or ())))


@assignments.command("remove")
def remove_assignment(assignment: AssignmentId, course: OfCourse = None) -> None:
    """Let a course use an assignment no more. Refused while there are submissions to it."""
    with starting() as settings:
        from app.commands import courses

        asyncio.run(courses.remove_use(settings, course, assignment))


@members.command("list")
def list_members(
    course: OfCourse = None,
    role: Annotated[str | None, typer.Option(help="student, assistant or teacher.")] = None,
    group: Annotated[str | None, typer.Option(help="Only of this group.")] = None,
    search: Annotated[str | None, typer.Option(help="A part of the id, the name or the address.")] = None,
    unconfirmed: Annotated[bool, typer.Option("--unconfirmed", help="Only those whom nobody confirmed.")] = False,
    removed: Annotated[bool, typer.Option("--removed", help="Only removed ones.")] = False,
) -> None:
    """List the members of a course."""
    if role is not None and role not in ("student", "assistant", "teacher"):
        typer.echo(f"lstm-grader: role: expected student, assistant or teacher, not {role!a}", err=True)
        raise typer.Exit(USAGE)
    with starting() as settings:
        from app.commands import courses
        from app.courses.membership import Members
        from app.storage.models import MemberRole

        confirmed = False if unconfirmed else None
        chosen = Members(MemberRole(role) if role else None, group, confirmed, removed or None, search)
        for line in asyncio.run(courses.list_members(settings, course, chosen)):
            typer.echo(line)


@members.command("add")
def add_member(
    external_id: Annotated[str, typer.Argument(metavar="ID", help="Id in the grade book.")],
    course: OfCourse = None,
    role: Annotated[str, typer.Option(help="student, assistant or teacher.")] = "student",
    name: Name = None,
    email: Email = None,
    group: Group = None,
) -> None:
    """Add a confirmed member as a new person. `members link make` lets the person in."""
    with starting() as settings:
        from app.commands import courses

        given = _given(external_id=external_id, role=role, name=name, email=email, group=group)
        typer.echo(asyncio.run(courses.add_member(settings, course, given)))


@members.command("change")
def change_member(
    member: MemberId,
    course: OfCourse = None,
    external_id: Annotated[str | None, typer.Option(help="New id in the grade book.")] = None,
    role: Annotated[str | None, typer.Option(help="student, assistant or teacher.")] = None,
    name: Name = None,
    email: Email = None,
    group: Group = None,
) -> None:
    """Change what is given; none: no name, address or group. A new role acts on open sessions at once."""
    given = _given(external_id=external_id, role=role, name=name, email=email, group=group)
    _check_something(given)
    _change_member(member, course, given)


@members.command("confirm")
def confirm_member(member: MemberId, course: OfCourse = None) -> None:
    """Confirm a student who came by an upload, a token or a join link."""
    _change_member(member, course, {"confirmed": True})


@members.command("remove")
def remove_member(member: MemberId, course: OfCourse = None) -> None:
    """Take all rights from a member at once. Submissions and grades stay."""
    _change_member(member, course, {"removed": True})


@members.command("restore")
def restore_member(member: MemberId, course: OfCourse = None) -> None:
    """Take a removed member back."""
    _change_member(member, course, {"removed": False})


def _change_member(member: str, course: str | None, given: dict[str, Any]) -> None:
    with starting() as settings:
        from app.commands import courses

        typer.echo(asyncio.run(courses.change_member(settings, course, member, given)))


@members.command("join")
def join_members(
    kept: Annotated[str, typer.Argument(metavar="KEPT", help="The member who gets everything.")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The member who is removed.")],
    course: OfCourse = None,
) -> None:
    """Join two members who are one student; print the id that undoes it."""
    with starting() as settings:
        from app.commands import courses

        typer.echo(asyncio.run(courses.join_members(settings, course, kept, other)))


@members.command("unjoin")
def unjoin_members(
    join: Annotated[str, typer.Argument(metavar="ID", help="As `members join` has printed it.")],
    course: OfCourse = None,
) -> None:
    """Take two joined members apart, if nothing since makes that impossible."""
    with starting() as settings:
        from app.commands import courses

        asyncio.run(courses.undo_join(settings, course, join))


def _check_something(given: dict[str, Any]) -> None:
    if not given:
        typer.echo("lstm-grader: expected something to change; --help lists what", err=True)
        raise typer.Exit(USAGE)
