"""The commands `tokens`. What they do is in `app.commands.administration`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from app.commands.shell import OfCourse, echo_list, starting

tokens = typer.Typer(help="Make, list and end tokens. The service may be running.", no_args_is_help=True)


@tokens.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Purpose of the token, such as Moodle.")],
    role: Annotated[str, typer.Option(help="submitter, assistant, teacher or admin.")] = "submitter",
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

        echo_list(asyncio.run(administration.list_tokens(settings)), none="there are no tokens")


@tokens.command("revoke")
def revoke_token(token_id: Annotated[str, typer.Argument(metavar="ID", help="As `tokens list` shows it.")]) -> None:
    """End a token at once, and sign out its browsers."""
    with starting() as settings:
        from app.commands import administration

        asyncio.run(administration.revoke_token(settings, token_id))
