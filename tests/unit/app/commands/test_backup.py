"""A copy that was made while the service ran brings back what there was then."""

import asyncio
import contextlib
import resource
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.settings import Settings
from tests.unit.app.calls import hand_in, students
from tests.unit.app.conftest import running

REVISION = "SELECT version_num FROM alembic_version"


def run(settings: Settings, *arguments: object, **environment: str) -> Result:
    environment["LSTM_GRADER_DATA_DIR"] = str(settings.data_dir)
    return CliRunner().invoke(cli, list(map(str, arguments)), env=environment)


async def test_a_restored_copy_has_all_of_its_time(settings, grader, tmp_path):
    copy = tmp_path / "copy.sqlite3"
    async with running(settings, grader) as service:
        await hand_in(service, "Анна", b"# of Anna")
        assert run(settings, "db", "backup", copy).exit_code == 0
        await hand_in(service, "Пётр")
        refused = run(settings, "db", "restore", copy)
        assert (refused.exit_code, "another service uses" in refused.stderr) == (2, True)
    assert copy.stat().st_mode & 0o077 == 0

    restored = run(settings, "db", "restore", copy)
    assert restored.exit_code == 0, restored.stderr

    async with running(settings, grader) as service:
        assert await students(service) == ["Анна"]
        async with service.client() as client:
            (item,) = (await client.get("/api/v1/submissions")).json()["items"]
            assert item["status"] == "passed"
            assert (await client.get(item["links"]["file"])).content == b"# of Anna"
        await hand_in(service, "Иван")
    before = settings.data_dir / "lstm-grader.sqlite3.before-restore"
    assert str(before) in restored.stdout
    assert query(before, "SELECT count(*) FROM submissions") == 2


def test_each_restore_keeps_what_was_there_before(settings, tmp_path):
    make_database(tmp_path / "copy")
    (tmp_path / "copy").chmod(0o400)
    database = settings.data_dir / "lstm-grader.sqlite3"
    assert run(settings, "db", "restore", tmp_path / "copy").exit_code == 0
    assert query(database, REVISION) == "0024"
    assert database.with_name(f"{database.name}.marker").exists()
    database.write_bytes(b"damaged" * 1000)
    for kept in ("before-restore", "before-restore-2", "before-restore-3"):
        restored = run(settings, "db", "restore", tmp_path / "copy")
        assert restored.exit_code == 0, restored.stderr
        assert f"{database}.{kept}" in restored.stdout
    assert query(database, REVISION) == "0024"
    assert database.with_name(f"{database.name}.before-restore").read_bytes().startswith(b"damaged")
    elsewhere = tmp_path / "new" / "db"
    url = f"sqlite:///{elsewhere}"
    assert run(settings, "db", "restore", tmp_path / "copy", LSTM_GRADER_DATABASE_URL=url).exit_code == 0
    assert query(elsewhere, REVISION) == "0024"


def make_database(path: Path, revision: str = "0024") -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", [revision])
        connection.execute("CREATE TABLE submissions (id TEXT)")
        connection.commit()


def query(path: Path, sql: str) -> Any:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchone()[0]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("missing", "there is no such file"),
        (
            "no database",
            "it is damaged, or `db backup` has not made it (file is not a database). Choose another backup",
        ),
        ("cut off", "it is damaged, or `db backup` has not made it"),
        ("unreadable", "it cannot be read (unable to open database file). Copy it, with the file copy-wal beside it"),
        ("of another program", "it is not a database of lstm-grader"),
        ("newer", "a newer lstm-grader has made it"),
    ],
)
def test_file_that_is_no_copy_replaces_nothing(settings, tmp_path, damage, reason):
    settings.data_dir.mkdir()
    make_database(settings.data_dir / "lstm-grader.sqlite3")
    copy = tmp_path / "copy"
    match damage:
        case "no database":
            copy.write_bytes(b"PK\x03\x04" * 1000)
        case "cut off":
            make_database(copy)
            copy.write_bytes(copy.read_bytes()[:5000])
        case "unreadable":
            make_database(copy)
            # SQLite opens no log there, as in a folder where it may write nothing.
            copy.with_name("copy-wal").mkdir()
        case "of another program":
            with contextlib.closing(sqlite3.connect(copy)) as connection:
                connection.execute("CREATE TABLE recipes (name)")
        case "newer":
            make_database(copy, "9999")
    result = run(settings, "db", "restore", copy)
    assert (result.exit_code, f"copy cannot be restored: {reason}" in result.stderr) == (2, True), result.stderr
    assert copy.exists() is (damage != "missing")
    assert query(settings.data_dir / "lstm-grader.sqlite3", REVISION) == "0024"


def test_a_copy_that_cannot_be_written_leaves_nothing(settings, tmp_path):
    settings.data_dir.mkdir()
    make_database(settings.data_dir / "lstm-grader.sqlite3")
    for target in (tmp_path / "missing" / "copy", Path("/proc/copy")):
        result = run(settings, "db", "backup", target)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert str(target.parent) in result.stderr
    with contextlib.closing(sqlite3.connect(settings.data_dir / "lstm-grader.sqlite3")) as connection:
        connection.execute("CREATE TABLE filler (bytes)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(200000))")
        connection.commit()
    # Like a full disk: no file may grow beyond this.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        result = run(settings, "db", "backup", tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_postgresql_is_backed_up_elsewhere(settings, tmp_path):
    url = "postgresql://nobody@127.0.0.1/nothing"
    result = run(settings, "db", "backup", tmp_path / "copy", LSTM_GRADER_DATABASE_URL=url)
    assert (result.exit_code, "pg_dump" in result.stderr) == (2, True)


async def test_old_submissions_are_deleted_by_a_command_while_the_service_runs(settings, grader):
    async with running(settings, grader) as service:
        await hand_in(service, "Анна")
        # In a thread: the command runs an event loop of its own.
        refused = await asyncio.to_thread(run, settings, "db", "prune", "--older-than-days", "0")
        assert (refused.exit_code, "with their reports: 1. Delete them?" in refused.output) == (1, True)
        assert await students(service) == ["Анна"]
        pruned = await asyncio.to_thread(run, settings, "db", "prune", "--older-than-days", "0", "--yes")
        assert pruned.stdout == "submissions: 1\n"
        assert await students(service) == []
