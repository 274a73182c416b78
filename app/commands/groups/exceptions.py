"""The commands `extensions`, `adjust` and `reviews`. What they do is in `app.commands.grading`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from app.commands.shell import OfCourse, echo_list, starting
from grader.shell import usage

extensions = typer.Typer(help="Give one student more time or more attempts.", no_args_is_help=True)
adjust = typer.Typer(help="Adjust the grade of a student, with a reason.", no_args_is_help=True)
reviews = typer.Typer(help="List and answer students' requests for review.", no_args_is_help=True)

Student = Annotated[str, typer.Argument(metavar="STUDENT", help="Id in the grade book, or of the member.")]
AssignmentId = Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="Id of the assignment, such as lstm-layer.")]
Reason = Annotated[str, typer.Option(help="For the student to read.")]
When = Annotated[
    str | None, typer.Option(help="In the course's time zone, such as 2026-10-08T23:59; without a time: all that day.")
]


@extensions.command("set")
def set_extension(
    student: Student,
    assignment: AssignmentId,
    reason: Reason,
    due: When = None,
    closes: When = None,
    more_attempts: Annotated[int | None, typer.Option(min=0, max=1000, help="On top of the course's limit.")] = None,
    course: OfCourse = None,
) -> None:
    """Give a student an extension, in place of an earlier one. It counts for what was handed in, too.

    It only ever adds: of a date and the course's the later one holds. Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import grading

        values = {"due": due, "closes": closes, "more_attempts": more_attempts, "reason": reason}
        typer.echo(asyncio.run(grading.set_extension(settings, student, assignment, course, values)))


@extensions.command("list")
def list_extensions(course: OfCourse = None) -> None:
    """List the extensions of a course, the newest first."""
    with starting() as settings:
        from app.commands import grading

        echo_list(asyncio.run(grading.list_extensions(settings, course)), none="the course has no extensions")


@extensions.command("remove")
def remove_extension(student: Student, assignment: AssignmentId, course: OfCourse = None) -> None:
    """Take an extension back. Exit codes: 0 done, 2 there is none or wrong usage, 3 we failed."""
    with starting() as settings:
        from app.commands import grading

        if not asyncio.run(grading.remove_extension(settings, student, assignment, course)):
            raise usage(f"{student} has no extension at {assignment}")


@adjust.command("set")
def set_adjustment(
    student: Student,
    assignment: AssignmentId,
    reason: Reason,
    delta: Annotated[float | None, typer.Option(help="Points to add; less than 0 to take off.")] = None,
    value: Annotated[float | None, typer.Option(help="The grade itself, in points of the assignment.")] = None,
    course: OfCourse = None,
) -> None:
    """Adjust a grade, in place of the adjustment that applies. It is applied last, and kept within 0 and the maximum.

    Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.commands import grading

        values = {"delta": delta, "value": value, "reason": reason}
        typer.echo(asyncio.run(grading.adjust(settings, student, assignment, course, values)))


@adjust.command("withdraw")
def withdraw_adjustment(student: Student, assignment: AssignmentId, course: OfCourse = None) -> None:
    """Let the adjustment apply no more. Exit codes: 0 done, 2 none applies or wrong usage, 3 we failed."""
    with starting() as settings:
        from app.commands import grading

        if not asyncio.run(grading.withdraw(settings, student, assignment, course)):
            raise usage(f"no adjustment of {student} applies at {assignment}")


@adjust.command("list")
def list_adjustments(student: Student, assignment: AssignmentId, course: OfCourse = None) -> None:
    """List the adjustments of a student's grade, the newest first, ended ones too."""
    with starting() as settings:
        from app.commands import grading

        echo_list(
            asyncio.run(grading.list_adjustments(settings, student, assignment, course)),
            none="this grade was never adjusted",
        )


@reviews.command("list")
def list_reviews(
    course: OfCourse = None, everything: Annotated[bool, typer.Option("--all", help="Answered ones, too.")] = False
) -> None:
    """List the requests that wait for an answer, the newest first."""
    with starting() as settings:
        from app.commands import grading

        none = "nobody has asked for a review" if everything else "no requests for review are open"
        echo_list(asyncio.run(grading.list_reviews(settings, course, everything=everything)), none=none)


@reviews.command("answer")
def answer_review(
    review: Annotated[str, typer.Argument(metavar="ID", help="As `reviews list` shows it.")],
    answer: Annotated[str, typer.Option(help="For the student to read.")],
    course: OfCourse = None,
) -> None:
    """Answer a request for review. The grade stays. Exit codes: 0 done, 2 wrong usage, 3 we failed."""
    with starting() as settings:
        from app.commands import grading

        asyncio.run(grading.answer_review(settings, review, answer, course))
