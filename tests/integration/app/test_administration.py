"""Tokens, regrades and deletions from a shell, and what `doctor` says of the database."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import column, select, table, update
from sqlalchemy.ext.asyncio import AsyncSession
from typer.testing import CliRunner

from app.access import tokens
from app.cli import cli
from app.courses import people
from app.operations.inspection import inspect_database
from app.settings import Settings
from app.storage.models import DEFAULT_COURSE, Membership, Person, Role, Submission
from app.storage.paging import Paging
from grader.report.model import Status
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import (
    REPORT,
    add,
    all_of,
    claim,
    finish,
    graded,
    next_claim,
    opened,
    read_by,
    store,
    write_by,
)
from tests.ports import free_port
from tests.postgresql import running_postgresql


@on_both
async def test_token_is_made_listed_and_ended(run, database):
    creation = await run("tokens", "create", "For Ivanov", "--student", " ivanov ", "--days", "30")
    assert creation.exit_code == 0
    secret, link = creation.stdout.split()
    assert link == f"http://127.0.0.1:8000/enter?token={secret}"
    token = await read_by(database, tokens.find_token, tokens.hash_secret(secret))
    assert (token.role, token.student, token.name) == (Role.SUBMITTER, "ivanov", "For Ivanov")
    assert token.expires_at is not None
    listed = (await run("tokens", "list")).stdout
    assert token.id in listed
    assert "For Ivanov (ivanov)" in listed
    assert secret not in listed
    assert (await run("tokens", "revoke", token.id)).exit_code == 0
    assert await read_by(database, tokens.find_token, tokens.hash_secret(secret)) is None
    assert "revoked" in (await run("tokens", "list")).stdout


@on_both_thoroughly
async def test_submissions_are_queued_to_be_graded_again(run, database):
    await graded(database, "ivanov", REPORT.model_copy(update={"status": Status.FAILED}))
    await graded(database, "petrov")
    assert "0 of 0 submissions" in (await run("regrade", "--since", "2100-01-01")).stdout
    regrade = await run("regrade", "--status", "failed")
    assert regrade.exit_code == 0
    assert "0 of 1 submissions" in regrade.stdout
    queued = select(Submission.student).where(Submission.job_status == "queued")
    assert await all_of(database, queued) == ["ivanov"]


@on_both_thoroughly
async def test_preview_is_begun_and_applied_or_dropped(run, database):
    await graded(database, "ivanov", REPORT.model_copy(update={"status": Status.FAILED, "points": 10.0}))

    first = (await run("regrade", "--all", "--preview")).stdout.split(":")[0]
    refused = await run("regrades", "apply", first)
    assert (refused.exit_code, "0 of 1" in refused.stderr) == (2, True)
    assert "a preview, dropped" in (await run("regrades", "drop", first)).stdout
    second = (await run("regrade", "--all", "--preview")).stdout.split(":")[0]
    assert await finish(database, await next_claim(database))
    assert re.search(r"1 of 1 .*, 1 changed; a preview, applied", (await run("regrades", "apply", second)).stdout)
    refused = await run("regrades", "drop", second)
    assert (refused.exit_code, "The preview was applied" in refused.stderr) == (2, True)


async def test_regrade_that_is_waited_for_prints_the_changes(run, database, url, monkeypatch):
    async def grade_next(_: float) -> None:  # In the loop of the command.
        async with opened(url) as other:
            assert await finish(other, await next_claim(other))

    await graded(database, "ivanov", REPORT.model_copy(update={"status": Status.FAILED, "points": 10.0}))
    monkeypatch.setattr("app.commands.regrades.asyncio", SimpleNamespace(sleep=grade_next))
    progress, changed = (await run("regrade", "--all", "--wait")).stdout.splitlines()
    assert progress.endswith("1 of 1 submissions are graded again, 1 changed")
    assert changed.endswith("ivanov, lstm-layer, attempt 1: failed 10 -> passed 100")


@on_both
async def test_person_is_exported_and_deleted_by_whatever_an_operator_has_in_hand(run, database, tmp_path):
    for student in ("ivanov", "petrov"):
        await graded(database, student)
    await store(database, Person, name="Иван Иванов", email="Ivan@example.org")
    sidorov, ivanov = await read_by(database, people.list_people, Paging(10))
    file = tmp_path / "ivanov.zip"
    for who in (ivanov.person.id, ivanov.memberships[0].id, " ivanov "):
        assert (await run("people", "export", who, "--output", str(file))).exit_code == 0
        with zipfile.ZipFile(file) as archive:
            assert archive.namelist()[-1] == "manifest.json"
            assert b"ivanov" in archive.read("memberships.json")
        assert file.stat().st_mode & 0o077 == 0
        refused = await run("people", "export", who, "--output", str(file))
        assert (refused.exit_code, "File exists" in refused.stderr) == (2, True)
        file.unlink()
    for who in ("иван иванов", "ivan@EXAMPLE.org"):
        refused = await run("people", "delete", who, "--yes")
        assert refused.exit_code == 2
        assert f"several people are {who!r}; name one by the id" in refused.stderr
        assert {ivanov.person.id, sidorov.person.id} <= set(refused.stderr.split())
    assert (await run("people", "delete", "ivanov")).exit_code == 1
    assert "submissions: 1" in (await run("people", "delete", "ivanov", "--yes")).stdout
    assert "nobody is 'ivanov'" in (await run("people", "delete", "ivanov", "--yes")).stderr
    assert await all_of(database, select(Person.id)) == [sidorov.person.id]


async def test_person_is_deleted_from_one_course_and_a_course_with_everything(run, database):
    for student in ("ivanov", "petrov"):
        await graded(database, student)
    other = (await run("courses", "create", "Other")).stdout.strip()
    await store(database, Membership, Membership.external_id == "ivanov", course_id=other)
    assert "nobody is 'ivanov'" in (await run("people", "delete", "ivanov", "--course", "Default", "--yes")).stderr
    assert "submissions: 1" in (await run("people", "delete", "ivanov", "--course", other, "--yes")).stdout
    assert "submissions: 1" in (await run("courses", "delete", DEFAULT_COURSE, "--yes")).stdout
    assert await all_of(database, select(Person.id)) == []


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


async def inspected(url: str) -> tuple[list[str], bool]:
    """Return the lines of `doctor` about a database, and whether a service could start on it."""
    inspection = await inspect_database(Settings(database_url=url))
    return inspection.lines, inspection.wrong is None


@on_both
async def test_doctor_sees_what_waits_and_changes_nothing(url, path):
    async with opened(url) as database:
        for student in ("ivanov", "petrov"):
            await add(database, student)
        await claim(database)
    before = {file.name: file.stat().st_mtime_ns for file in path.parent.glob("*")}
    (where, revision, queue), is_usable = await inspected(url)
    assert is_usable
    kind, name = ("SQLite", url.removeprefix("sqlite:///")) if url.startswith("sqlite") else ("PostgreSQL", url)
    assert where == f"database: {kind}, {name}"
    assert re.fullmatch(r"revision: \d{4}, the newest", revision)
    assert re.fullmatch(r"queue: 1 waiting \(the oldest upload for \d+ s\), 1 being graded", queue)
    assert {file.name: file.stat().st_mtime_ns for file in path.parent.glob("*")} == before


async def test_doctor_sees_what_a_running_service_has_just_written(database, url):
    """On SQLite that stands beside the file."""
    await add(database)
    assert (await inspected(url))[0][-1].startswith("queue: 1 waiting")


@on_both
async def test_doctor_sees_tables_of_another_version(database, url):
    versions = table("alembic_version", column("version_num"))
    await write_by(database, AsyncSession.execute, update(versions).values(version_num="0024"))
    (_, second, *_), is_usable = await inspected(url)
    assert second.startswith("revision: 0024, the newest is")
    assert is_usable is url.startswith("sqlite")
    await write_by(database, AsyncSession.execute, update(versions).values(version_num="9999"))
    (_, second, *_), is_usable = await inspected(url)
    assert "the database is at revision 9999, which a newer lstm-grader has made" in second
    assert not is_usable


async def test_doctor_says_why_a_database_cannot_be_used_not_the_password_and_makes_none(tmp_path):
    folder = tmp_path / "data"
    (line,), is_usable = await inspected(f"sqlite:///{folder / 'db'}")
    assert (is_usable, line.endswith("not there yet; a service makes it when it starts")) == (True, True)
    assert not folder.exists()
    (tmp_path / "text").write_text("no database " * 1000)
    (_, reason), is_usable = await inspected(f"sqlite:///{tmp_path / 'text'}")
    assert (is_usable, reason) == (False, "it cannot be used: file is not a database")
    port = free_port()
    lines, is_usable = await inspected(f"postgresql://grader:verysecret@127.0.0.1:{port}/grader?sslpassword=verysecret")
    assert not is_usable
    assert lines[0] == f"database: PostgreSQL, postgresql://grader:***@127.0.0.1:{port}/grader"
    assert "verysecret" not in " ".join(lines)
