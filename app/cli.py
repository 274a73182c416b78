"""The command line with the service's command: those of the engine, and ``serve``."""

from __future__ import annotations

import typer

from grader.cli import OUR_FAILURE, USAGE, cli, main

__all__ = ["main"]


@cli.command()
def serve() -> None:
    """Start the service and its worker; print the address, the owner's link and a curl line.

    Settings come from the environment: LSTM_GRADER_HOST, LSTM_GRADER_PORT, LSTM_GRADER_DATA_DIR and others.
    Exit codes: 0 stopped, 2 it cannot start like this, 3 we failed.
    """
    # Imported here because the other commands start faster without a web framework and a database.
    from alembic.util import CommandError
    from pydantic import ValidationError
    from sqlalchemy.exc import SQLAlchemyError

    from app.errors import DataDirInUse
    from app.server import run
    from app.settings import ENV_PREFIX, Settings
    from grader import AssignmentError, SandboxError

    try:
        settings = Settings()
    except ValidationError as exc:
        for problem in exc.errors(include_input=False):
            name = f"{ENV_PREFIX}{problem['loc'][0]}".upper() if problem["loc"] else ENV_PREFIX
            typer.echo(f"lstm-grader: {name}: {problem['msg']}", err=True)
        raise typer.Exit(USAGE) from exc
    try:
        run(settings)
    except DataDirInUse as exc:
        typer.echo(
            f"lstm-grader: another service uses {exc.params['data_dir']}. Stop it, or set LSTM_GRADER_DATA_DIR to "
            "another folder.",
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
