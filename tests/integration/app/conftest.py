"""Databases of both kinds."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.access import tokens
from app.access.tokens import Principal
from app.storage.database import Database
from tests.integration.app import grade_world
from tests.integration.app.grade_world import World


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "lstm-grader.sqlite3"


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(anyio_backend: str, path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """A database with all tables, and without rows."""
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("empty_sqlite"), path.parent)
        url = f"sqlite:///{path}"
    else:
        url = request.getfixturevalue("new_database")(request.getfixturevalue("empty_postgresql"))
    database = Database(url)
    await database.upgrade()
    yield database
    await database.close()


@pytest.fixture
async def owner(database: Database) -> Principal:
    async with database.write() as session:
        token = await tokens.set_owner_token(session, "0" * 64)
    return Principal(token.id, token.role)


@pytest.fixture
async def world(database: Database, owner: Principal, monkeypatch: pytest.MonkeyPatch) -> World:
    return await grade_world.made(database, owner, monkeypatch)
