"""Courses and members from a shell, by the rules of the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.app.commands.test_command_line import assert_sentence, folder, owned, run

__all__ = ["folder", "owned"]


def output_of(*arguments: str) -> str:
    ended = run(*arguments)
    assert ended.exit_code == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def course(folder: Path) -> str:
    return output_of("courses", "create", "Сети", "--language", "ru", "--time-zone", "Europe/Moscow")


def test_course_is_made_changed_archived_and_copied(course: str) -> None:
    assert output_of("courses", "list").split("\n")[0] == f"{course}  open      Сети"
    assert output_of("courses", "change", course, "--title", "Сети, осень").endswith("Сети, осень")
    assert "archived" in output_of("courses", "archive", course)
    assert_sentence(run("courses", "change", course, "--title", "x"), "The course is archived")
    assert_sentence(run("members", "add", "ivanov", "--course", course), "is archived")
    copied = output_of("courses", "copy", course, "--title", "Сети, весна", "--shift-days", "182")
    assert "Сети, весна" in output_of("courses", "show", copied)
    assert "open" in output_of("courses", "reopen", course)
    assert "archived: True -> False" in output_of("courses", "changes", "--course", course)


def test_dates_are_given_in_the_time_zone_of_the_course(course: str) -> None:
    at = ("--course", course)
    layer = ("courses", "assignments", "set", "lstm-layer", *at)
    line = output_of(*layer, "--due", "2026-10-01T23:59", "--limit", "3")
    assert "due 2026-10-01 23:59*, " in line
    assert "limit 3*" in line
    line = output_of(*layer, "--limit", "none", "--as-in-file", "due")
    assert "due" not in line
    assert output_of("courses", "assignments", "list", *at) == line
    assert_sentence(run(*layer, "--due", "tomorrow"), "due: expected a date such as")
    assert_sentence(run(*layer, "--opens", "2026-10-02T00:00", "--closes", "2026-10-01T00:00"), "contradict")
    assert_sentence(run("courses", "assignments", "set", "lstm", *at), "lstm")
    output_of("courses", "assignments", "remove", "lstm-layer", *at)
    assert output_of("courses", "assignments", "list", *at) == ""


def test_members_are_added_changed_removed_and_joined(course: str) -> None:
    at = ("--course", course)
    added = output_of("members", "add", "ivanov", "--name", "Иван", "--email", "i@example.org", "--group", "1", *at)
    assert "student    confirmed    ivanov  Иван, i@example.org, group 1" in added
    assert_sentence(run("members", "add", "ivanov", *at), "Another member of the course has this id")
    assert "assistant" in output_of("members", "change", "ivanov", "--role", "assistant", "--group", "none", *at)
    assert "group" not in output_of("members", "list", "--role", "assistant", *at)
    assert "removed" in output_of("members", "remove", "ivanov", *at)
    assert "ivanov" in output_of("members", "list", "--removed", *at)
    assert "confirmed" in output_of("members", "restore", "ivanov", *at)
    output_of("members", "change", "ivanov", "--role", "student", *at)
    output_of("members", "add", "i.ivanov", *at)
    join = output_of("members", "join", "ivanov", "i.ivanov", *at)
    assert_sentence(run("members", "join", "ivanov", "i.ivanov", *at), "no longer in the course")
    output_of("members", "unjoin", join, *at)
    assert_sentence(run("members", "unjoin", join, *at), "undone before")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("courses create x --time-zone Mars", "IANA"),
        ("courses show x", "there is no course 'x'"),
        ("courses change 00000000000000000000000000", "expected something to change"),
        ("courses grade-book --language de", "expected one of ru, en"),
        ("members list --role god", "expected student, assistant or teacher"),
        ("members add x --role god", "role: "),
        ("members add x --email nobody", "such as ivanov@example.org"),
        ("members remove nobody", "member"),
        ("members change \udcff --name x", "member"),
        ("members unjoin x", "There is no such join"),
        ("join-links revoke nothing", "`join-links list` shows"),
        ("adjust set ivanov lstm-layer --value 1 --reason x", "no member"),
        ("people detach nobody nothing", "There is no such person"),
    ],
)
def test_argument_that_cannot_be_is_named(folder: Path, arguments: str, sentence: str) -> None:
    assert_sentence(run(*arguments.split()), sentence)


def test_tokens_are_listed_with_their_course(course: str) -> None:
    output_of("tokens", "create", "Moodle", "--course", course)
    assert output_of("tokens", "list").split("\n")[0].endswith("Moodle  [Сети]")


def test_extension_is_given_by_the_clock_of_the_course_and_says_what_holds(course: str) -> None:
    at = ("--course", course)
    output_of("members", "add", "ivanov", *at)
    dates = output_of(
        "courses", "assignments", "set", "lstm-layer", "--opens", "2026-09-01", "--due", "2026-10-01", *at
    )
    assert "opens 2026-09-01 00:00*" in dates
    assert "due 2026-10-01 23:59*" in dates
    extend = ("extensions", "set", "ivanov", "lstm-layer", "--reason", "ill", *at)
    line = "ivanov, lstm-layer: due 2026-10-09 23:59 Europe/Moscow (ill)"
    for due in ("2026-10-09", "2026-10-09T23:59", "2026-10-09T20:59+00:00"):
        assert output_of(*extend, "--due", due) == line
    assert_sentence(run(*extend, "--due", "tomorrow"), "due: expected a date such as 2026-10-01T23:59, not 'tomorrow'")
    assert output_of("extensions", "list", *at) == line
    earlier = output_of(*extend, "--due", "2026-09-01T23:59")
    assert earlier.endswith("; the course's due 2026-10-01 23:59 Europe/Moscow is later and holds")
    assert "due 2026-09-01 23:59 Europe/Moscow, 2 more attempts (ill)" in output_of(
        *extend, "--due", "2026-09-01T23:59", "--more-attempts", "2"
    )
    assert_sentence(run(*extend), "expected at least one of")
    remove = ("extensions", "remove", "ivanov", "lstm-layer", *at)
    output_of(*remove)
    assert_sentence(run(*remove), "has no extension")
