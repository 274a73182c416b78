"""Arguments and settings that cannot be: one sentence, exit code 2, no traceback."""

from __future__ import annotations

import asyncio
import ctypes
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.access import tokens
from app.cli import cli
from app.courses import members
from app.settings import SECRETS
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Course

# linux/capability.h
CAPABILITY_VERSION_3, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 0x20080522, 1, 2


@pytest.fixture(scope="session")
def owned(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Path:
    """A folder with a database that has an owner's token, to be copied."""
    folder = tmp_path_factory.mktemp("owned") / "data"
    shutil.copytree(empty_sqlite, folder)
    asyncio.run(_add_owner(folder / "lstm-grader.sqlite3"))
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owned: Path) -> Path:
    """Holds a database in `data`, and beside it what is none."""
    shutil.copytree(owned, tmp_path / "data")
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("text")
    (tmp_path / "bytes").write_bytes(bytes(range(256)))
    (tmp_path / "damaged").write_bytes(b"SQLite format 3\0" + bytes(5000))
    (tmp_path / "of another program").write_bytes(b"")
    with sqlite3.connect(tmp_path / "of another program") as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    monkeypatch.setenv("LSTM_GRADER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def _add_owner(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    async with database.write() as session:
        await tokens.set_owner_token(session, "0" * 64)
    await database.close()


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=environment)


def assert_sentence(ended: Result, *said: str) -> None:
    assert isinstance(ended.exception, SystemExit), ended.exception
    assert ended.exit_code == 2
    assert ended.stdout == ""
    for words in said:
        assert words in " ".join(ended.stderr.split())
    for words in ("Traceback", "Errno", "Value error", "all:"):
        assert words not in ended.stderr


LONG = "a" * 300


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("db restore folder", "folder cannot be restored: it is a folder"),
        ("db restore nothing", "nothing cannot be restored: there is no such file"),
        ("db restore bytes", "bytes cannot be restored: it is damaged"),
        ("db restore damaged", "damaged cannot be restored: it is damaged"),
        ("db restore text/x", "text/x cannot be restored"),
        ("db restore /dev/null", "/dev/null cannot be restored"),
        (f"db restore {LONG}", "too long"),
        ("db backup folder", "folder is a folder"),
        ("db backup text", "text is there already"),
        ("db backup no/copy", "there is no folder no"),
        ("db backup text/copy", "there is no folder text"),
        ("db backup /proc/copy", "/proc/copy"),
        (f"db backup {LONG}", "too long"),
        ("db prune --older-than-days nan", "--older-than-days"),
        ("db prune --older-than-days inf", "--older-than-days"),
        ("db prune --older-than-days -1", "--older-than-days"),
        ("tokens create x --days nan", "--days"),
        ("tokens create x --days -1", "--days"),
        (
            "tokens create x --role god",
            "'assistant' or 'submitter' (got 'god')",
        ),
        ("tokens create owner --role admin", "name: this name is the owner's"),
        ("tokens create x --role teacher --student y", "lstm-grader: a student's own token has the role submitter"),
        (f"tokens create {LONG}", "at most 200 characters"),
        ("tokens revoke \udcff", "there is no token"),
        ("regrades apply \udcff", "is not text in UTF-8"),
        ("people export \udcff --output x", "is not text in UTF-8"),
        ("students delete a\tb --yes", "nobody can have this name"),
        ("regrade x", "there is no submission 'x'"),
        ("regrade \udcff", "there is no submission"),
        ("regrade --status good", "status: "),
        ("regrade --since yesterday", "--since"),
        ("grade text --lang de", "'de' is not one of"),
        ("grade text --fail-under inf", "--fail-under is inf"),
        (f"grade text --output {LONG}", "too long"),
        ("batch text --fail-under nan", "--fail-under is nan"),
    ],
)
def test_argument_that_cannot_be_is_named(folder: Path, arguments: str, said: str) -> None:
    assert_sentence(run(*arguments.split(" ")), said)


