"""A database that was filled by any version since 1.0.0 becomes one of today, with every row."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateIndex
from sqlalchemy.types import TypeEngine

from app.errors.commands import DatabaseOutdated
from app.storage import revisions
from app.storage.database import Database
from app.storage.models import Base, Submission
from reference import SEED_BYTES
from tests.integration.app.kinds import on_both

REVISIONS = [script.revision for script in ScriptDirectory(str(revisions.MIGRATIONS)).walk_revisions()][::-1]
FIRST = REVISIONS[0]
#: The tables of version 1.0.0, for each database.
TABLES = Path(__file__).parent / "version_1_0"
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
#: Values of columns whose type says too little, by their name, or by table and name. Else each has one of its type,
#: so that ids are the same everywhere, and a row refers to the one of each other table.
VALUES: dict[str, Any] = {
    "courses.id": "c1",
    "course_id": "c1",
    "memberships.id": "m1",
    "membership_id": "m1",
    "submissions.id": "s1",
    "submission_id": "s1",
    "sessions.person_id": "ж",
    "student": "Иванов",
    "external_id": "Иванов",
    "assignment_id": "lstm-layer",
    "role": "teacher",
    "job_status": "done",
    "points": 99.5,
    "body": {"text": "Ответ"},
    "delta": 5.0,
    "subject": "member",
    "state": "unmatched",
}
BY_TYPE: dict[type[TypeEngine[Any]], object] = {
    String: "ж",
    Boolean: False,
    Integer: 1,
    Float: 1.0,
    DateTime: NOW,
    JSON: {},
    LargeBinary: bytes(range(256)),
}


@pytest.fixture
def url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables."""
    if kind == "postgresql":
        return request.getfixturevalue("new_database")()
    return f"sqlite:///{tmp_path / 'lstm-grader.sqlite3'}"


@pytest.fixture
async def database(anyio_backend: str, url: str) -> AsyncIterator[Database]:
    database = Database(url)
    if database.file:
        database.file.create()
    yield database
    await database.close()


def row_of(table: Table) -> dict[str, Any]:
    """Return a row with a value in each column that needs one, or that `VALUES` names."""
    row = {}
    for column in table.c:
        if (value := VALUES.get(f"{table.name}.{column.name}", VALUES.get(column.name))) is not None:
            row[column.name] = value
        elif not column.nullable:
            (row[column.name],) = [value for kind, value in BY_TYPE.items() if isinstance(column.type, kind)]
    return row


def fill(connection: Connection, revision: str) -> dict[str, dict[str, Any]]:
    """Make the tables of this revision, and write a row into each, as an application of that time did."""
    if revision == FIRST:
        for statement in (TABLES / f"{connection.dialect.name}.sql").read_text().split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    else:
        revisions.upgrade(connection)
    schema = MetaData()
    schema.reflect(connection)
    rows = {table.name: row_of(table) for table in schema.sorted_tables if table.name != "alembic_version"}
    for name, row in rows.items():
        without_zone = {
            key: value.replace(tzinfo=None) if connection.dialect.name == "sqlite" and value is NOW else value
            for key, value in row.items()
        }
        connection.execute(insert(schema.tables[name]).values(without_zone))
    return rows


async def filled(database: Database, revision: str) -> dict[str, dict[str, Any]]:
    """Make a database of this revision with a row in every table; return the rows."""
    async with database._writing.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        if database.is_sqlite:  # As `Database.upgrade` does it, for migrations that replace tables.
            await raw.execute("PRAGMA foreign_keys = OFF")
        async with connection.begin():
            rows = await connection.run_sync(fill, revision)
        if database.is_sqlite:
            await raw.execute("PRAGMA foreign_keys = ON")
    return rows


async def tables_of(session: AsyncSession) -> Mapping[str, Table]:
    """The tables as the earlier version had them."""
    schema = MetaData()
    await (await session.connection()).run_sync(schema.reflect)
    return schema.tables


