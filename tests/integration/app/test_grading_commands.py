"""Extensions, adjustments, reviews and grade books from a shell."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from app.access.tokens import Principal
from app.storage.models import DEFAULT_COURSE, Course, Role, utc_now
from app.teaching import reviews
from tests.integration.app.conftest import Run
from tests.integration.app.kinds import on_both_thoroughly
from tests.integration.app.rows import add, finish, next_claim, opened


@pytest.fixture
def graded(run: Run, url: str) -> Run:
    """Ivanov has all points at lstm-layer, and asks why; petrov is known by a token alone."""

    async def fill() -> None:
        async with opened(url) as database:
            submission = await add(database, Principal("t1", Role.ADMIN), "ivanov")
            claimed = await next_claim(database)
            assert await finish(database, claimed)
            async with database.write() as session:
                await reviews.ask(session, submission, "Why\nso few?")

    asyncio.run(fill())
    assert run("tokens", "create", "x", "--student", "petrov").exit_code == 0
    return run


@on_both_thoroughly
def test_grade_is_adjusted_and_what_applied_stays_in_the_list(graded: Run) -> None:
    first = graded("adjust", "set", "ivanov", "lstm-layer", "--delta", "-5", "--reason", "no comments")
    assert first.exit_code == 0
    second = graded("adjust", "set", "ivanov", "lstm-layer", "--value", "90", "--reason", "some comments")
    assert re.search(r"= 90 +applies +owner: some comments", second.stdout)
    assert re.search(r"= 90 .*\n.*-5 +ended ", graded("adjust", "list", "ivanov", "lstm-layer").stdout)
    assert "\nivanov,,,,no,90" in graded("courses", "grade-book", "--assignment", "lstm-layer").stdout
    assert graded("adjust", "withdraw", "ivanov", "lstm-layer").exit_code == 0
    assert graded("adjust", "withdraw", "ivanov", "lstm-layer").exit_code == 2
    both = graded("adjust", "set", "ivanov", "lstm-layer", "--value", "1", "--delta", "1", "--reason", "x")
    assert (both.exit_code, "exactly one of" in both.stderr) == (2, True)


@on_both_thoroughly
def test_question_of_a_student_is_listed_and_answered(graded: Run) -> None:
    listed = graded("reviews", "list").stdout
    assert "ivanov, lstm-layer, attempt 1: Why so few?" in listed
    assert graded("reviews", "answer", listed.split()[0], "--answer", "These are all.").exit_code == 0
    none = graded("reviews", "list")
    assert (none.exit_code, none.stdout, none.stderr) == (0, "", "lstm-grader: no requests for review are open\n")
    assert "Why so few? -> These are all." in graded("reviews", "list", "--all").stdout
    other = graded("reviews", "answer", listed.split()[0], "--answer", "No.")
    assert (other.exit_code, "has an answer already" in other.stderr) == (2, True)


def test_grade_book_is_written_for_each_platform(graded: Run, tmp_path: Path) -> None:
    plain = graded("courses", "grade-book", "--assignment", "lstm-layer", "--missing-zero")
    assert plain.stdout.splitlines() == [
        "id,name,email,group,confirmed,lstm-layer",
        "ivanov,,,,no,100",
        "petrov,,,,no,0",
    ]
    file = tmp_path / "grades.csv"
    wanted = ("courses", "grade-book", "--format", "canvas", "--unconfirmed", "--output", str(file))
    assert graded(*wanted).exit_code == 0
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("Student,ID,SIS User ID,SIS Login ID,Section,")
    assert lines[2].startswith("ivanov,,ivanov,ivanov,,100")
    assert graded(*wanted[:-1], str(tmp_path / "nothing" / "grades.csv")).exit_code == 2
    assert graded("courses", "grade-book", "--format", "excel").exit_code == 2


def test_nothing_changes_in_an_archived_course(graded: Run, url: str) -> None:
    async def archive() -> None:
        async with opened(url) as database, database.write() as session:
            (await session.get_one(Course, DEFAULT_COURSE)).archived_at = utc_now()

    asyncio.run(archive())
    for arguments in (
        ("adjust", "set", "ivanov", "lstm-layer", "--delta", "1", "--reason", "x"),
        ("extensions", "set", "ivanov", "lstm-layer", "--more-attempts", "1", "--reason", "x"),
        ("reviews", "answer", "0" * 26, "--answer", "x"),
    ):
        refused = graded(*arguments)
        assert (refused.exit_code, "archived" in refused.stderr) == (2, True)
    assert graded("courses", "grade-book").exit_code == 0
