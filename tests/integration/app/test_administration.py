"""Tokens, regrades and deletions from a shell, and what `doctor` says of the database."""

import asyncio
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Update, column, select, table, update
from typer.testing import CliRunner

from app.access import tokens
from app.cli import cli
from app.courses import people
from app.courses.people import PersonRecord
from app.operations.inspection import inspect_database
from app.settings import Settings
from app.storage.models import DEFAULT_COURSE, Membership, Person, Role, Submission, Token
from app.storage.paging import Paging
from grader.report.model import Report, Status
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import REPORT, add, claim, finish, graded, next_claim, opened
from tests.ports import free_port
from tests.postgresql import running_postgresql


async def valid_token(url: str, secret: str) -> Token | None:
    async with opened(url) as database, database.read() as session:
        return await tokens.find_token(session, tokens.hash_secret(secret))


@on_both
def test_token_is_made_listed_and_ended(run, url):
    creation = run("tokens", "create", "For Ivanov", "--student", " ivanov ", "--days", "30")
    assert creation.exit_code == 0
    secret, link = creation.stdout.split()
    assert link == f"http://127.0.0.1:8000/enter?token={secret}"
    token = asyncio.run(valid_token(url, secret))
    assert (token.role, token.student, token.name) == (Role.SUBMITTER, "ivanov", "For Ivanov")
    assert token.expires_at is not None
    listed = run("tokens", "list").stdout
    assert token.id in listed
    assert "For Ivanov (ivanov)" in listed
    assert secret not in listed
    assert run("tokens", "revoke", token.id).exit_code == 0
    assert asyncio.run(valid_token(url, secret)) is None
    assert "revoked" in run("tokens", "list").stdout


async def change(url: str, statement: Update) -> None:
    async with opened(url) as database, database.write() as session:
        await session.execute(statement)


async def grade(url: str, **reports: Report) -> None:
    """Hand in for each of these students, and store the report."""
    async with opened(url) as database:
        for student, report in reports.items():
            await graded(database, student, report)


async def grade_next(url: str) -> None:
    """Let a worker take the next submission, and find it right."""
    async with opened(url) as database:
        assert await finish(database, await next_claim(database))


@on_both_thoroughly
def test_submissions_are_queued_to_be_graded_again(run, url):
    async def queued() -> list[str]:
        async with opened(url) as database, database.read() as session:
            return list(await session.scalars(select(Submission.student).where(Submission.job_status == "queued")))

    asyncio.run(grade(url, ivanov=REPORT.model_copy(update={"status": Status.FAILED}), petrov=REPORT))
    assert "0 of 0 submissions" in run("regrade", "--since", "2100-01-01").stdout
    regrade = run("regrade", "--status", "failed")
    assert regrade.exit_code == 0
    assert "0 of 1 submissions" in regrade.stdout
    assert asyncio.run(queued()) == ["ivanov"]


@on_both_thoroughly
def test_preview_is_begun_and_applied_or_dropped(run, url):
    asyncio.run(grade(url, ivanov=REPORT.model_copy(update={"status": Status.FAILED, "points": 10.0})))

    first = run("regrade", "--all", "--preview").stdout.split(":")[0]
    refused = run("regrades", "apply", first)
    assert (refused.exit_code, "0 of 1" in refused.stderr) == (2, True)
    assert "a preview, dropped" in run("regrades", "drop", first).stdout
    second = run("regrade", "--all", "--preview").stdout.split(":")[0]
    asyncio.run(grade_next(url))
    assert re.search(r"1 of 1 .*, 1 changed; a preview, applied", run("regrades", "apply", second).stdout)
    refused = run("regrades", "drop", second)
    assert (refused.exit_code, "The preview was applied" in refused.stderr) == (2, True)


def test_regrade_that_is_waited_for_prints_the_changes(run, url, monkeypatch):
    asyncio.run(grade(url, ivanov=REPORT.model_copy(update={"status": Status.FAILED, "points": 10.0})))
    monkeypatch.setattr("app.commands.regrades.asyncio", SimpleNamespace(sleep=lambda _: grade_next(url)))
    progress, changed = run("regrade", "--all", "--wait").stdout.splitlines()
    assert progress.endswith("1 of 1 submissions are graded again, 1 changed")
    assert changed.endswith("ivanov, lstm-layer, attempt 1: failed 10 -> passed 100")


async def known(url: str) -> list[PersonRecord]:
    async with opened(url) as database, database.read() as session:
        return await people.list_people(session, Paging(10))


@on_both
def test_person_is_exported_and_deleted_by_whatever_an_operator_has_in_hand(run, url, tmp_path):
    asyncio.run(grade(url, ivanov=REPORT, petrov=REPORT))
    asyncio.run(change(url, update(Person).values(name="Иван Иванов", email="Ivan@example.org")))
    sidorov, ivanov = asyncio.run(known(url))
    file = tmp_path / "ivanov.zip"
    for who in (ivanov.person.id, ivanov.memberships[0].id, " ivanov "):
        assert run("people", "export", who, "--output", str(file)).exit_code == 0
        with zipfile.ZipFile(file) as archive:
            assert archive.namelist()[-1] == "manifest.json"
            assert b"ivanov" in archive.read("memberships.json")
        assert file.stat().st_mode & 0o077 == 0
        refused = run("people", "export", who, "--output", str(file))
        assert (refused.exit_code, "File exists" in refused.stderr) == (2, True)
        file.unlink()
    for who in ("иван иванов", "ivan@EXAMPLE.org"):
        refused = run("people", "delete", who, "--yes")
        assert refused.exit_code == 2
        assert f"several people are {who!r}; name one by the id" in refused.stderr
        assert {ivanov.person.id, sidorov.person.id} <= set(refused.stderr.split())
    assert run("people", "delete", "ivanov").exit_code == 1
    assert "submissions: 1" in run("people", "delete", "ivanov", "--yes").stdout
    assert "nobody is 'ivanov'" in run("people", "delete", "ivanov", "--yes").stderr
    assert [each.person.id for each in asyncio.run(known(url))] == [sidorov.person.id]