@pytest.mark.parametrize(
    ("kind", "revision"),
    [(kind, revision) for kind in ("sqlite", "postgresql") for revision in REVISIONS],
    indirect=["kind"],
)
async def test_database_of_every_earlier_version_is_upgraded_with_its_rows(database, revision):
    before = await filled(database, revision)
    await database.upgrade()
    await database.check_revision()
    async with database.read() as session:
        for name, row in before.items():
            table = Base.metadata.tables[name]
            kept = {key: value for key, value in row.items() if key in table.c}  # Later versions drop some columns.
            after = (await session.execute(select(table))).mappings().all()
            assert kept in [{key: each[key] for key in kept} for each in after], name
        if database.is_sqlite:
            assert (await session.execute(text("PRAGMA foreign_key_check"))).all() == []


@on_both
@pytest.mark.parametrize("revision", [None, FIRST])
async def test_new_and_upgraded_databases_have_the_tables_of_the_models(database, revision):
    if revision:
        await filled(database, revision)
    await database.upgrade()
    # Alembic cannot compare an index that goes down on SQLite.
    by_text = {"ix_submissions_queue"} if database.is_sqlite else set()

    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "include_object": lambda _object, name, *_: name not in by_text}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))

    async with database.read() as session:
        connection = await session.connection()
        assert await connection.run_sync(differences) == []
        for index in (index for index in Base.metadata.tables["submissions"].indexes if index.name in by_text):
            by_name = text("SELECT sql FROM sqlite_master WHERE name = :name")
            statement = await session.scalar(by_name, {"name": index.name})
            assert statement == str(CreateIndex(index).compile(dialect=connection.dialect))


@on_both
async def test_attempts_from_before_seeds_get_one_each(database):
    await filled(database, FIRST)
    async with database.write() as session:
        submissions = (await tables_of(session))["submissions"]
        first = dict((await session.execute(select(submissions))).mappings().one())
        await session.execute(insert(submissions).values(first | {"id": "s2", "attempt": 2}))
    await database.upgrade()
    async with database.read() as session:
        seeds = (await session.scalars(select(Submission.seed))).all()
    assert [len(seed) for seed in seeds] == [SEED_BYTES, SEED_BYTES]
    assert len({*seeds}) == 2


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("table", ["submissions", "batch_files", "checks"])
async def test_sqlite_reads_no_column_through_the_bytes_of_a_file(database, table, is_new):
    """A list of twenty files of 19 MB would take most of a second, and everybody else would wait."""
    if not is_new:
        await filled(database, FIRST)
    await database.upgrade()
    async with database.read() as session:
        columns = (await session.execute(text(f"PRAGMA table_info({table})"))).mappings().all()
    assert columns[-1]["name"] == "content"


async def test_sqlite_file_is_copied_before_it_is_changed_and_only_then(database, tmp_path):
    await filled(database, FIRST)
    await database.upgrade()
    (copy,) = tmp_path.glob("*.before-*")
    assert copy.name == f"lstm-grader.sqlite3.before-{REVISIONS[-1]}"
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (FIRST,)
        assert connection.execute("SELECT student FROM submissions").fetchone() == ("Иванов",)
    connection.close()
    copy.unlink()
    await database.upgrade()
    assert list(tmp_path.glob("*.before-*")) == []


@on_both
async def test_upgrade_that_fails_changes_nothing(database, monkeypatch):
    await filled(database, FIRST)
    upgrade = revisions.upgrade

    def fail_at_the_end(connection: Connection) -> None:
        upgrade(connection)
        raise ZeroDivisionError

    monkeypatch.setattr(revisions, "upgrade", fail_at_the_end)
    with pytest.raises(ZeroDivisionError):
        await database.upgrade()
    with pytest.raises(DatabaseOutdated) as refusal:
        await database.check_revision()
    assert refusal.value.params == {"current": FIRST, "expected": REVISIONS[-1]}
