"""Commands refuse what cannot be in one sentence, with exit code 2 and no traceback; courses from a shell."""

import asyncio
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.access import tokens
from app.cli import cli
from app.settings import SECRETS
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE


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


def assert_sentence(ended: Result, *sentence: str) -> None:
    assert isinstance(ended.exception, SystemExit), ended.exception
    assert ended.exit_code == 2
    assert ended.stdout == ""
    for words in sentence:
        assert words in " ".join(ended.stderr.split())
    for words in ("Traceback", "Errno", "Value error", "all:"):
        assert words not in ended.stderr


LONG = "a" * 300


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("db restore folder", "folder cannot be restored: it is a folder; the name of a file is needed"),
        ("db restore /dev/null", "/dev/null cannot be restored: it is empty, or no file"),
        ("db restore text/x", "text/x cannot be restored"),
        (f"db restore {LONG}", "too long"),
        ("db backup folder", "folder is a folder"),
        ("people export nobody --output folder", "folder is a folder"),
        ("db backup text", "text is there already"),
        ("db backup text/copy", "there is no folder text"),
        ("db backup /proc/copy", "/proc/copy"),
        ("db prune --older-than-days nan", "--older-than-days"),
        ("db prune --older-than-days -1", "--older-than-days"),
        ("tokens create x --days -1", "--days"),
        ("tokens create x --role god", "'assistant' or 'submitter' (got 'god')"),
        ("tokens create owner --role admin", "name: this name is the owner's"),
        ("tokens create x --role teacher --student y", "lstm-grader: a student's own token has the role submitter"),
        (f"tokens create {LONG}", "at most 200 characters"),
        ("tokens revoke nothing", "There is no such token"),
        ("tokens create x --course x", "there is no course 'x'"),
        ("courses create x --time-zone Mars", "time_zone: expected a name of the IANA"),
        ("courses archive x", "there is no course 'x'"),
        ("courses delete x", "there is no course 'x'"),
        ("people export \udcff --output x", "is not text in UTF-8"),
        ("people delete a\tb --yes", "nobody is 'a\\tb'"),
        ("people export ivanov --output x", "nobody is 'ivanov'; expected an id"),
        ("regrade \udcff", "submissions: "),
        ("regrade", "--all"),
        ("regrade --all --student ivanov", "--all"),
        ("regrades apply nothing", "There is no such regrade"),
        ("regrade --status good", "status: "),
        ("regrade --since yesterday", "--since"),
        ("grade text --lang de", "'de' is not one of"),
        (f"grade text --output {LONG}", "too long"),
        ("batch text --fail-under nan", "--fail-under is nan"),
    ],
)
def test_argument_that_cannot_be_is_named(folder, arguments, sentence):
    assert_sentence(run(*arguments.split(" ")), sentence)


def test_upgrade_says_that_nothing_is_left_to_do(folder):
    ended = run("db", "upgrade")
    assert ended.exit_code == 0
    assert re.fullmatch(r"lstm-grader: the tables are of revision \d{4}, the newest\n", ended.stdout)


def test_file_that_cannot_be_imported_is_named_before_postgresql_is_asked(folder):
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    ended = run("db", "import", "of another program", LSTM_GRADER_DATABASE_URL=nowhere)
    assert_sentence(ended, "of another program cannot be imported: it is not a database of lstm-grader")


@pytest.mark.parametrize(
    "arguments",
    [
        ("batch", ""),
        ("grade", "text", "--output="),
        ("people", "delete", "", "--yes"),
        ("regrade", "--student", ""),
    ],
)
def test_empty_argument_is_no_path_and_no_name(folder, arguments):
    """`batch "$COURSE"` without that variable would grade whatever lies in the current folder."""
    assert_sentence(run(*arguments), "an argument is empty")


@pytest.mark.parametrize("command", ["tokens list", "db backup copy"])
@pytest.mark.parametrize("place", ["text", "text/below"])
def test_data_folder_that_is_none_is_named(folder, command, place):
    assert_sentence(run(*command.split(), LSTM_GRADER_DATA_DIR=str(folder / place)), str(folder / "text"))
    assert (folder / "text").read_text() == "text"
    assert not (folder / "copy").exists()


@pytest.mark.parametrize(
    ("command", "name", "sentence"),
    [
        ("tokens list", "folder", "is a folder"),
        ("regrade --all", "of another program", "a database of another program"),
    ],
)
def test_database_that_is_none_of_ours_is_named(folder, command, name, sentence):
    ended = run(*command.split(), LSTM_GRADER_DATABASE_URL=f"sqlite:///{folder / name}")
    assert_sentence(ended, str(folder / name), sentence)


