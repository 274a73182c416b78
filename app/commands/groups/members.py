"""The commands `members`. What they do is in `app.commands.courses`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from app.commands.shell import OfCourse, check_something, echo_list, only_given, starting
from grader.shell import usage

members = typer.Typer(help="List, add, change, remove and join members of a course.", no_args_is_help=True)

MemberId = Annotated[str, typer.Argument(metavar="ID", help="Id in the grade book, or of the member.")]
Name = Annotated[str | None, typer.Option(help="Name of the person.")]
Email = Annotated[str | None, typer.Option(help="Address of the person.")]
Group = Annotated[str | None, typer.Option(help="Group in the course.")]


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
        raise usage(f"role: expected student, assistant or teacher, not {role!a}")
    with starting() as settings:
        from app.commands import courses
        from app.courses.membership import Members
        from app.storage.models import MemberRole

        confirmed = False if unconfirmed else None
        chosen = Members(MemberRole(role) if role else None, group, confirmed, removed or None, search)
        echo_list(asyncio.run(courses.list_members(settings, course, chosen)), none="no members were found")


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

        given = only_given(external_id=external_id, role=role, name=name, email=email, group=group)
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
    given = only_given(external_id=external_id, role=role, name=name, email=email, group=group)
    check_something(given)
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
