"""SQLAlchemy's engines for the two kinds of databases, and the setup of their connections."""

from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.storage import postgresql, sqlite
from app.storage.database_file import DatabaseFile

BUSY_TIMEOUT_MILLISECONDS = 20_000


def new_engine(url: URL, file: DatabaseFile | None, *, read_only: bool = False, **options: Any) -> AsyncEngine:
    """Make an engine whose connections are prepared for our transactions.

    Args:
        url: a result of `app.storage.urls.database_url`.
        file: the file of an SQLite database; None: it is PostgreSQL.
        read_only: open an existing file so that neither it nor its folder changes.
        options: for the connection pool.
    """
    engine = create_async_engine(
        _address(url, file, read_only) if file else url,
        hide_parameters=True,  # Parameters hold names and source code, which must not get into error messages.
        connect_args=(
            {"async_creator_fn": sqlite.connect}
            if file
            else {**postgresql.ARGUMENTS, "async_creator_fn": postgresql.Connection.connect}
        ),
        **options,
    )
    if file:
        event.listen(engine.sync_engine, "connect", _prepare_reading if read_only else _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    else:
        event.listen(engine.sync_engine, "checkout", postgresql.check)
        event.listen(engine.sync_engine, "handle_error", postgresql.leave_read_only_server)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: Any) -> None:
    # The driver would begin transactions too late, so `_begin_sqlite` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",  # An upload that was answered with 202 survives a power cut.
            "foreign_keys = ON",
            # Otherwise SQLite only marks the pages of deleted and moved rows as free, and they hold students' work.
            "secure_delete = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()  # This also ends the connection's thread.
        raise
    cursor.close()


def _prepare_reading(connection: DBAPIConnection, _record: Any) -> None:
    connection.isolation_level = None


def _address(url: URL, file: DatabaseFile, read_only: bool) -> URL:
    """Return the URL of the file, with a mode that does not create a missing one."""
    query = {**url.query, "uri": "true", "mode": "ro" if read_only else "rw"}
    if read_only and not file.log.exists():
        # Nothing has the file open. Without `immutable`, SQLite would create a log and leave it behind.
        query["immutable"] = "1"
    return url.set(database=file.address, query=query)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
