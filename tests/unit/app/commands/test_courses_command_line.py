"""Courses from a shell, by the rules of the API."""

from pathlib import Path

import pytest

from app.storage.models import DEFAULT_COURSE
from tests.unit.app.commands.test_command_line import assert_sentence, folder, owned, run

__all__ = ["folder", "owned"]


def output_of(*arguments: str) -> str:
    ended = run(*arguments)
    assert ended.exit_code == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def course(folder: Path) -> str:
    return output_of("courses", "create", "Сети", "--language", "ru", "--time-zone", "Europe/Moscow")


def test_course_is_made_copied_archived_reopened_and_deleted(course: str) -> None:
    assert output_of("courses", "list").split("\n")[0] == f"{course}  open      Сети"
    copy = output_of("courses", "copy", course, "--title", "Сети, весна", "--shift-days", "182")
    assert output_of("courses", "archive", course) == f"{course}  archived  Сети"
    assert_sentence(run("tokens", "create", "x", "--course", course), "The course is archived")
    assert output_of("courses", "archive", course, "--reopen") == f"{course}  open      Сети"
    assert_sentence(run("courses", "delete", copy), "the course Сети, весна is not archived", "--yes")
    assert output_of("courses", "delete", copy, "--yes") == "submissions: 0, members: 0, people: 0"
    assert copy not in output_of("courses", "list")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("courses create x --time-zone Mars", "time_zone: expected a name of the IANA"),
        ("courses archive x", "there is no course 'x'"),
        ("courses delete x", "there is no course 'x'"),
        ("tokens create x --course x", "there is no course 'x'"),
    ],
)
def test_argument_that_cannot_be_is_named(folder: Path, arguments: str, sentence: str) -> None:
    assert_sentence(run(*arguments.split()), sentence)


def test_tokens_are_listed_with_their_course(course: str) -> None:
    output_of("tokens", "create", "Moodle", "--course", course)
    assert output_of("tokens", "list").split("\n")[0].endswith("Moodle  [Сети]")


def test_mistake_in_an_assignment_file_stops_only_the_commands_that_need_one(
    course: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "folder" / "week3.toml").write_text("id = ")
    monkeypatch.setenv("LSTM_GRADER_ASSIGNMENTS_DIR", str(folder / "folder"))
    assert output_of("courses", "archive", course) == f"{course}  archived  Сети"
    assert_sentence(run("courses", "copy", DEFAULT_COURSE, "--title", "x"), "week3.toml is not valid TOML")
    assert len(output_of("courses", "list").splitlines()) == 2