def test_person_is_deleted_from_one_course_and_a_course_with_everything(run, url):
    asyncio.run(grade(url, ivanov=REPORT, petrov=REPORT))
    other = run("courses", "create", "Other").stdout.strip()
    asyncio.run(change(url, update(Membership).where(Membership.external_id == "ivanov").values(course_id=other)))
    assert "nobody is 'ivanov'" in run("people", "delete", "ivanov", "--course", "Default", "--yes").stderr
    assert "submissions: 1" in run("people", "delete", "ivanov", "--course", other, "--yes").stdout
    assert "submissions: 1" in run("courses", "delete", DEFAULT_COURSE, "--yes").stdout
    assert asyncio.run(known(url)) == []


@pytest.mark.thorough
def test_upgrade_waits_for_a_postgresql_that_does_not_answer_yet():
    with running_postgresql() as server:
        environment = {"LSTM_GRADER_DATABASE_URL": server.new_database()}
        server.stop()
        assert CliRunner().invoke(cli, ["db", "upgrade"], env=environment).exit_code == 3
        command = [str(Path(sys.executable).with_name("lstm-grader")), "db", "upgrade", "--wait", "120"]
        with subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True) as upgrade:
            assert "database_failing" in upgrade.stderr.readline()
            server.start()
            assert "database_upgraded" in upgrade.stderr.read()
        assert upgrade.returncode == 0


def test_database_without_tables_is_named(new_database, monkeypatch):
    monkeypatch.setenv("LSTM_GRADER_DATABASE_URL", new_database())
    ended = CliRunner().invoke(cli, ["tokens", "list"])
    assert ended.exit_code == 2
    assert "lstm-grader db upgrade" in ended.stderr


def inspected(url: str) -> tuple[list[str], bool]:
    """Return the lines of `doctor` about a database, and whether a service could start on it."""
    inspection = asyncio.run(inspect_database(Settings(database_url=url)))
    return inspection.lines, inspection.wrong is None


@on_both
def test_doctor_sees_what_waits_and_changes_nothing(run, url, path):
    async def queue_two_take_one() -> None:
        async with opened(url) as database:
            for student in ("ivanov", "petrov"):
                await add(database, student)
            await claim(database)

    asyncio.run(queue_two_take_one())
    before = {file.name: file.stat().st_mtime_ns for file in path.parent.glob("*")}
    (where, revision, queue), is_usable = inspected(url)
    assert is_usable
    kind, name = ("SQLite", url.removeprefix("sqlite:///")) if url.startswith("sqlite") else ("PostgreSQL", url)
    assert where == f"database: {kind}, {name}"
    assert re.fullmatch(r"revision: \d{4}, the newest", revision)
    assert re.fullmatch(r"queue: 1 waiting \(the oldest upload for \d+ s\), 1 being graded", queue)
    assert {file.name: file.stat().st_mtime_ns for file in path.parent.glob("*")} == before


def test_doctor_sees_what_a_running_service_has_just_written(tmp_path):
    """On SQLite that stands beside the file."""
    url = f"sqlite:///{tmp_path / 'db'}"

    async def look_meanwhile() -> list[str]:
        async with opened(url) as database:
            await database.upgrade()
            await add(database)
            return (await inspect_database(Settings(database_url=url))).lines

    assert asyncio.run(look_meanwhile())[-1].startswith("queue: 1 waiting")


@on_both
def test_doctor_sees_tables_of_another_version(run, url):
    def set_revision(revision: str) -> None:
        versions = table("alembic_version", column("version_num"))
        asyncio.run(change(url, update(versions).values(version_num=revision)))

    set_revision("0024")
    (_, second, *_), is_usable = inspected(url)
    assert second.startswith("revision: 0024, the newest is")
    assert is_usable is url.startswith("sqlite")
    set_revision("9999")
    (_, second, *_), is_usable = inspected(url)
    assert "the database is at revision 9999, which a newer lstm-grader has made" in second
    assert not is_usable


def test_doctor_says_why_a_database_cannot_be_used_not_the_password_and_makes_none(tmp_path):
    folder = tmp_path / "data"
    (line,), is_usable = inspected(f"sqlite:///{folder / 'db'}")
    assert (is_usable, line.endswith("not there yet; a service makes it when it starts")) == (True, True)
    assert not folder.exists()
    (tmp_path / "text").write_text("no database " * 1000)
    (_, reason), is_usable = inspected(f"sqlite:///{tmp_path / 'text'}")
    assert (is_usable, reason) == (False, "it cannot be used: file is not a database")
    port = free_port()
    lines, is_usable = inspected(f"postgresql://grader:verysecret@127.0.0.1:{port}/grader?sslpassword=verysecret")
    assert not is_usable
    assert lines[0] == f"database: PostgreSQL, postgresql://grader:***@127.0.0.1:{port}/grader"
    assert "verysecret" not in " ".join(lines)
