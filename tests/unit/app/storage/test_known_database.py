"""An SQLite file that is not the one that was there: before a start, and while the service runs."""

import asyncio
import contextlib
import itertools
import os
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.access import tokens
from app.cli import cli
from app.errors.commands import DatabaseForeign, DatabaseLost, DatabaseNewer, DatabaseUnusable
from app.operations import probe
from app.operations.inspection import inspect_database
from app.settings import Settings
from app.storage import engines
from app.storage.database import Database
from app.storage.database_file import DatabaseFile
from tests.tiers import sampled
from tests.unit.app.calls import SUBMISSIONS, assert_problem, upload
from tests.unit.app.conftest import Browser, FakeGrader, running, settings_in
from tests.waiting import until


@pytest.fixture
def path(settings: Settings) -> Path:
    return settings.data_dir / "lstm-grader.sqlite3"


@pytest.fixture(scope="module")
async def killed(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Path:
    """The folder of a service that was killed after one upload: the file, its log and the marker."""
    folder = tmp_path_factory.mktemp("killed")
    settings = settings_in(folder)
    shutil.copytree(empty_sqlite, settings.data_dir)
    async with running(settings, FakeGrader()) as service, service.client() as client:
        assert (await client.post(SUBMISSIONS, params={"wait": 120}, **upload())).status_code == 200
        return Path(shutil.copytree(settings.data_dir, folder / "copy"))


@pytest.fixture
def crashed(settings: Settings, killed: Path, path: Path) -> Path:
    """The file of a service that was killed."""
    shutil.copytree(killed, settings.data_dir)
    return path


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.marker")


def of_another_program(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name)")


def of_a_newer_version(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def of_another_program_with_migrations(path: Path) -> None:
    of_another_program(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('8a7b6c')")
        connection.commit()


def to_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], object], type[Exception], str]] = {
    "moved away": (Path.unlink, DatabaseLost, "is missing"),
    "empty": (lambda path: path.write_bytes(b""), DatabaseLost, "is empty"),
    "log deleted": (lambda path: log_of(path).unlink(), DatabaseLost, "-wal"),
    "another program's": (of_another_program, DatabaseForeign, "another program"),
    "newer": (of_a_newer_version, DatabaseNewer, "newer"),
    "of another program with migrations": (of_another_program_with_migrations, DatabaseForeign, "another program"),
    "a folder": (to_a_folder, DatabaseUnusable, "is a folder"),
}


