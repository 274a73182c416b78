"""A database that was filled by any earlier version becomes one of today, with every row."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Connection, DateTime, MetaData, bindparam, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

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
from app.submissions.grades import grades_of
from app.submissions.policy import Attempt, grade_by_rules
from grader import load_assignments
from grader.assignment import Attempts, Deadline
from tests.integration.app.kinds import on_both, on_both_thoroughly, on_postgresql

pytestmark = pytest.mark.anyio

REVISIONS = [script.revision for script in ScriptDirectory(str(revisions.MIGRATIONS)).walk_revisions()][::-1]
#: The newest one is reached by way of all others, with the rows of each.
SOME = REVISIONS[::-8]
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
OF_A_MEMBER = {"membership_id": "m1", "course_assignment_id": "ca1", "made_by": "owner", "created_at": NOW}
#: What the version with this newest revision wrote: table -> row. A new table gets its row here.
ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "0001": {
        "tokens": {"id": "t1", "name": "owner", "role": "admin", "sha256": "a" * 64, "created_at": NOW},
        "sessions": {"sha256": "b" * 64, "token_id": "t1", "created_at": NOW, "expires_at": NOW},
        "submissions": {
            "id": "s1",
            "student": "Иванов",
            "assignment_id": "lstm-layer",
            "attempt": 1,
            "filename": "LSTM.py",
            "sha256": "c" * 64,
            "content": bytes(range(256)),
            "submitted_by": "t1",
            "created_at": NOW,
            "job_status": "done",
            "tries": 1,
            "started_at": NOW,
            "finished_at": NOW,
        },
        "reports": {
            "id": 1,
            "submission_id": "s1",
            "created_at": NOW,
            "status": "passed",
            "points": 99.5,
            "max_points": 100.0,
            "body": {"text": "Ответ"},
        },
    },
    "0002": {
        "regrades": {"id": "r1", "requested_by": "t1", "created_at": NOW, "selection": {"ids": ["s1"]}},
        "regrade_items": {"regrade_id": "r1", "submission_id": "s1", "old_report_id": 1},
    },
    "0004": {
        "report_diagnoses": {"report_id": 1, "code": "bias_missing"},
    },
    "0005": {
        "submission_events": {"submission_id": "s1", "event": "reading", "data": {}, "created_at": NOW},
        "webhooks": {
            "id": "w1",
            "url": "https://lms.example.org/hook",
            "secret": "whsec_AAAA",
            "created_by": "t1",
            "created_at": NOW,
        },
        "deliveries": {
            "id": "d1",
            "webhook_id": "w1",
            "event": "submission.graded",
            "report_id": 1,
            "created_at": NOW,
            "attempts": 0,
            "next_at": NOW,
        },
    },
    "0006": {"artefacts": {"report_id": 1, "name": "a.safetensors", "content": bytes(range(256))}},
    "0007": {"workers": {"id": "w1", "seen_at": NOW}},
    "0011": {
        "courses": {"id": "c1", "title": "Сети", "language": "ru", "time_zone": "Europe/Moscow", "created_at": NOW},
        "people": {"id": "p1", "name": "Иван", "email": "ivan@example.org", "created_at": NOW},
        "memberships": {
            "id": "m1",
            "course_id": "c1",
            "person_id": "p1",
            "role": "student",
            "external_id": "ivanov",
            "group_name": "БПМИ",
            "created_at": NOW,
        },
        "course_assignments": {
            "id": "ca1",
            "course_id": "c1",
            "assignment_id": "lstm-layer",
            "rules": {"limit": 3},
            "created_at": NOW,
        },
        "changes": {
            "id": 1,
            "course_id": "c1",
            "membership_id": "m1",
            "created_at": NOW,
            "made_by": "owner",
            "subject": "member",
            "subject_id": "m1",
            "before": {},
            "after": {"group": "БПМИ"},
        },
    },
    "0012": {
        "identities": {"id": "i1", "person_id": "p1", "issuer": "https://sso", "subject": "7", "created_at": NOW},
        "join_links": {
            "id": "j1",
            "course_id": "c1",
            "sha256": "e" * 64,
            "uses": 0,
            "made_by": "owner",
            "created_at": NOW,
        },
        "merges": {
            "id": "g1",
            "course_id": "c1",
            "kept_member_id": "m1",
            "merged_member_id": "m1",
            "moved": {},
            "made_by": "owner",
            "created_at": NOW,
        },
        "extensions": OF_A_MEMBER | {"id": "e1", "due": NOW, "more_attempts": 2, "reason": "больна"},
        "adjustments": OF_A_MEMBER | {"id": "a1", "delta": 5.0, "reason": "за красоту"},
        "comments": OF_A_MEMBER | {"id": "k1", "text": "Хорошо."},
        "review_requests": {"id": "q1", "submission_id": "s1", "text": "Почему?", "created_at": NOW},
    },
    "0013": {
        "batches": {
            "id": "b1",
            "course_id": "c1",
            "assignment_id": "lstm-layer",
            "filename": "course.zip",
            "made_by": "owner",
            "created_at": NOW,
        },
        "batch_files": {
            "id": "f1",
            "batch_id": "b1",
            "path": "Иван/LSTM.py",
            "filename": "LSTM.py",
            "name": "Иван",
            "is_late": False,
            "state": "unmatched",
            "reason": {},
            "content": bytes(range(256)),
        },
    },
    "0014": {
        "lti_keys": {"id": "k1", "private_key": "PEM", "created_at": NOW},
        "lti_platforms": {
            "id": "pl1",
            "name": "Moodle",
            "issuer": "https://lms.example.edu",
            "client_id": "c",
            "login_url": "https://lms.example.edu/auth",
            "token_url": "https://lms.example.edu/token",
            "keys_url": "https://lms.example.edu/keys",
            "made_by": "owner",
            "created_at": NOW,
        },
        "lti_deployments": {"id": "d1", "platform_id": "pl1", "deployment_id": "1"},
        "lti_logins": {
            "state_sha256": "a" * 64,
            "nonce_sha256": "b" * 64,
            "browser_sha256": "c" * 64,
            "platform_id": "pl1",
            "asked": "iss=x",
            "expires_at": NOW,
        },
        "lti_contexts": {
            "id": "x1",
            "platform_id": "pl1",
            "deployment_id": "1",
            "context_id": "7",
            "course_id": "c1",
            "made_by": "Moodle",
            "created_at": NOW,
        },
        "lti_links": {
            "id": "l1",
            "lti_context_id": "x1",
            "resource_link_id": "9",
            "course_assignment_id": "ca1",
            "scopes": {"granted": []},
            "created_at": NOW,
        },
        "lti_selections": {
            "id": "z1",
            "lti_context_id": "x1",
            "membership_id": "m1",
            "return_url": "https://lms.example.edu/back",
            "takes_lineitem": True,
            "expires_at": NOW,
        },
        "lti_scores": {
            "id": "g1",
            "lti_link_id": "l1",
            "membership_id": "m1",
            "user_id": "u",
            "version": 1,
            "sent_version": 0,
            "attempts": 0,
        },
    },
    "0016": {
        "lti_invitations": {"sha256": "a" * 64, "made_by": "owner", "created_at": NOW, "expires_at": NOW},
    },
    "0017": {
        "lti_members": {"id": "p1", "lti_context_id": "x1", "membership_id": "m1", "role": "student", "seen_at": NOW},
    },
    "0021": {
        "lti_questions": {"sha256": "a" * 64, "platform_id": "pl1", "message": {"sub": "7"}, "expires_at": NOW},
        "lti_codes": {"sha256": "a" * 64, "course_id": "c1", "made_by": "owner", "expires_at": NOW},
    },
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


def fill(connection: Connection, revision: str) -> None:
    """Upgrade to `revision` and write its rows, as an application of that time did."""
    revisions.upgrade(connection, revision)
    tables, rows = MetaData(), ROWS.get(revision, {})
    tables.reflect(connection, only=[*rows], resolve_fks=False)
    for name, row in rows.items():
        table = tables.tables[name]
        naive = connection.dialect.name == "sqlite"
        values = {
            key: value.replace(tzinfo=None) if naive and isinstance(table.c[key].type, DateTime) else value
            for key, value in row.items()
        }
        connection.execute(insert(table).values(values))


async def filled(database: Database, revision: str) -> None:
    async with database._writing.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        if database.is_sqlite:  # As `Database.upgrade` does it, for migrations that replace tables.
            await raw.execute("PRAGMA foreign_keys = OFF")
        earlier = REVISIONS[: REVISIONS.index(revision)]
        for each in [*(each for each in earlier if each in ROWS), revision]:
            async with connection.begin():
                await connection.run_sync(fill, each)
        if database.is_sqlite:
            await raw.execute("PRAGMA foreign_keys = ON")


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
    await filled(database, revision)
    await database.upgrade()
    await database.check_revision()
    written = [
        (name, row) for each in REVISIONS[: REVISIONS.index(revision) + 1] for name, row in ROWS.get(each, {}).items()
    ]
    async with database.read() as session:
        for name, row in written:
            found = (await session.execute(select(Base.metadata.tables[name]))).mappings().all()
            assert row in [{key: each[key] for key in row} for each in found], name
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
        known = MetaData()
        await (await session.connection()).run_sync(known.reflect)
        submissions, tokens = known.tables["submissions"], known.tables["tokens"]
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


def test_every_table_has_a_row_in_these_tests() -> None:
    assert {name for rows in ROWS.values() for name in rows} == set(Base.metadata.tables)


@on_postgresql
async def test_the_tables_of_an_earlier_queue_are_removed_with_all_that_was_made_for_them(database: Database) -> None:
    await filled(database, "0006")
    made = """
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
    left = """
        SELECT proname FROM pg_proc WHERE proname LIKE 'procrastinate%' UNION ALL
        SELECT typname FROM pg_type WHERE typname LIKE '%procrastinate%' UNION ALL
        SELECT relname FROM pg_class WHERE relname LIKE '%procrastinate%'
    """
    async with database.write() as session:
        for statement in made.split(";\n"):
            await session.execute(text(statement))
        assert len((await session.scalars(text(left))).all()) > 5
    await database.upgrade()
    async with database.read() as session:
        assert (await session.scalars(text(left))).all() == []


