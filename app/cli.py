"""The command line with the service's commands: those of the engine, ``serve``, ``worker`` and ``db``.

What needs a web framework or a database is imported in the functions, because the other commands start faster without.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from grader.cli import OUR_FAILURE, USAGE, cli, main

if TYPE_CHECKING:
    from app.settings import Settings

__all__ = ["main"]

db = typer.Typer(help="Look after the database.", no_args_is_help=True)
cli.add_typer(db, name="db")


@cli.command()
def serve() -> None:
    """Start the service; print the address, the owner's link and a curl line.

    On SQLite it also grades. On PostgreSQL workers do (`lstm-grader worker`), on this machine or on others.

    Settings come from the environment: LSTM_GRADER_HOST, LSTM_GRADER_PORT, LSTM_GRADER_DATA_DIR and others.
    Exit codes: 0 stopped, 2 it cannot start like this, 3 we failed.
    """
    with starting() as settings:
        from app.server import run

        run(settings)


@cli.command()
def worker() -> None:
    """Grade what services on the same PostgreSQL accept, until stopped; start as many as there are machines.

    Needs LSTM_GRADER_DATABASE_URL. LSTM_GRADER_SLOTS says how many submissions it grades at the same time. What it
    does not finish is graded by others. Exit codes: 0 stopped, 2 it cannot start like this, 3 we failed.
    """
    with starting() as settings:
        from app.worker import run

        run(settings)


@db.command()
def upgrade() -> None:
    """Bring the tables to the form that this version works with.

    A service on SQLite does that itself when it starts. On PostgreSQL run this before the first start and after each
    update; processes of the old version should be stopped. Exit codes: 0 done, 2 wrong settings, 3 we failed.
    """
    with starting() as settings:
        from app.database import Database
        from app.jobs import locked
        from app.log_config import configure_logging

        configure_logging(settings.log_level)
        database = Database(settings.database_url)

        async def upgrade() -> None:
            await database.upgrade()
            await database.close()

        with locked(settings.data_dir) if database.is_sqlite else contextlib.nullcontext():
            asyncio.run(upgrade())


@contextlib.contextmanager
def starting() -> Iterator[Settings]:
    """The settings; what stops a command becomes a sentence and an exit code."""
    from alembic.util import CommandError
    from pydantic import ValidationError
    from sqlalchemy.exc import SQLAlchemyError

    from app.errors import DatabaseOutdated, DataDirInUse, NothingToShare, OwnerTokenMissing
    from app.settings import ENV_PREFIX, Settings
    from grader import AssignmentError, SandboxError

    try:
        settings = Settings()
    except ValidationError as exc:
        for problem in exc.errors(include_input=False):
            name = f"{ENV_PREFIX}{problem['loc'][0]}".upper() if problem["loc"] else ENV_PREFIX
            typer.echo(f"lstm-grader: {name}: {problem['msg']}", err=True)
        raise typer.Exit(USAGE) from exc
    except (OSError, ValueError) as exc:  # A file that holds a secret.
        typer.echo(f"lstm-grader: {exc}", err=True)
        raise typer.Exit(USAGE) from exc
    try:
        yield settings
    except DataDirInUse as exc:
        typer.echo(
            f"lstm-grader: another service uses {exc.params['data_dir']}. Stop it, or set LSTM_GRADER_DATA_DIR to "
            "another folder.",
            err=True,
        )
        raise typer.Exit(USAGE) from exc
    except DatabaseOutdated as exc:
        typer.echo(
            f"lstm-grader: the database is at revision {exc.params['current'] or 'none'}, and this version works with "
            f"{exc.params['expected']}. Run: lstm-grader db upgrade",
            err=True,
        )
        raise typer.Exit(USAGE) from exc
    except OwnerTokenMissing as exc:
        typer.echo(
            "lstm-grader: services on the same PostgreSQL need the same owner's token: set LSTM_GRADER_OWNER_TOKEN",
            err=True,
        )
        raise typer.Exit(USAGE) from exc
    except NothingToShare as exc:
        typer.echo(
            "lstm-grader: a service on SQLite grades by itself; a worker of its own needs a database that both can "
            "reach: LSTM_GRADER_DATABASE_URL=postgresql://...",
            err=True,
        )
        raise typer.Exit(USAGE) from exc
    except (AssignmentError, OSError) as exc:
        typer.echo(f"lstm-grader: {exc}", err=True)
        raise typer.Exit(USAGE) from exc
    except SandboxError as exc:
        typer.echo(f"lstm-grader: the sandbox cannot be used here: {exc}", err=True)
        raise typer.Exit(OUR_FAILURE) from exc
    except (SQLAlchemyError, CommandError) as exc:
        typer.echo(f"lstm-grader: the database cannot be used: {exc}", err=True)
        raise typer.Exit(OUR_FAILURE) from exc
