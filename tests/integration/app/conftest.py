"""Databases of both kinds. `kinds` says which tests run on PostgreSQL."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey
from typer.testing import CliRunner, Result

from app.access import tokens
from app.access.tokens import Principal
from app.cli import cli
from app.lti import keys
from app.storage.database import Database
from app.storage.models import utc_now
from app.teaching import letters, news_mail
from tests.integration.app import grade_world
from tests.integration.app.grade_world import World
from tests.integration.app.rows import write_by
from tests.postgresql import Copy, PostgreSQL

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "lstm-grader.sqlite3"


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture(scope="session")
def copy_on_postgresql(postgresql: PostgreSQL, empty_postgresql: str) -> Copy:
    return Copy(postgresql, empty_postgresql)


@pytest.fixture
def url_on_postgresql(copy_on_postgresql: Copy) -> str:
    """The URL of a database with all tables, and without rows. A test that changes its tables needs `new_database`."""
    copy_on_postgresql.restore()
    return copy_on_postgresql.url


@pytest.fixture
def url(kind: str, path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database with all tables, and without rows, of this kind."""
    if kind == "postgresql":
        return request.getfixturevalue("url_on_postgresql")
    shutil.copytree(request.getfixturevalue("empty_sqlite"), path.parent)
    return f"sqlite:///{path}"


@pytest.fixture
async def database(anyio_backend: str, url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        await database.upgrade()
        yield database
    finally:
        await database.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time of the database, as those read it who send stored mail."""
    now = [utc_now()]

    async def database_now(session: object) -> datetime:
        return now[0]

    for module in (letters, news_mail):
        monkeypatch.setattr(module, "database_now", database_now)
    return now


@pytest.fixture
async def owner(database: Database) -> Principal:
    token = await write_by(database, tokens.set_owner_token, "0" * 64)
    return Principal(token.id, token.role)


@pytest.fixture
async def world(database: Database, made_keys: Iterator[RSAKey], monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(keys.RSAKey, "generate_key", lambda bits: next(made_keys))
    return await grade_world.made(database, monkeypatch)


@pytest.fixture
async def run(database: Database, owner: Principal, url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command of ours on a database that has the owner's token."""
    monkeypatch.setenv("LSTM_GRADER_DATA_DIR", str(path.parent))
    monkeypatch.setenv("LSTM_GRADER_DATABASE_URL", url)
    return lambda *arguments: asyncio.to_thread(CliRunner().invoke, cli, arguments)
