"""The own pages of a student with much to show: a handful of statements, whatever their number."""

from collections.abc import Mapping

import pytest
from sqlalchemy import update

from app.access.tokens import Principal
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Artefact, Membership, Role, new_id
from app.storage.paging import Paging
from app.submissions.sources import ChangedLines
from app.teaching.own.attempts import AttemptsFilter, ListedAttempt, list_attempts, source_changes
from app.teaching.own.courses import own_courses, own_task
from app.teaching.own.reasons import reasons_of
from grader import Assignment
from grader.report.source import Cell, Line, pack
from tests.integration.app.kinds import on_both
from tests.integration.app.test_grades import add_course, assignments, statements
from tests.integration.app.test_overview import selects

__all__ = ["assignments"]

pytestmark = on_both

ATTEMPTS, USED = 40, 20


@pytest.fixture
def many(assignments: Mapping[str, Assignment]) -> dict[str, Assignment]:
    plain = assignments["a0"]
    return {f"b{n:02}": plain.model_copy(update={"id": f"b{n:02}"}) for n in range(USED)}


def student_of(member: Membership) -> Principal:
    return Principal(
        new_id(), Role.SUBMITTER, course_id=DEFAULT_COURSE, membership_id=member.id, external_id=member.external_id
    )


def source(lines: list[str]) -> tuple[str, bytes]:
    return pack([Cell(index=0, lines=[Line(text=each, runs=[("", len(each))]) for each in lines])])


async def keep_sources(database: Database, shown: list[ListedAttempt]) -> None:
    async with database.write() as session:
        for each in shown:
            assert each.report is not None
            number = each.submission.attempt
            name, content = source(["first", *(f"line {line}" for line in range(number)), f"only in {number}"])
            session.add(Artefact(report_id=each.report.id, name=name, content=content))


async def test_home_takes_seven_statements_for_assignments(database: Database, many: dict[str, Assignment]) -> None:
    (ivanov, _), _ = await add_course(database, 2, ATTEMPTS // USED, list(many))
    queries = statements(database)
    async with database.read() as session:
        (course,) = await own_courses(session, many, student_of(ivanov), None)
    assert selects(queries) == 7
    assert len(course.tasks) == USED
    for task in course.tasks:
        assert task.last[0].membership_id == ivanov.id
        assert task.last[0].attempt == len(task.basis.attempts)


async def test_forty_attempts_take_eight_statements(database: Database, many: dict[str, Assignment]) -> None:
    (ivanov, _), _ = await add_course(database, 2, ATTEMPTS, ["b00", "b01"])
    place, viewer = AttemptsFilter(DEFAULT_COURSE, "b00", ivanov.id), student_of(ivanov)
    async with database.read() as session:
        every = list(await list_attempts(session, many["b00"], viewer, place, Paging(ATTEMPTS)))
    await keep_sources(database, every)
    queries = statements(database)
    async with database.read() as session:
        task = await own_task(session, many, viewer, "b00")
        page = Paging(20)
        listed = await list_attempts(session, task.assignment, viewer, place, page)
        shown, _ = page.cut(listed, lambda each: each.submission.id)
    changed = await source_changes(database, shown)
    assert selects(queries) == 8
    assert task.basis is not None
    numbers = list(range(ATTEMPTS, 0, -1))[:20]
    assert [each.submission.attempt for each in shown] == numbers
    assert {each.submission.membership_id for each in shown} == {ivanov.id}
    assert [changed.get(each.submission.id) for each in shown] == [
        ChangedLines(new=2, gone=1) if number > 1 else None for number in numbers
    ]
    async with database.write() as session:
        await session.execute(update(Artefact).values(content=source([f"{n:0900}" for n in range(600)])[1]))
    assert await source_changes(database, shown) == {}
    (counts,) = [number for number, reason in reasons_of(task.basis).items() if reason.counts]
    assert counts == task.basis.counted.attempt
