"""The commands `held`. What they do is in `app.commands.administration`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from app.commands.shell import echo_list, starting

held = typer.Typer(help="List and decide attempts that wait for a teacher.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="For the student to read.")]
HeldId = Annotated[str, typer.Argument(metavar="ID", help="As `held list` shows it.")]


@held.command("list")
def list_held() -> None:
    """List undecided attempts. Their code attacked the grader itself; each report says how."""
    with starting() as settings:
        from app.commands import administration

        echo_list(asyncio.run(administration.list_held(settings)), none="no attempts wait for a decision")


@held.command("accept")
def accept_held(submission: HeldId, reason: Reason) -> None:
    """Let an attempt count like any other."""
    _decide(submission, "accepted", reason)


@held.command("reject")
def reject_held(submission: HeldId, reason: Reason) -> None:
    """Keep an attempt from counting."""
    _decide(submission, "rejected", reason)


def _decide(submission: str, decision: str, reason: str) -> None:
    with starting() as settings:
        from app.commands import administration

        asyncio.run(administration.decide_held(settings, submission, decision, reason))
