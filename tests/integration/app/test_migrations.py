"""A database that was filled by any earlier version becomes one of today, with every row."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
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
    bindparam,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.errors.commands import DatabaseOutdated
from app.storage import revisions
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Base,
    Course,
    CourseAssignment,
    MemberRole,
    Membership,
    Regrade,
    StoredReport,
    Submission,
    Token,
    Webhook,
)
from reference import SEED_BYTES
from tests.integration.app.kinds import on_both, on_both_thoroughly, on_postgresql

REVISIONS = [script.revision for script in ScriptDirectory(str(revisions.MIGRATIONS)).walk_revisions()][::-1]
SOME = REVISIONS[::-4]
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
    """Upgrade to this revision, and write a row into every table, as an application of that time did."""
    revisions.upgrade(connection, revision)
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
    [
        *(("sqlite", revision) for revision in SOME),
        *(("postgresql", revision) for revision in SOME),
        *(pytest.param("sqlite", each, marks=pytest.mark.thorough) for each in REVISIONS if each not in SOME),
    ],
    indirect=["kind"],
)
async def test_database_of_every_earlier_version_is_upgraded_with_its_rows(database: Database, revision: str) -> None:
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
async def test_diagnoses_are_copied_out_of_the_reports_there_are(database: Database) -> None:
    await filled(database, "0003")
    body = {"diagnoses": [{"code": "bias_missing"}, {"code": "scaled"}, {"code": "scaled"}]}
    async with database.write() as session:
        await session.execute(update(Base.metadata.tables["reports"]).values(body=body))
    await database.upgrade()
    async with database.read() as session:
        rows = (await session.execute(select(Base.metadata.tables["report_diagnoses"]))).all()
    assert sorted(rows) == [(1, "bias_missing"), (1, "scaled")]


@on_both_thoroughly
async def test_versions_that_reports_were_graded_by_are_copied_out_of_them(database: Database) -> None:
    await filled(database, "0012")
    body = {"assignment": {"digest": "d" * 64}, "receipt": {"grader_version": "0.1.0+abc"}}
    async with database.write() as session:
        await session.execute(text("UPDATE reports SET body = :body").bindparams(bindparam("body", body, type_=JSON)))
    await database.upgrade()
    async with database.read() as session:
        copied = (await session.execute(select(StoredReport.assignment_digest, StoredReport.grader_version))).one()
    assert copied == ("d" * 64, "0.1.0+abc")


@on_both
async def test_all_from_before_courses_goes_into_the_default_course(database: Database) -> None:
    await filled(database, "0010")
    async with database.write() as session:
        tables = await tables_of(session)
        submissions, tokens = tables["submissions"], tables["tokens"]
        first = (await session.execute(select(submissions))).mappings().one()
        for id, student, assignment, attempt in (
            ("s2", "Иванов", "lstm-layer", 2),
            ("s3", "Иванов", "lstm-notebook", 1),
            ("s4", "petrov", "lstm-layer", 1),
        ):
            row = {"id": id, "student": student, "assignment_id": assignment, "attempt": attempt}
            await session.execute(insert(submissions).values({**first, **row}))
        token = (await session.execute(select(tokens))).mappings().one()
        own = {"id": "t2", "role": "submitter", "student": "Сидоров", "sha256": "d" * 64}
        await session.execute(insert(tokens).values({**token, **own}))
    await database.upgrade()
    async with database.read() as session:
        members = {member.id: member for member in await session.scalars(select(Membership))}
        assert sorted(str(each.external_id) for each in members.values()) == ["petrov", "Иванов", "Сидоров"]
        assert len({each.person_id for each in members.values()}) == 3
        assert {(each.role, each.confirmed_at, each.removed_at) for each in members.values()} == {
            (MemberRole.STUDENT, None, None)
        }
        used = {each.id: each for each in await session.scalars(select(CourseAssignment))}
        assert sorted(each.assignment_id for each in used.values()) == ["lstm-layer", "lstm-notebook"]
        assert {repr(each.rules) for each in used.values()} == {"{}"}
        for submission in await session.scalars(select(Submission)):
            assert submission.course_id == DEFAULT_COURSE
            assert members[submission.membership_id].external_id == submission.student
            assert used[submission.course_assignment_id].assignment_id == submission.assignment_id
        for table in (Token, Webhook, Regrade):
            assert set(await session.scalars(select(table.course_id))) == {DEFAULT_COURSE}
        own_token = await session.get_one(Token, "t2")
        assert own_token.membership_id is not None
        assert members[own_token.membership_id].external_id == "Сидоров"
        course = await session.get_one(Course, DEFAULT_COURSE)
        assert (course.title, course.archived_at) == ("Default", None)


@on_postgresql
async def test_the_tables_of_an_earlier_queue_are_removed_with_all_that_was_made_for_them(database: Database) -> None:
    await filled(database, "0006")
    create = """
        CREATE TYPE procrastinate_job_status AS ENUM ('todo', 'doing');
        CREATE TABLE procrastinate_workers (id bigserial PRIMARY KEY);
        CREATE TABLE procrastinate_jobs (id bigserial PRIMARY KEY, status procrastinate_job_status DEFAULT 'todo',
            worker_id bigint REFERENCES procrastinate_workers (id));
        CREATE TYPE procrastinate_job_to_defer_v1 AS (status procrastinate_job_status);
        CREATE FUNCTION procrastinate_defer_jobs_v1(jobs procrastinate_job_to_defer_v1[]) RETURNS bigint[]
            LANGUAGE sql AS 'SELECT NULL::bigint[]';
        CREATE FUNCTION procrastinate_notify_v1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER procrastinate_jobs_notify AFTER INSERT ON procrastinate_jobs
            FOR EACH ROW EXECUTE PROCEDURE procrastinate_notify_v1()
    """
    names = """
        SELECT proname FROM pg_proc WHERE proname LIKE 'procrastinate%' UNION ALL
        SELECT typname FROM pg_type WHERE typname LIKE '%procrastinate%' UNION ALL
        SELECT relname FROM pg_class WHERE relname LIKE '%procrastinate%'
    """
    async with database.write() as session:
        for statement in create.split(";\n"):
            await session.execute(text(statement))
        assert len((await session.scalars(text(names))).all()) > 5
    await database.upgrade()
    async with database.read() as session:
        assert (await session.scalars(text(names))).all() == []


@on_both_thoroughly
async def test_student_with_two_running_submissions_has_none_that_runs(database: Database) -> None:
    await filled(database, "0007")
    async with database.write() as session:
        submissions = (await tables_of(session))["submissions"]
        first = dict((await session.execute(select(submissions))).mappings().one()) | {"job_status": "running"}
        for id, student, attempt in (("s2", "a", 1), ("s3", "a", 2), ("s4", "b", 1)):
            row = {"id": id, "student": student, "attempt": attempt}
            await session.execute(insert(submissions).values(first | row))
    await database.upgrade()
    async with database.read() as session:
        rows = await session.execute(select(Submission.id, Submission.job_status).order_by(Submission.id))
    assert rows.all() == [("s1", "done"), ("s2", "queued"), ("s3", "queued"), ("s4", "running")]


@on_both_thoroughly
async def test_waiting_submissions_keep_their_order(database: Database) -> None:
    await filled(database, "0006")
    async with database.write() as session:
        submissions = (await tables_of(session))["submissions"]
        first = dict((await session.execute(select(submissions))).mappings().one())
        for number, minutes in ((2, 5), (3, -5)):
            row = {"id": f"s{number}", "attempt": number, "created_at": NOW + timedelta(minutes=minutes)}
            await session.execute(insert(submissions).values(first | row))
    await database.upgrade()
    async with database.read() as session:
        assert (await session.scalars(select(Submission.id).order_by(Submission.arrival))).all() == ["s3", "s1", "s2"]


@on_both
async def test_attempts_from_before_seeds_get_one_each(database: Database) -> None:
    await filled(database, "0024")
    async with database.write() as session:
        submissions = (await tables_of(session))["submissions"]
        first = dict((await session.execute(select(submissions))).mappings().one())
        await session.execute(insert(submissions).values(first | {"id": "s2", "attempt": 2}))
    await database.upgrade()
    async with database.read() as session:
        seeds = (await session.scalars(select(Submission.seed))).all()
    assert [len(seed) for seed in seeds] == [SEED_BYTES, SEED_BYTES]
    assert len({*seeds}) == 2

    def back(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(revisions.MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0024")

    async with database.write() as session:
        await (await session.connection()).run_sync(back)
    async with database.read() as session:
        assert "seed" not in (await tables_of(session))["submissions"].c


async def test_sqlite_file_is_copied_before_it_is_changed_and_only_then(database: Database, tmp_path: Path) -> None:
    await filled(database, "0001")
    await database.upgrade()
    (copy,) = tmp_path.glob("*.before-*")
    assert copy.name == f"lstm-grader.sqlite3.before-{REVISIONS[-1]}"
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert connection.execute("SELECT student FROM submissions").fetchone() == ("Иванов",)
    connection.close()
    copy.unlink()
    await database.upgrade()
    assert list(tmp_path.glob("*.before-*")) == []


@on_both
async def test_upgrade_that_fails_changes_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(database, "0001")
    upgrade = revisions.upgrade

    def fail_at_the_end(connection: Connection) -> None:
        upgrade(connection)
        raise ZeroDivisionError

    monkeypatch.setattr(revisions, "upgrade", fail_at_the_end)
    with pytest.raises(ZeroDivisionError):
        await database.upgrade()
    with pytest.raises(DatabaseOutdated) as refusal:
        await database.check_revision()
    assert refusal.value.params == {"current": "0001", "expected": REVISIONS[-1]}
