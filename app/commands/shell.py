"""Shared code of the service's commands: settings, and words and exit codes for errors that stop a command.

The web framework and the database are imported inside functions, so that the other commands start faster.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.errors.commands import CannotStart, NotPossible
from grader.errors import sentence_of
from grader.shell import OUR_FAILURE, OUR_FAILURES, failure, usage, why_not, wrong_settings

if TYPE_CHECKING:
    from app.actions.actor import Actor
    from app.settings import Settings

logger = logging.getLogger(__name__)

# SQLite's messages.
DAMAGED_DATABASE = ("file is not a database", "database disk image is malformed")

#: Stands for the id of the course Default.
THE_DEFAULT = "Default"
OfCourse = Annotated[str, typer.Option(help="Id of the course.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

Request = TypeVar("Request", bound=BaseModel)
Result = TypeVar("Result")


@contextlib.contextmanager
def starting() -> Iterator[Settings]:
    """Give the settings; turn an error that stops a command into a sentence and an exit code."""
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


def ask(settings: Settings, work: Callable[[Actor], Awaitable[Result]], course: str | None = None) -> Result:
    """Do the work for the service's owner, and return its result.

    Args:
        course: the only course to act in; None: all courses.
    Raises:
        NotPossible, DatabaseOutdated: see `acting.owner_of`.
    """
    from app.commands.acting import owner_of

    async def act() -> Result:
        async with owner_of(settings, course) as owner:
            return await work(owner)

    return asyncio.run(act())


def read_request(model: type[Request], values: dict[str, Any]) -> Request:
    """Read a request from the options of a command. Raises: NotPossible: the API would refuse these values."""
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise NotPossible(reason="; ".join(map(_fault, exc.errors()))) from exc


def _fault(error: ErrorDetails) -> str:
    """Describe the fault, with the name of the option if there is one."""
    names = [part for part in error["loc"] if isinstance(part, str)]
    return f"{names[-1]}: {sentence_of(error)} (got {error['input']!r:.80})" if names else sentence_of(error)


def start_logging(settings: Settings) -> None:
    """Configure the log of a service or a worker, and warn about variables that look like settings but are unknown."""
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


def echo_counts(counts: object) -> None:
    """Print the attributes, which are numbers of deleted rows by kind."""
    typer.echo(", ".join(f"{kind}: {count}" for kind, count in vars(counts).items()))


def only_given(**options: Any) -> dict[str, Any]:
    """Leave out the options that the caller did not use."""
    return {name: value for name, value in options.items() if value is not None}


def create(file: Path) -> BinaryIO:
    """Open a new file that only its owner can read. Raises: OSError: it exists, or cannot be written."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


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
