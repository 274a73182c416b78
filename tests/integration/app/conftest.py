"""Databases of both kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.access import tokens
from app.access.tokens import Principal
from app.storage.database import Database
from tests.integration.app.rows import url_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "lstm-grader.sqlite3"


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(anyio_backend: str, path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    database = Database(url_of(request.param, path, request))
    await database.upgrade()
    yield database
    await database.close()


@pytest.fixture
async def owner(database: Database) -> Principal:
    async with database.write() as session:
        token = await tokens.set_owner_token(session, "0" * 64)
    return Principal(token.id, token.role)
