"""The commands `courses`, with those of a course's assignments.

Their work is in `app.commands.courses`, `app.commands.grading` and `app.commands.people`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.shell import OfCourse, check_something, echo_list, only_given, starting
from grader.shell import check_output, usage

courses = typer.Typer(
    help="Make, list, change, archive, copy and delete courses; write grade books.", no_args_is_help=True
)
assignments = typer.Typer(help="The assignments of a course, with its dates and rules.", no_args_is_help=True)
courses.add_typer(assignments, name="assignments")

CourseId = Annotated[str, typer.Argument(metavar="ID", help="As `courses list` shows it.")]
AssignmentId = Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="Id of its file, such as lstm-layer.")]
Language = Annotated[str | None, typer.Option(help="ru or en.")]
TimeZone = Annotated[str | None, typer.Option(help="A name of the IANA database, such as Europe/Moscow.")]
ADate = "{} in the course's time zone, such as 2026-10-01T23:59; a date alone: all that day; none: never."


@courses.command("list")
def list_courses() -> None:
    """List all courses, archived ones too."""
    with starting() as settings:
        from app.commands import courses

        echo_list(asyncio.run(courses.list_courses(settings)), none="there are no courses")


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

        given = only_given(title=title, language=language, time_zone=time_zone)
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
    given = only_given(title=title, language=language, time_zone=time_zone)
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
    check_something(given)
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

        echo_list(asyncio.run(courses.list_changes(settings, course, limit)), none="nothing in the course was changed")


@courses.command("grade-book")
def write_grade_book(
    course: OfCourse = None,
    format: Annotated[str, typer.Option(help="plain, moodle or canvas.")] = "plain",
    assignment: Annotated[str | None, typer.Option(help="Only this assignment.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; default: standard output.")] = None,
    missing_zero: Annotated[bool, typer.Option("--missing-zero", help="0 for who has handed in nothing.")] = False,
    unconfirmed: Annotated[
        bool | None, typer.Option(help="With students whom nobody has confirmed; default: in the plain form.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of the titles: ru or en.")] = "en",
) -> None:
    """Write the grade book of a course as CSV: a line for every student, also one who has handed in nothing.

    Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    check_output(output)
    with starting() as settings:
        from app.commands import grading
        from app.teaching.grade_book import GradeBookFormat
        from grader.report.messages import LANGUAGES

        if language not in LANGUAGES:
            raise usage(f"--language: expected one of {', '.join(LANGUAGES)} (got {language!r:.80})")
        if format not in set(GradeBookFormat):
            raise usage(f"--format: expected one of {', '.join(GradeBookFormat)} (got {format!r:.80})")
        text = asyncio.run(
            grading.write_grade_book(
                settings,
                course,
                GradeBookFormat(format),
                assignment=assignment,
                missing_is_zero=missing_zero,
                unconfirmed=unconfirmed,
                language=language,
            )
        )
        if output is None:
            typer.echo(text, nl=False)
        else:
            # By the mark spreadsheets see that it is UTF-8.
            output.write_text(text, encoding="utf-8-sig", newline="")


@courses.command("delete")
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


@assignments.command("list")
def list_assignments(course: OfCourse = None) -> None:
    """List the assignments of a course; a star stands beside what the course sets itself."""
    with starting() as settings:
        from app.commands import courses

        echo_list(asyncio.run(courses.list_uses(settings, course)), none="the course has no assignments")


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
    rules = only_given(
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

        given = only_given(title=title, grade_book_points=grade_book_points)
        typer.echo(asyncio.run(courses.set_use(settings, course, assignment, given, rules, as_in_file or ())))


@assignments.command("remove")
def remove_assignment(assignment: AssignmentId, course: OfCourse = None) -> None:
    """Let a course use an assignment no more. Refused while there are submissions to it."""
    with starting() as settings:
        from app.commands import courses

        asyncio.run(courses.remove_use(settings, course, assignment))
