"""The whole command line: the engine's commands, and those that run the service and look after it.

The web framework and the database are imported inside functions, so that the other commands start faster.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from app.commands import courses, database, lti, people, regrades, rosters, submit, tokens
from app.commands.shell import start_logging, starting
from app.operations.collecting import not_collecting
from grader.cli import SERVICE, cli, main
from grader.doctor import sections
from grader.shell import make_folder

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["cli", "main"]

HAND_IN = "Students: hand in at a service"
IN_A_SERVICE = "Admins: courses, people and grades of a service"


@cli.command(rich_help_panel=SERVICE)
def serve() -> None:
    """Start the service.

    It prints the address, the owner's link and a curl line. On SQLite the service also grades. On PostgreSQL workers do
    (`lstm-grader worker`), on this machine or on others.

    Settings come from the environment: LSTM_GRADER_HOST, LSTM_GRADER_PORT, LSTM_GRADER_DATA_DIR and others.
    Exit codes: 0 stopped, 2 cannot start with these settings, 3 we failed.
    """
    with not_collecting():
        from app.operations.sandbox import start_sandbox
    with starting() as settings, contextlib.ExitStack() as stack:
        start_logging(settings)
        sandbox = None
        if settings.database_url.startswith("sqlite"):
            make_folder(settings.data_dir, "LSTM_GRADER_DATA_DIR")
            make_folder(settings.cache_dir, "LSTM_GRADER_CACHE_DIR")
            sandbox = stack.enter_context(start_sandbox(settings))
        # Here, while the sandbox imports TensorFlow.
        with not_collecting():
            from app.main import run
            from app.stopping import leave

        run(settings, sandbox)
        leave()


@cli.command(rich_help_panel=SERVICE)
def worker() -> None:
    """Grade what services on the same PostgreSQL accept.

    Start one on each machine; it works until it is stopped. Needs LSTM_GRADER_DATABASE_URL. LSTM_GRADER_SLOTS sets how
    many submissions it grades at the same time. Unfinished submissions go back to the queue. Exit codes: 0 stopped, 2
    cannot start with these settings, 3 we failed.
    """
    with not_collecting():
        from app.operations.sandbox import start_sandbox
    with starting() as settings:
        start_logging(settings)
        make_folder(settings.cache_dir, "LSTM_GRADER_CACHE_DIR")
        with start_sandbox(settings) as sandbox:
            # Here, while the sandbox imports TensorFlow.
            with not_collecting():
                from app.stopping import leave
                from app.worker import run

            run(settings, sandbox)
        leave()


def _inspect_database(console: Console) -> str | None:
    """Print the service's section of `doctor`, and return its fault."""
    with starting() as settings:
        from app.operations.inspection import inspect_database

        state = asyncio.run(inspect_database(settings))
    for line in state.lines:
        console.print(line, markup=False, soft_wrap=True)
    return f"the database cannot be used: {state.wrong}" if state.wrong else None


sections.append(_inspect_database)

cli.command(rich_help_panel=HAND_IN)(submit.submit)
cli.add_typer(database.group, name="db", rich_help_panel=SERVICE)
cli.command(rich_help_panel=IN_A_SERVICE)(regrades.regrade)
for name, module in {
    "regrades": regrades,
    "courses": courses,
    "roster": rosters,
    "people": people,
    "tokens": tokens,
    "lti": lti,
}.items():
    cli.add_typer(module.group, name=name, rich_help_panel=IN_A_SERVICE)
