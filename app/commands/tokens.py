"""The commands `tokens`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.shell import THE_DEFAULT, OfCourse, ask, echo_list, read_request, starting

if TYPE_CHECKING:
    from app.actions.actor import Actor
    from app.storage.models import Token

group = typer.Typer(help="Make, list and end tokens.", no_args_is_help=True)


@group.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Purpose of the token, such as Moodle.")],
    role: Annotated[str, typer.Option(help="submitter, assistant, teacher or admin.")] = "submitter",
    student: Annotated[str | None, typer.Option(help="Makes it this student's own.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Days of validity; default: no end.")] = None,
    course: OfCourse = THE_DEFAULT,
) -> None:
    """Make a token, and print it: it is shown only now.

    For a student's own, the link that signs a browser in is printed, too. Exit codes: 0 made, 2 wrong usage or
    settings, 3 we failed.
    """
    with starting() as settings:
        from app.access.tokens import sign_in_link
        from app.actions.ways_in import MakeToken, make_token
        from app.storage.models import utc_now

        expires_at = utc_now() + timedelta(days=days) if days else None
        wanted = read_request(MakeToken, {"name": name, "role": role, "student": student, "expires_at": expires_at})
        _, secret = ask(settings, lambda owner: make_token(owner, wanted), course)
        typer.echo(secret)
        if student:
            typer.echo(sign_in_link(settings.url(), secret))


@group.command("list")
def list_tokens() -> None:
    """List the tokens of all courses, ended ones too.

    Their secrets are not shown.
    """
    with starting() as settings:
        from app.access import tokens
        from app.courses import course as courses
        from app.storage.models import utc_now

        async def lines(owner: Actor) -> list[str]:
            async with owner.database.read() as session:
                titles = {each.id: each.title for each in await courses.list_courses(session)}
                listed = await tokens.list_tokens(session, owner.holder)
            return [_line(each, titles[each.course_id], utc_now()) for each in listed]

        echo_list(ask(settings, lines), none="there are no tokens")


@group.command("revoke")
def revoke_token(token_id: Annotated[str, typer.Argument(metavar="ID", help="As `tokens list` shows it.")]) -> None:
    """End a token at once, and sign out its browsers."""
    with starting() as settings:
        from app.actions import ways_in

        ask(settings, lambda owner: ways_in.revoke_token(owner, token_id))


def _line(token: Token, course: str, now: datetime) -> str:
    state = "valid"
    if token.revoked_at is not None:
        state = f"revoked {token.revoked_at:%Y-%m-%d}"
    elif token.expires_at is not None:
        state = f"{'expired' if token.expires_at <= now else 'until'} {token.expires_at:%Y-%m-%d}"
    student = f" ({token.student})" if token.student else ""
    where = "all courses" if token.role == "admin" else course
    return f"{token.id}  {token.role:<9}  {state:<18}  {token.name}{student}  [{where}]"
