"""Tokens and regrades from a shell, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from app import tokens
from app.cli import cli
from app.database import Database
from app.jobs import claims
from app.models import Role, Token
from app.tokens import Principal
from grader.report import Status
from tests.integration.test_database import REPORT, add, claim, url_of

Run = Callable[..., Result]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    url = url_of(request.param, tmp_path / "lstm-grader.sqlite3", request)
    monkeypatch.setenv("LSTM_GRADER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LSTM_GRADER_DATABASE_URL", url)
    return url


@pytest.fixture
def run(url: str) -> Run:
    async def prepare() -> None:
        database = Database(url)
        await database.upgrade()
        async with database.write() as session:
            await tokens.set_owner_token(session, "0" * 64)
        await database.close()

    asyncio.run(prepare())
    return lambda *arguments: CliRunner().invoke(cli, arguments)


async def found(url: str, secret: str) -> Token | None:
    database = Database(url)
    async with database.read() as session:
        token = await tokens.find_token(session, tokens.hash_secret(secret))
    await database.close()
    return token


def test_token_is_made_listed_and_ended(run: Run, url: str) -> None:
    made = run("tokens", "create", "For Ivanov", "--student", " ivanov ", "--days", "30")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    token = asyncio.run(found(url, secret))
    assert token is not None
    assert (token.role, token.student, token.name) == (Role.SUBMITTER, "ivanov", "For Ivanov")
    assert token.expires_at is not None
    listed = run("tokens", "list").stdout
    assert token.id in listed
    assert "For Ivanov (ivanov)" in listed
    assert secret not in listed
    assert run("tokens", "revoke", token.id).exit_code == 0
    assert asyncio.run(found(url, secret)) is None
    assert "revoked" in run("tokens", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tokens", "create", "x", "--role", "god"), "role"),
        (("tokens", "create", "owner", "--role", "admin"), "owner"),
        (("tokens", "create", "x", "--role", "teacher", "--student", "ivanov"), "student"),
        (("tokens", "revoke", "nothing"), "nothing"),
        (("regrade",), "--all"),
        (("regrade", "--all", "--student", "ivanov"), "--all"),
        (("regrade", "nothing"), "submissions"),
        (("regrade", "--status", "good"), "status"),
    ],
)
def test_what_cannot_be_is_named(run: Run, arguments: tuple[str, ...], said: str) -> None:
    ended = run(*arguments)
    assert ended.exit_code == 2
    assert said in ended.stderr
    assert ended.stdout == ""


def test_submissions_are_queued_to_be_graded_again(run: Run, url: str) -> None:
    async def graded() -> None:
        database = Database(url)
        async with database.read() as session:
            owner = await tokens.find_token(session, "0" * 64)
        assert owner is not None
        for student, status in (("ivanov", Status.FAILED), ("petrov", Status.PASSED)):
            await add(database, Principal.of(owner), student)
            taken = await claim(database)
            assert taken is not None
            async with database.write() as session:
                assert await claims.finish(session, taken, REPORT.model_copy(update={"status": status}))
        await database.close()

    async def queued() -> tuple[list[str], int]:
        database = Database(url)
        async with database.read() as session:
            students = (
                await session.scalars(text("SELECT student FROM submissions WHERE job_status = 'queued'"))
            ).all()
            jobs = len(students)
            if not database.is_sqlite:
                jobs = await session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) or 0
        await database.close()
        return list(students), jobs

    asyncio.run(graded())
    begun = run("regrade", "--status", "failed")
    assert begun.exit_code == 0
    assert "0 of 1 submissions" in begun.stdout
    assert asyncio.run(queued()) == (["ivanov"], 1)


def test_database_that_was_never_served_is_named(url: str) -> None:
    ended = CliRunner().invoke(cli, ["tokens", "list"])
    assert ended.exit_code == 2
    assert "lstm-grader db upgrade" in ended.stderr