@on_both_thoroughly
async def test_of_a_student_who_has_two_running_none_runs_any_more(database: Database) -> None:
    await filled(database, "0007")
    first = ROWS["0001"]["submissions"] | {"job_status": "running", "arrival": 0, "beat": 0, "priority": 0}
    async with database.write() as session:
        known = MetaData()
        await (await session.connection()).run_sync(known.reflect)
        for id, student, attempt in (("s2", "a", 1), ("s3", "a", 2), ("s4", "b", 1)):
            row = {"id": id, "student": student, "attempt": attempt}
            await session.execute(insert(known.tables["submissions"]).values(first | row))
    await database.upgrade()
    async with database.read() as session:
        found = await session.execute(select(Submission.id, Submission.job_status).order_by(Submission.id))
    assert found.all() == [("s1", "done"), ("s2", "queued"), ("s3", "queued"), ("s4", "running")]


@on_both_thoroughly
async def test_waiting_submissions_keep_their_order(database: Database) -> None:
    await filled(database, "0006")
    first = ROWS["0001"]["submissions"]
    for number, minutes in ((2, 5), (3, -5)):
        row = {"id": f"s{number}", "attempt": number, "created_at": NOW + timedelta(minutes=minutes)}
        async with database.write() as session:
            known = MetaData()
            await (await session.connection()).run_sync(known.reflect)
            await session.execute(insert(known.tables["submissions"]).values(first | row))
    await database.upgrade()
    async with database.read() as session:
        assert (await session.scalars(select(Submission.id).order_by(Submission.arrival))).all() == ["s3", "s1", "s2"]


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


