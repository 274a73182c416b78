"""The commands `lti platforms` and `lti keys`. What they do is in `app.commands.lti`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from app.commands.shell import echo_list, starting

lti = typer.Typer(help="Learning platforms that open the service by LTI 1.3.", no_args_is_help=True)
platforms = typer.Typer(help="Register, list, check and remove platforms.", no_args_is_help=True)
keys = typer.Typer(help="The keys that platforms check us by.", no_args_is_help=True)
lti.add_typer(platforms, name="platforms")
lti.add_typer(keys, name="keys")

PlatformId = Annotated[str, typer.Argument(metavar="ID", help="As `lti platforms list` shows it.")]
#: A check that found something.
FAULTS = 1


@platforms.command("add")
def add(
    client_id: Annotated[str, typer.Option(help="Id by which the platform knows this service.")],
    kind: Annotated[str | None, typer.Option(help="moodle, canvas, blackboard or d2l.")] = None,
    site: Annotated[str | None, typer.Option(help="Address of the platform, with --kind.")] = None,
    deployment: Annotated[list[str] | None, typer.Option(help="Deployment id; can be repeated.")] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="Site whose pages show the exercise in a frame, besides --site; can be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="For people to read.")] = None,
    issuer: Annotated[str | None, typer.Option(help="Issuer (platform id).")] = None,
    login_url: Annotated[str | None, typer.Option(help="Authentication request URL.")] = None,
    token_url: Annotated[str | None, typer.Option(help="Access token URL.")] = None,
    keys_url: Annotated[str | None, typer.Option(help="Public keyset URL.")] = None,
) -> None:
    """Register a platform. Prints its id, and the addresses that its administrator enters there."""
    with starting() as settings:
        from app.commands import lti as commands

        given = {"name": name, "issuer": issuer, "login_url": login_url, "token_url": token_url, "keys_url": keys_url}
        for line in asyncio.run(
            commands.add_platform(settings, kind, site, client_id, deployment or [], given, origin or [])
        ):
            typer.echo(line)


@platforms.command("invite")
def invite() -> None:
    """Print an address with which a platform registers itself: once, within a week. Then confirm the platform."""
    with starting() as settings:
        from app.commands import lti as commands

        typer.echo(asyncio.run(commands.invite_platform(settings)))


@platforms.command("list")
def list_all() -> None:
    """List all platforms, the newest first."""
    with starting() as settings:
        from app.commands import lti as commands

        echo_list(asyncio.run(commands.list_platforms(settings)), none="no platforms are registered")


@platforms.command("confirm")
def confirm(platform: PlatformId) -> None:
    """Take launches of a platform that has registered itself."""
    with starting() as settings:
        from app.commands import lti as commands

        for line in asyncio.run(commands.confirm_platform(settings, platform)):
            typer.echo(line)


@platforms.command("deploy")
def deploy(platform: PlatformId, deployment: Annotated[str, typer.Argument(help="Deployment id.")]) -> None:
    """Know one more deployment of a platform."""
    with starting() as settings:
        from app.commands import lti as commands

        asyncio.run(commands.deploy_platform(settings, platform, deployment))


@platforms.command("remove")
def remove(platform: PlatformId) -> None:
    """Remove a platform from which no course has come."""
    with starting() as settings:
        from app.commands import lti as commands

        asyncio.run(commands.remove_platform(settings, platform))


@platforms.command("check")
def check(platform: PlatformId) -> None:
    """Say in words what would keep launches and grades from working. Exit codes: 0 nothing, 1 something."""
    with starting() as settings:
        from app.commands import lti as commands

        faults = asyncio.run(commands.check_platform(settings, platform))
    for line in faults:
        typer.echo(line)
    if faults:
        raise typer.Exit(FAULTS)
    typer.echo("The platform's keys can be read, it gives us tokens, and its clock agrees with ours.")


@keys.command("list")
def list_keys() -> None:
    """List the published keys and what they are used for."""
    with starting() as settings:
        from app.commands import lti as commands

        echo_list(
            asyncio.run(commands.list_keys(settings)),
            none="there are no keys yet; the service makes them when it needs one",
        )


@keys.command("rotate")
def rotate() -> None:
    """Let the next key sign from now on, and publish a new one for the next time. Prints the id of the signing key."""
    with starting() as settings:
        from app.commands import lti as commands

        typer.echo(asyncio.run(commands.rotate_keys(settings)))