def test_upgrade_says_that_nothing_is_left_to_do(folder: Path) -> None:
    ended = run("db", "upgrade")
    assert ended.exit_code == 0
    assert re.fullmatch(r"lstm-grader: the tables are of revision \d{4}, the newest\n", ended.stdout)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("folder", "it is a folder; the name of a file is needed"),
        ("nothing", "there is no such file"),
        ("bytes", "it is damaged, or not a backup"),
        ("damaged", "it is damaged, or not a backup"),
        ("of another program", "it is not a database of lstm-grader"),
        ("/dev/null", "it is empty, or no file"),
    ],
)
def test_file_that_cannot_be_imported_is_named_before_postgresql_is_asked(folder: Path, file: str, said: str) -> None:
    ended = run("db", "import", file, LSTM_GRADER_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert_sentence(ended, f"{file} cannot be imported: {said}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("batch", ""),
        ("grade", ""),
        ("grade", "text", "--output="),
        ("db", "backup", ""),
        ("db", "restore", ""),
        ("students", "delete", "", "--yes"),
        ("tokens", "create", "x", "--student", ""),
        ("regrade", "--student", ""),
    ],
)
def test_empty_argument_is_no_path_and_no_name(folder: Path, arguments: tuple[str, ...]) -> None:
    """`batch "$COURSE"` without that variable would grade whatever lies in the current folder."""
    assert_sentence(run(*arguments), "an argument is empty")


@pytest.mark.parametrize("command", ["tokens list", "db upgrade", "db backup copy", "db restore text"])
@pytest.mark.parametrize("place", ["text", "text/below"])
def test_data_folder_that_is_none_is_named(folder: Path, command: str, place: str) -> None:
    assert_sentence(run(*command.split(), LSTM_GRADER_DATA_DIR=str(folder / place)), str(folder / "text"))
    assert (folder / "text").read_text() == "text"
    assert not (folder / "copy").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("folder", "is a folder"), ("of another program", "a database of another program"), ("nothing", "no database")],
)
@pytest.mark.parametrize("command", ["tokens list", "regrade --all", "db prune --older-than-days 1"])
def test_database_that_is_none_of_ours_is_named(folder: Path, command: str, name: str, said: str) -> None:
    ended = run(*command.split(), LSTM_GRADER_DATABASE_URL=f"sqlite:///{folder / name}")
    assert_sentence(ended, str(folder / name), said)


def test_damaged_database_is_named_with_what_to_do(folder: Path) -> None:
    ended = run("tokens", "list", LSTM_GRADER_DATABASE_URL=f"sqlite:///{folder / 'bytes'}")
    assert ended.exit_code == 3
    assert f"the database {folder / 'bytes'} cannot be used" in ended.stderr
    assert "lstm-grader db restore FILE" in ended.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("DATABASE_URL", "mysql://x", "LSTM_GRADER_DATABASE_URL: expected"),
        ("DATABASE_URL", "postgresql://host:port/name", "LSTM_GRADER_DATABASE_URL: expected"),
        ("OWNER_TOKEN", "short", "LSTM_GRADER_OWNER_TOKEN: expected"),
        ("OWNER_TOKEN_FILE", "bytes", "LSTM_GRADER_OWNER_TOKEN_FILE: bytes is not text in UTF-8"),
        ("OWNER_TOKEN_FILE", "folder", "LSTM_GRADER_OWNER_TOKEN_FILE: folder: Is a directory"),
        ("OWNER_TOKEN_FILE", "nothing", "LSTM_GRADER_OWNER_TOKEN_FILE: nothing: No such file"),
        ("PUBLIC_URL", "x", "LSTM_GRADER_PUBLIC_URL: expected"),
        ("SHUTDOWN_SECONDS", "nan", "LSTM_GRADER_SHUTDOWN_SECONDS: "),
        ("PORT", "x", "LSTM_GRADER_PORT: expected a whole number (got 'x')"),
        ("PORT", "70000", "LSTM_GRADER_PORT: expected at most 65535 (got '70000')"),
        ("QUEUE_SECONDS", "0", "LSTM_GRADER_QUEUE_SECONDS: expected more than 0 (got '0')"),
        ("BEHIND_PROXY", "perhaps", "LSTM_GRADER_BEHIND_PROXY: expected true or false (got 'perhaps')"),
        ("ACCEPT_MISSING", "x", "LSTM_GRADER_ACCEPT_MISSING: expected"),
    ],
)
def test_setting_that_cannot_be_is_named(folder: Path, variable: str, value: str, said: str) -> None:
    assert_sentence(run("tokens", "list", **{f"LSTM_GRADER_{variable}": value}), said)