def test_damaged_database_is_named_with_what_to_do(folder):
    ended = run("tokens", "list", LSTM_GRADER_DATABASE_URL=f"sqlite:///{folder / 'bytes'}")
    assert ended.exit_code == 3
    assert f"the database {folder / 'bytes'} cannot be used" in ended.stderr
    assert "lstm-grader db restore FILE" in ended.stderr


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://x", "LSTM_GRADER_DATABASE_URL: expected"),
        ("DATABASE_URL", "postgresql://host:port/name", "LSTM_GRADER_DATABASE_URL: expected"),
        ("OWNER_TOKEN_FILE", "bytes", "LSTM_GRADER_OWNER_TOKEN_FILE: bytes is not text in UTF-8"),
        ("OWNER_TOKEN_FILE", "folder", "LSTM_GRADER_OWNER_TOKEN_FILE: folder: Is a directory"),
        ("PUBLIC_URL", "x", "LSTM_GRADER_PUBLIC_URL: expected"),
        ("PORT", "x", "LSTM_GRADER_PORT: expected a whole number (got 'x')"),
        ("PORT", "70000", "LSTM_GRADER_PORT: expected at most 65535 (got '70000')"),
        ("QUEUE_SECONDS", "0", "LSTM_GRADER_QUEUE_SECONDS: expected more than 0 (got '0')"),
        ("BEHIND_PROXY", "perhaps", "LSTM_GRADER_BEHIND_PROXY: expected true or false (got 'perhaps')"),
        ("ACCEPT_MISSING", "x", "LSTM_GRADER_ACCEPT_MISSING: expected"),
        ("OIDC_CLIENT_SECRET", "secret-of-x", "lstm-grader: single sign-on also needs LSTM_GRADER_OIDC_ISSUER"),
        ("SMTP_HOST", "mail.example.org", "lstm-grader: mail also needs LSTM_GRADER_SMTP_SENDER"),
    ],
)
def test_setting_that_cannot_be_is_named(folder, variable, value, sentence):
    ended = run("tokens", "list", **{f"LSTM_GRADER_{variable}": value})
    assert_sentence(ended, sentence)
    assert "secret-of-x" not in ended.stderr


@pytest.mark.parametrize("variable", [name.upper() for name in SECRETS])
def test_secret_that_cannot_be_is_not_shown(folder, variable):
    ended = run("tokens", "list", **{f"LSTM_GRADER_{variable}": "ge\x01heim"})
    assert_sentence(ended, f"LSTM_GRADER_{variable.partition('_')[0]}")
    assert "heim" not in ended.stderr


def test_help_fits_a_screen_with_a_line_for_each_command():
    lines = run("--help", COLUMNS="80").stdout.splitlines()
    assert len(lines) <= 40
    rows = [line.strip("│ ").split("  ")[0] for line in lines if line.startswith("│ ")]
    assert rows == ["--version", "--help", *(name for name in rows[2:] if re.fullmatch("[a-z-]+", name))]


def output_of(*arguments: str) -> str:
    ended = run(*arguments)
    assert ended.exit_code == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def course(folder: Path) -> str:
    return output_of("courses", "create", "Сети", "--language", "ru", "--time-zone", "Europe/Moscow")


def test_course_is_made_copied_archived_reopened_and_deleted(course):
    assert output_of("courses", "list").split("\n")[0] == f"{course}  open      Сети"
    output_of("tokens", "create", "Moodle", "--course", course)
    assert output_of("tokens", "list").split("\n")[0].endswith("Moodle  [Сети]")
    copy = output_of("courses", "copy", course, "--title", "Сети, весна", "--shift-days", "182")
    assert output_of("courses", "archive", course) == f"{course}  archived  Сети"
    assert_sentence(run("tokens", "create", "x", "--course", course), "The course is archived")
    assert output_of("courses", "archive", course, "--reopen") == f"{course}  open      Сети"
    assert_sentence(run("courses", "delete", copy), "the course Сети, весна is not archived", "--yes")
    assert output_of("courses", "delete", copy, "--yes") == "submissions: 0, members: 0, people: 0"
    assert copy not in output_of("courses", "list")


def test_mistake_in_an_assignment_file_stops_only_the_commands_that_need_one(course, folder, monkeypatch):
    (folder / "folder" / "week3.toml").write_text("id = ")
    monkeypatch.setenv("LSTM_GRADER_ASSIGNMENTS_DIR", str(folder / "folder"))
    assert output_of("courses", "archive", course) == f"{course}  archived  Сети"
    assert_sentence(run("courses", "copy", DEFAULT_COURSE, "--title", "x"), "week3.toml is not valid TOML")
    assert len(output_of("courses", "list").splitlines()) == 2