def files_in(folder: Path) -> set[str]:
    """The names of the files there, apart from those that SQLite makes and deletes as it reads."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(("-shm", "-wal"))}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_known_folder_with_another_database_starts_nothing(settings, grader, crashed, damage):
    do_damage, error, reason = DAMAGES[damage]
    do_damage(crashed)
    before = files_in(crashed.parent)
    assert reason in ((await inspect_database(settings)).wrong or "")
    with pytest.raises(error) as raised:
        async with running(settings, grader):
            pass
    assert reason in str(raised.value)
    assert "{" not in str(raised.value)
    assert files_in(crashed.parent) == before


async def test_a_killed_service_finds_everything_again(settings, grader, crashed):
    async with running(settings, grader) as service, service.client() as client:
        assert len((await client.get(SUBMISSIONS)).json()["items"]) == 1


async def test_without_the_marker_what_is_there_counts(settings, grader, crashed):
    log_of(crashed).unlink()
    beside(crashed).unlink()
    async with running(settings, grader) as service, service.client() as client:
        assert (await client.get(SUBMISSIONS)).json()["items"] == []
    assert beside(crashed).exists()


async def test_a_new_database_is_logged_once_and_open_to_its_owner_alone(settings, grader, path, caplog):
    async with running(settings, grader):
        pass
    assert [record.msg for record in caplog.records].count("database_created") == 1
    caplog.clear()
    async with running(settings, grader):
        pass
    assert "database_created" not in [record.msg for record in caplog.records]
    assert path.stat().st_mode & 0o077 == 0


@pytest.fixture
async def watched(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, grader: FakeGrader, with_tables: None
) -> AsyncIterator[Browser]:
    """A service that probes its database all the time."""
    monkeypatch.setattr(probe, "EVERY_SECONDS", 0.01)
    async with running(settings, grader) as service, service.client() as client:
        yield client


async def until_database(client: Browser, state: str) -> None:
    async def reached() -> bool:
        return bool((await client.get("/readyz")).json()["checks"]["database"] == state)

    await until(reached)


@contextlib.contextmanager
def moved(path: Path) -> Iterator[None]:
    path.rename(path.with_name("elsewhere"))
    yield
    path.with_name("elsewhere").rename(path)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[None]:
    with moved(path):
        shutil.copy(path.with_name("elsewhere"), path)
        yield


@pytest.mark.parametrize("way", sampled(itertools.product(["database", "log"], [moved, replaced]), every=3))
async def test_nothing_is_accepted_into_a_file_that_nobody_will_find(owner, path, way):
    which, damage = way
    assert (await owner.post(SUBMISSIONS, params={"wait": 120}, **upload())).status_code == 200
    with damage(path if which == "database" else log_of(path)):
        problem = assert_problem(await owner.post(SUBMISSIONS, **upload()), 503, "storage-unavailable")
        assert "changed nothing" in problem["detail"]
    assert (await owner.post(SUBMISSIONS, **upload())).status_code == 202
    assert len((await owner.get(SUBMISSIONS)).json()["items"]) == 2


@contextlib.contextmanager
def nearly_full(_: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as disk:
        disk.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12 - 100_000, 100_000))
        yield


@pytest.mark.parametrize("damage", [moved, nearly_full])
async def test_a_service_whose_file_is_gone_or_whose_disk_is_full_is_not_ready_and_makes_no_file(watched, path, damage):
    await until_database(watched, "ok")
    with damage(path):
        await until_database(watched, "failed")
        assert path.exists() == (damage is nearly_full)
    await until_database(watched, "ok")


async def test_an_emptied_file_takes_nothing(settings, grader, with_tables, path, monkeypatch):
    # SQLite waits for a lock of the file that it cannot read.
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MILLISECONDS", 100)
    async with running(settings, grader) as service, service.client() as client:
        os.truncate(path, 0)
        assert_problem(await client.post(SUBMISSIONS, **upload()), 503, "storage-unavailable")


async def test_connections_come_and_go_and_the_log_stays(settings, path):
    """SQLite deletes it with the last connection; commands open and close some meanwhile."""
    database = Database(settings.database_url)
    await database.upgrade()
    held = log_of(path).stat().st_ino
    for number in range(3):
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("SELECT count(*) FROM submissions")
        await database._engine.dispose()
        async with database.write() as session:
            await tokens.set_owner_token(session, f"{number:064}")
    assert log_of(path).stat().st_ino == held
    await database.close()
    assert not log_of(path).exists()


@pytest.mark.parametrize(
    "command",
    ["tokens list", "db backup copy", "regrade --all", "people delete x --yes", "courses list", "lti list"],
)
@pytest.mark.parametrize("marked", [False, True])
def test_a_command_without_a_database_makes_none(settings, path, command, marked, tmp_path):
    if marked:
        settings.data_dir.mkdir()
        DatabaseFile(path).mark(1)
    result = run(settings, *command.replace("copy", str(tmp_path / "copy")).split())
    assert_refused(result, "is missing" if marked else "there is no database")
    assert str(path) in result.stderr
    assert list(path.parent.iterdir() if marked else tmp_path.iterdir()) == ([beside(path)] if marked else [])


async def test_commands_name_a_newer_version_and_give_no_wrong_advice(settings, crashed):
    of_a_newer_version(crashed)
    for command in (("tokens", "list"), ("db", "upgrade"), ("regrade", "--all")):
        result = await asyncio.to_thread(run, settings, *command)
        assert_refused(result, "Install the newer version")
        assert "db upgrade" not in result.stderr
    assert not list(crashed.parent.glob("*.before-*"))


def run(settings: Settings, *arguments: str) -> Result:
    environment = {"LSTM_GRADER_DATA_DIR": str(settings.data_dir)}
    return CliRunner().invoke(cli, arguments, env=environment)


def assert_refused(result: Result, reason: str) -> None:
    assert (result.exit_code, reason in result.stderr) == (2, True), result.output
    assert re.fullmatch(r"lstm-grader: [^\n]+\n", result.stderr)


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite+aiosqlite:///"])
def test_a_database_in_memory_would_keep_nothing(settings, url):
    result = CliRunner().invoke(cli, ["tokens", "list"], env={"LSTM_GRADER_DATABASE_URL": url})
    assert_refused(result, "LSTM_GRADER_DATABASE_URL: ")