@pytest.mark.parametrize("variable", [name.upper() for name in SECRETS])
def test_secret_that_cannot_be_is_not_shown(folder: Path, variable: str) -> None:
    ended = run("tokens", "list", **{f"LSTM_GRADER_{variable}": "ge\x01heim"})
    assert_sentence(ended, f"LSTM_GRADER_{variable.partition('_')[0]}")
    assert "heim" not in ended.stderr


@pytest.fixture
def ordinary() -> Iterator[None]:
    """Without root's rights to read and write everything, for a while."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable; the lower and then the upper 32 capabilities.
    before = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, before) == 0
    reduced = (ctypes.c_uint32 * 6)(*before)
    reduced[0] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
    assert libc.capset(header, reduced) == 0
    yield
    assert libc.capset(header, before) == 0


@pytest.mark.usefixtures("ordinary")
def test_file_that_may_not_be_read_is_named(folder: Path) -> None:
    (folder / "text").chmod(0)
    assert_sentence(run("db", "restore", "text"), "text")
    (folder / "folder").chmod(0o500)
    assert_sentence(run("db", "backup", "folder/copy"), "folder/copy")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"LSTM_GRADER_SMTP_HOST": "mail.example.org"}, "mail also needs LSTM_GRADER_SMTP_SENDER"),
        ({"LSTM_GRADER_OIDC_CLIENT_SECRET": "secret-of-x"}, "single sign-on also needs LSTM_GRADER_OIDC_ISSUER"),
        ({"LSTM_GRADER_OIDC_ISSUER": "http://id.example.edu"}, "LSTM_GRADER_OIDC_ISSUER: expected an address"),
    ],
    ids=["mail", "sign_on", "issuer"],
)
def test_settings_that_are_half_set_are_named_and_no_secret_is_shown(
    folder: Path, environment: dict[str, str], said: str
) -> None:
    ended = run("tokens", "list", **environment)
    assert_sentence(ended, f"lstm-grader: {said}")
    assert "secret-of-x" not in ended.stderr


def test_people_are_merged_and_taken_apart(folder: Path) -> None:
    asyncio.run(_add_people(folder / "data" / "lstm-grader.sqlite3"))
    kept, other = [line.split()[0] for line in run("people", "list").stdout.splitlines()]
    assert_sentence(run("people", "merge", kept, kept), "lstm-grader: Somebody cannot be joined with themselves")
    assert_sentence(run("people", "merge", kept, "nobody"), "lstm-grader:")
    assert_sentence(run("people", "unmerge", kept), "lstm-grader:")
    merged = run("people", "merge", kept, other).stdout.strip()
    assert run("people", "list").stdout.count("in no course") == 1
    assert run("people", "unmerge", merged).exit_code == 0
    assert "in no course" not in run("people", "list").stdout
    assert_sentence(run("people", "unmerge", merged), "lstm-grader:")


async def _add_people(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    async with database.write() as session:
        elsewhere = Course(title="Elsewhere", language="en", time_zone="UTC")
        session.add(elsewhere)
        await session.flush()
        for course_id in (DEFAULT_COURSE, elsewhere.id):
            members.add(session, course_id, external_id="ivanov")
    await database.close()
