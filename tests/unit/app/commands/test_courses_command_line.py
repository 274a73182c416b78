"""Courses and members from a shell, by the rules of the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.app.commands.test_command_line import assert_sentence, folder, owned, run

__all__ = ["folder", "owned"]


def told(*arguments: str) -> str:
    ended = run(*arguments)
    assert ended.exit_code == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def course(folder: Path) -> str:
    return told("courses", "create", "Сети", "--language", "ru", "--time-zone", "Europe/Moscow")


def test_course_is_made_changed_archived_and_copied(course: str) -> None:
    assert told("courses", "list").split("\n")[0] == f"{course}  open      Сети"
    assert told("courses", "change", course, "--title", "Сети, осень").endswith("Сети, осень")
    assert "archived" in told("courses", "archive", course)
    assert_sentence(run("courses", "change", course, "--title", "x"), "The course is archived")
    assert_sentence(run("members", "add", "ivanov", "--course", course), "is archived")
    copied = told("courses", "copy", course, "--title", "Сети, весна", "--shift-days", "182")
    assert "Сети, весна" in told("courses", "show", copied)
    assert "open" in told("courses", "reopen", course)
    assert "archived: True -> False" in told("courses", "changes", "--course", course)


def test_dates_are_given_in_the_time_zone_of_the_course(course: str) -> None:
    at = ("--course", course)
    said = told("courses", "assignments", "set", "lstm-layer", "--due", "2026-10-01T23:59", "--limit", "3", *at)
    assert "due 2026-10-01 23:59*, " in said
    assert "limit 3*" in said
    said = told("courses", "assignments", "set", "lstm-layer", "--limit", "none", "--as-in-file", "due", *at)
    assert "due" not in said
    assert told("courses", "assignments", "list", *at) == said
    wrong = run("courses", "assignments", "set", "lstm-layer", "--due", "tomorrow", *at)
    assert_sentence(wrong, "due: expected a date such as")
    assert_sentence(run("courses", "assignments", "set", "lstm", *at), "lstm")
    contradictory = ("--opens", "2026-10-02T00:00", "--closes", "2026-10-01T00:00")
    assert_sentence(run("courses", "assignments", "set", "lstm-layer", *contradictory, *at), "contradict")
    told("courses", "assignments", "remove", "lstm-layer", *at)
    assert told("courses", "assignments", "list", *at) == ""


def test_members_are_added_changed_removed_and_joined(course: str) -> None:
    at = ("--course", course)
    added = told("members", "add", "ivanov", "--name", "Иван", "--email", "i@example.org", "--group", "1", *at)
    assert "student    confirmed    ivanov  Иван, i@example.org, group 1" in added
    assert_sentence(run("members", "add", "ivanov", *at), "Another member of the course has this id")
    assert "assistant" in told("members", "change", "ivanov", "--role", "assistant", "--group", "none", *at)
    assert "group" not in told("members", "list", "--role", "assistant", *at)
    assert "removed" in told("members", "remove", "ivanov", *at)
    assert "ivanov" in told("members", "list", "--removed", *at)
    assert "confirmed" in told("members", "restore", "ivanov", *at)
    told("members", "change", "ivanov", "--role", "student", *at)
    told("members", "add", "i.ivanov", *at)
    join = told("members", "join", "ivanov", "i.ivanov", *at)
    assert_sentence(run("members", "join", "ivanov", "i.ivanov", *at), "no longer in the course")
    told("members", "unjoin", join, *at)
    assert_sentence(run("members", "unjoin", join, *at), "undone before")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("courses create x --time-zone Mars", "IANA"),
        ("courses create x --language de", "language"),
        ("courses show x", "there is no course 'x'"),
        ("courses change 00000000000000000000000000", "expected something to change"),
        ("members list --role god", "expected student, assistant or teacher"),
        ("members add x --role god", "role: "),
        ("members add x --email nobody", "email: "),
        ("members remove nobody", "member"),
        ("members unjoin x", "There is no such join"),
        ("members change \udcff --name x", "member"),
    ],
)
def test_argument_that_cannot_be_is_named(folder: Path, arguments: str, said: str) -> None:
    assert_sentence(run(*arguments.split()), said)


def test_tokens_are_listed_with_their_course(course: str) -> None:
    told("tokens", "create", "Moodle", "--course", course)
    assert told("tokens", "list").split("\n")[0].endswith("Moodle  [Сети]")


def test_extension_is_given_by_the_clock_of_the_course_and_says_what_holds(course: str) -> None:
    at = ("--course", course)
    told("courses", "assignments", "set", "lstm-layer", "--due", "2026-10-01T23:59", *at)
    told("members", "add", "ivanov", *at)
    dates = told("courses", "assignments", "set", "lstm-layer", "--opens", "2026-09-01", "--due", "2026-10-01", *at)
    assert "opens 2026-09-01 00:00*" in dates
    assert "due 2026-10-01 23:59*" in dates
    extend = ("extensions", "set", "ivanov", "lstm-layer", "--reason", "ill", *at)
    line = "ivanov, lstm-layer: due 2026-10-09 23:59 Europe/Moscow (ill)"
    assert told(*extend, "--due", "2026-10-09T23:59") == line
    assert told(*extend, "--due", "2026-10-09T20:59+00:00") == line
    assert told(*extend, "--due", "2026-10-09") == line
    assert_sentence(run(*extend, "--due", "tomorrow"), "due: expected a date such as 2026-10-01T23:59, not 'tomorrow'")
    assert told("extensions", "list", *at) == line
    earlier = told(*extend, "--due", "2026-09-01T23:59")
    assert earlier.endswith("; the course's due 2026-10-01 23:59 Europe/Moscow is later and holds")


def test_mistakes_are_told_with_the_way_out(course: str) -> None:
    at = ("--course", course)
    assert_sentence(run("join-links", "revoke", "nothing", *at), "`join-links list` shows")
    assert_sentence(run("courses", "grade-book", "--language", "de", *at), "expected one of ru, en")
    assert_sentence(run("adjust", "set", "ivanov", "lstm-layer", "--value", "1", "--reason", "x", *at), "no member")
    assert_sentence(run("members", "add", "ivanov", "--email", "ivanov", *at), "such as ivanov@example.org")
    assert_sentence(run("people", "detach", "nobody", "nothing"), "There is no such person")
