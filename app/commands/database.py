"""The commands `db`."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Annotated

import typer

from app.commands.shell import Yes, ask, starting
from grader.shell import check_output, make_folder

group = typer.Typer(help="Look after the database.", no_args_is_help=True)


@group.command()
def upgrade(
    wait: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds to try again for, while PostgreSQL does not answer.")
    ] = 0,
) -> None:
    """Upgrade the tables to those of this version.

    A service on SQLite upgrades its own when it starts. On PostgreSQL run this before the first start and after each
    update, with the processes of the old version stopped. Exit codes: 0 done, 2 wrong settings, 3 we failed.
    """
    with starting() as settings:
        from sqlalchemy.exc import OperationalError

        from app.log_config import configure_logging
        from app.queue import hold_data_dir
        from app.storage.database import Database

        configure_logging(settings.log_level)
        database = Database(settings.database_url)
        if database.is_sqlite:
            make_folder(settings.data_dir, "LSTM_GRADER_DATA_DIR")

        async def upgrade() -> str:
            until = time.monotonic() + wait
            try:
                while True:
                    try:
                        return await database.upgrade()
                    except OperationalError as exc:
                        if time.monotonic() >= until:
                            raise
                        database.outage.record_failure("upgrade", exc)
                        await asyncio.sleep(1)
            finally:
                await database.close()

        with hold_data_dir(settings.data_dir) if database.is_sqlite else contextlib.nullcontext():
            revision = asyncio.run(upgrade())
    typer.echo(f"lstm-grader: the tables are of revision {revision}, the newest")


@group.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist yet.", show_default=False)],
) -> None:
    """Copy an SQLite database into one file.

    The service may be running. Back up PostgreSQL with pg_dump: docs/operations.md. Exit codes: 0 done, 2 wrong usage,
    3 we failed.
    """
    check_output(file)
    with starting() as settings:
        from app.operations import backup

        backup.back_up(backup.sqlite_file(settings), file)
    typer.echo(f"lstm-grader: copied to {file}")


@group.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `db backup` has made.", show_default=False)],
) -> None:
    """Restore a backup.

    The service must be stopped. The database from before is kept beside the restored one. The service upgrades older
    tables when it starts. Exit codes: 0 done, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.operations import backup
        from app.queue import hold_data_dir

        make_folder(settings.data_dir, "LSTM_GRADER_DATA_DIR")
        with hold_data_dir(settings.data_dir):
            before = backup.restore(backup.sqlite_file(settings), file)
    typer.echo(f"lstm-grader: restored{f'; what was there before is in {before}' if before else ''}")


@group.command("import")
def bring(
    file: Annotated[
        Path,
        typer.Argument(
            help="The database of a stopped service, or a file that `db backup` has made.", show_default=False
        ),
    ],
) -> None:
    """Copy an SQLite database into an empty PostgreSQL.

    LSTM_GRADER_DATABASE_URL names it. The file stays as it is. All or nothing. Links, tokens and sessions stay good.
    Exit codes: 0 done, 2 wrong usage or settings, 3 we failed.
    """
    with starting() as settings:
        from app.operations import backup

        count = asyncio.run(backup.bring(settings, file))
    typer.echo(f"lstm-grader: copied {count} rows of {file}")


@group.command()
def prune(
    days: Annotated[
        float,
        typer.Option(
            "--older-than-days", min=0, max=36500, help="Delete submissions older than this.", show_default=False
        ),
    ],
    yes: Yes = False,
) -> None:
    """Delete old submissions of all courses, with their reports.

    Waiting ones stay. This cannot be undone. A service with LSTM_GRADER_RETENTION_DAYS set does it daily. Exit codes: 0
    done, 1 not confirmed, 2 wrong usage, 3 we failed.
    """
    with starting() as settings:
        from app.privacy import retention

        if not yes and (count := ask(settings, lambda owner: retention.count_older(owner.database, days))):
            typer.confirm(f"Submissions that go, with their reports: {count}. Delete them?", abort=True)
        typer.echo(f"submissions: {ask(settings, lambda owner: retention.delete_older(owner.database, days))}")