@on_both
async def test_tables_that_are_made_anew_keep_the_rows_that_point_to_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(database, REVISIONS[-1])

    def make_anew(connection: Connection) -> None:
        from alembic.operations import Operations
        from alembic.runtime.migration import MigrationContext

        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("submissions", recreate="auto") as batch:
            batch.alter_column("filename", nullable=True)

    monkeypatch.setattr(revisions, "upgrade", make_anew)
    await database.upgrade()
    async with database.read() as session:
        assert (await session.get_one(Submission, "s1")).student == "Иванов"
        assert len((await session.execute(select(Base.metadata.tables["reports"]))).all()) == 1


@on_both_thoroughly
@pytest.mark.parametrize("revision", ["0010", "0011"])
async def test_every_grade_is_what_it_was(database: Database, revision: str) -> None:
    plain = load_assignments(None)["lstm-layer"]
    rules = {"deadline": Deadline(due=NOW, late_percent_per_day=10), "attempts": Attempts(counts="last")}
    assignments = {"best": plain.model_copy(update={"id": "best"}), "last": plain.model_copy(update=rules)}
    await filled(database, revision)
    histories: dict[tuple[str, str], list[Attempt]] = {}
    async with database.write() as session:
        known = MetaData()
        await (await session.connection()).run_sync(known.reflect)
        submissions, reports = known.tables["submissions"], known.tables["reports"]
        first = dict((await session.execute(select(submissions))).mappings().one())
        for number in range(60):
            student, assignment_id, attempt = f"s{number % 5}", sorted(assignments)[number % 2], number // 10 + 1
            created_at = NOW + timedelta(days=number % 7 - 3)
            points = None if number % 11 == 0 else float(number * 37 % 101)
            held_at = NOW if number % 13 == 0 else None
            row = {"id": f"new{number}", "student": student, "assignment_id": assignment_id, "attempt": attempt}
            if revision == "0011" and attempt == 1:
                ids = {"membership_id": f"m-{student}", "course_assignment_id": f"ca-{assignment_id}"}
                await in_default_course(session, known, student, assignment_id, ids)
            if revision == "0011":
                row |= {"membership_id": f"m-{student}", "course_assignment_id": f"ca-{assignment_id}"}
            times = {"created_at": created_at, "held_at": held_at}
            if database.is_sqlite:
                times = {name: value and value.replace(tzinfo=None) for name, value in times.items()}
            await session.execute(insert(submissions).values({**first, **row, **times}))
            report = {"id": 100 + number, "submission_id": row["id"], "created_at": times["created_at"], "body": {}}
            found = {"status": "passed", "points": points, "max_points": 100.0}
            await session.execute(insert(reports).values({**report, **found}))
            history = histories.setdefault((student, assignment_id), [])
            history.append(Attempt(attempt, created_at, points, 100.0, points is None, held_at is not None))
    await database.upgrade()
    async with database.read() as session:
        compared = 0
        for submission in await session.scalars(select(Submission).where(Submission.id.startswith("new"))):
            of_student = histories[submission.student, submission.assignment_id]
            before = grade_by_rules(assignments[submission.assignment_id], of_student, submission.attempt)
            now = await grades_of(session, assignments, submission)
            assert now.attempt == before
            assert now.counted is not None
            if before is not None:
                assert (now.counted.points, now.counted.attempt) == (before.counting_points, before.counting_attempt)
                compared += 1
    assert compared > 40


async def in_default_course(
    session: AsyncSession, known: MetaData, student: str, assignment_id: str, ids: dict[str, str]
) -> None:
    """Add a member and a course assignment of these ids, if they are not there, as revision 0011 had them."""
    now = NOW.replace(tzinfo=None) if session.get_bind().dialect.name == "sqlite" else NOW
    course = {"course_id": DEFAULT_COURSE, "created_at": now}
    rows: list[tuple[str, dict[str, Any]]] = [
        ("people", {"id": f"p-{student}", "created_at": now}),
        (
            "memberships",
            {
                "id": ids["membership_id"],
                "person_id": f"p-{student}",
                "role": "student",
                "external_id": student,
                **course,
            },
        ),
        (
            "course_assignments",
            {"id": ids["course_assignment_id"], "assignment_id": assignment_id, "rules": {}, **course},
        ),
    ]
    for name, row in rows:
        table = known.tables[name]
        if (await session.execute(select(table.c.id).where(table.c.id == row["id"]))).one_or_none() is None:
            await session.execute(insert(table).values(row))
