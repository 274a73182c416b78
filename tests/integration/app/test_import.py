"""An SQLite database that is copied into PostgreSQL."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import select, text
from typer.testing import CliRunner

from app.cli import cli
from app.operations import backup
from app.queue import hold_data_dir
from app.storage.models import Base, Change
from tests.integration.app.rows import opened
from tests.integration.app.test_migrations import NOW, REVISIONS, filled


@pytest.fixture(scope="module")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "data"
    asyncio.run(fill_file(folder / "lstm-grader.sqlite3", REVISIONS[-1]))
    return folder


@pytest.fixture
def source(filled_folder: Path, path: Path) -> Path:
    """The file of a database with a row in every table."""
    shutil.copytree(filled_folder, path.parent)
    return path


async def fill_file(path: Path, revision: str) -> None:
    path.parent.mkdir()
    async with opened(f"sqlite:///{path}") as database:
        assert database.file
        database.file.create()
        await filled(database, revision)


async def import_file(file: Path, url: str) -> Result:
    return await asyncio.to_thread(
        CliRunner().invoke, cli, ["db", "import", str(file)], env={"LSTM_GRADER_DATABASE_URL": url}
    )


def new_change(number: int) -> Change:
    about = {"subject": "member", "subject_id": "m1", "before": {}, "after": {"group": str(number)}}
    return Change(course_id="c1", membership_id="m1", made_by="x", created_at=NOW, **about)


async def rows_of(url: str) -> dict[str, list[Sequence[Any]]]:
    async with opened(url) as database, database.read() as session:
        return {
            table.name: sorted(map(tuple, (await session.execute(select(table))).all()), key=repr)
            for table in Base.metadata.sorted_tables
        }


@pytest.mark.parametrize("batch", [1, pytest.param(backup.BATCH, marks=pytest.mark.thorough)])
async def test_every_row_is_copied_and_numbers_go_on(source, new_database, monkeypatch, batch):
    monkeypatch.setattr(backup, "BATCH", batch)
    url = new_database()
    async with opened(f"sqlite:///{source}") as database, database.write() as session:
        session.add_all(map(new_change, range(4)))
    before = await rows_of(f"sqlite:///{source}")
    assert all(before.values())
    result = await import_file(source, url)
    assert result.exit_code == 0, result.output
    assert f"copied {sum(map(len, before.values()))} rows" in result.output
    assert await rows_of(url) == before
    assert await rows_of(f"sqlite:///{source}") == before

    async with opened(url) as database:
        await database.check_revision()
        async with database.write() as session:
            session.add(change := new_change(5))
            await session.flush()
            assert change.id > max(row[0] for row in before["changes"])


async def test_copy_of_a_running_service_is_taken_and_its_file_is_not(source, new_database, tmp_path):
    copy = tmp_path / "copy.sqlite3"
    async with opened(f"sqlite:///{source}") as database:
        await database.back_up(copy)
    url = new_database()
    with hold_data_dir(source.parent):
        refused = await import_file(source, url)
        taken = await import_file(copy, url)
    assert (refused.exit_code, "another service uses" in refused.stderr) == (2, True)
    assert taken.exit_code == 0, taken.output
    assert await rows_of(url) == await rows_of(f"sqlite:///{source}")


async def test_refused_copy_changes_nothing(source, new_database, empty_postgresql, tmp_path):
    filled_already = new_database()
    assert (await import_file(source, filled_already)).exit_code == 0
    there = await rows_of(filled_already)
    again = await import_file(source, filled_already)
    assert (again.exit_code, "already holds data" in again.stderr) == (2, True)
    assert await rows_of(filled_already) == there

    empty = new_database(empty_postgresql)
    async with opened(f"sqlite:///{source}") as database, database.write() as session:
        await session.execute(text("UPDATE reports SET grader_version = 'a' || char(0) || 'b'"))
    damaged = await import_file(source, empty)
    assert (damaged.exit_code, "a row of the table reports cannot be copied" in damaged.stderr) == (2, True)
    assert {name for name, rows in (await rows_of(empty)).items() if rows} == {"courses"}

    missing = await import_file(tmp_path / "none", empty)
    assert (missing.exit_code, "cannot be imported: there is no such file" in missing.stderr) == (2, True)
    elsewhere = await import_file(source, f"sqlite:///{tmp_path / 'other'}")
    assert (elsewhere.exit_code, "set LSTM_GRADER_DATABASE_URL" in elsewhere.stderr) == (2, True)


async def test_file_of_an_earlier_version_is_upgraded_first(path, new_database):
    await fill_file(path, REVISIONS[-2])
    refused = await import_file(path, new_database())
    assert refused.exit_code == 2
    assert "is of an older version" in " ".join(refused.stderr.split())
