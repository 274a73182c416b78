"""Code that the service's commands share: the settings, and what stops a command in words and exit codes.

The web framework and the database are imported inside functions, so that the other commands start faster.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grader.shell import OUR_FAILURE, OUR_FAILURES, failure, usage, why_not, wrong_settings

if TYPE_CHECKING:
    from app.settings import Settings

logger = logging.getLogger(__name__)

# SQLite's messages.
DAMAGED_DATABASE = ("file is not a database", "database disk image is malformed")

OfCourse = Annotated[str | None, typer.Option(help="Id of the course; default: the course Default.")]


@contextlib.contextmanager
def starting() -> Iterator[Settings]:
    """Give the settings; turn an error that stops a command into a sentence and an exit code."""
    from pydantic import ValidationError

    from app.errors.commands import CannotStart
    from app.settings import Settings
    from grader import AssignmentError

    try:
        settings = Settings()
    except ValidationError as exc:
        raise wrong_settings(exc) from exc
    except ValueError as exc:  # A file that holds a secret.
        raise usage(failure(exc)) from exc
    try:
        yield settings
    except (CannotStart, AssignmentError, OSError) as exc:
        raise usage(failure(exc)) from exc
    except UnicodeEncodeError as exc:  # The database takes text.
        raise usage(f"{exc.object!r} is not text in UTF-8") from exc
    except OUR_FAILURES as exc:
        raise ours(why_not(exc)) from exc
    except _database_errors() as exc:
        raise ours(_about_database(settings, exc)) from exc


def start_logging(settings: Settings) -> None:
    """Configure the log of a service or a worker, and warn of variables that look like settings and are none."""
    from app.log_config import configure_logging
    from app.settings import unknown_variables

    configure_logging(settings.log_level)
    for name in unknown_variables():
        logger.warning("unknown_setting", extra={"variable": name})


def echo_list(lines: Sequence[str], *, none: str) -> None:
    """Print the lines. Without any, say so to the reader alone: a program that counts lines gets none."""
    for line in lines:
        typer.echo(line)
    if not lines:
        typer.echo(f"lstm-grader: {none}", err=True)


def only_given(**options: Any) -> dict[str, Any]:
    """Leave out the options that the caller did not use."""
    return {name: value for name, value in options.items() if value is not None}


def check_something(given: Mapping[str, Any]) -> None:
    """Refuse a change of nothing."""
    if not given:
        raise usage("expected something to change; --help lists what")


def ours(message: str) -> typer.Exit:
    """Say what failed on our side; to be raised."""
    typer.echo(f"lstm-grader: {message}", err=True)
    return typer.Exit(OUR_FAILURE)


def _database_errors() -> tuple[type[Exception], ...]:
    """Import the classes only when something was raised: Alembic takes 0.1 s, which would come before the sandbox."""
    import sqlite3

    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    return SQLAlchemyError, CommandError, sqlite3.Error


def _about_database(settings: Settings, error: Exception) -> str:
    from app.storage.outage import reason_of
    from app.storage.urls import database_url

    reason = reason_of(error)
    url = database_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        return f"the database cannot be used: {reason}"
    advice = ". Restore a backup: lstm-grader db restore FILE" if reason in DAMAGED_DATABASE else ""
    return f"the database {url.database} cannot be used: {reason}{advice}"
