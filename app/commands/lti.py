"""The commands `lti`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.shell import ask, echo_list, starting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.actions.actor import Actor
    from app.lti.registration.checking import Fault

#: The exit code of a check that found something.
FAULTS = 1

group = typer.Typer(help="Learning platforms: invite, list, check; change our key.", no_args_is_help=True)


@group.command("invite")
def invite() -> None:
    """Print an address with which a platform registers itself.

    It works once, within a week. Then the platform is confirmed on the page Platforms.
    """
    with starting() as settings:
        from app.actions.platforms import invite_platform

        typer.echo(f"{settings.url()}{ask(settings, invite_platform).path}")


@group.command("list")
def list_platforms() -> None:
    """List all platforms, the newest first."""
    with starting() as settings:
        from app.lti import platforms

        async def lines(owner: Actor) -> list[str]:
            async with owner.database.read() as session:
                return [
                    f"{each.id}  {'active' if each.confirmed_at else 'unconfirmed':<11}  {each.name}  "
                    f"issuer {each.issuer}  client id {each.client_id}  "
                    f"deployments {', '.join(await platforms.deployments(session, each.id)) or 'none'}  "
                    f"courses {await platforms.count_courses(session, each.id)}"
                    for each in await platforms.list_platforms(session)
                ]

        echo_list(ask(settings, lines), none="no platforms are registered")


@group.command("check")
def check(platform: Annotated[str, typer.Argument(metavar="ID", help="As `lti list` shows it.")]) -> None:
    """Say what would keep launches and grades from working.

    Exit codes: 0 nothing, 1 something, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.lti.platform_services import PlatformServices
        from app.lti.registration import checking
        from app.outgoing.client import Outgoing
        from app.texts import text

        async def faults(owner: Actor) -> Sequence[Fault]:
            async with Outgoing(private=settings.lti_private_targets) as outgoing:
                return await checking.check(
                    owner.database,
                    platform,
                    public_url=settings.public_url,
                    seen_url=None,
                    outgoing=outgoing,
                    services=PlatformServices(owner.database, outgoing),
                )

        lines = [text(f"platform.check.{fault.code}", "en", **fault.params) for fault in ask(settings, faults)]
    for line in lines:
        typer.echo(line)
    if lines:
        raise typer.Exit(FAULTS)
    typer.echo("The platform's keys can be read, it gives us tokens, and its clock agrees with ours.")


@group.command("rotate-key")
def rotate_key() -> None:
    """Let the next key sign from now on; print its id.

    The earlier one stays published for a week, and one more is published for the next time.
    """
    with starting() as settings:
        from app.actions.platforms import rotate_keys

        typer.echo(ask(settings, rotate_keys).id)
