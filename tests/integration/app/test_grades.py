"""Counted grades: of one, of a course, and with exceptions."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from app.courses import extensions, members
from app.errors import AdjustmentReplaced, AttemptsUsedUp, ReviewOpen
from app.queue.backlog import Backlog
from app.queue.inbox import Inbox
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Adjustment,
    Change,
    CourseAssignment,
    JobStatus,
    MemberRole,
    Membership,
    StoredReport,
    Submission,
    new_id,
    utc_now,
)
from app.storage.paging import Paging
from app.submissions import grades
from app.submissions.uploads import Upload
from app.teaching import adjustments, grade_book, grade_list, reviews
from app.teaching.grade_book import GradeBookFormat
from app.teaching.grade_list import GradeFilter
from app.teaching.student_work import take_student_work
from grader import Assignment, load_assignments
from grader.assignment import Attempts, Deadline
from tests.integration.app.kinds import on_both, on_both_thoroughly, on_postgresql
from tests.integration.app.rows import all_of, read_by, store, waits, write_by
from tests.integration.app.test_inbox import Jobs
from tests.waiting import until

DUE = utc_now().replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture
def assignments() -> dict[str, Assignment]:
    plain = load_assignments(None)["lstm-layer"]
    late = Deadline(due=DUE, late_percent_per_day=10)
    return {
        "lstm-layer": plain.model_copy(update={"deadline": late}),
        **{f"a{n}": plain.model_copy(update={"id": f"a{n}", "deadline": late}) for n in range(3)},
        "limited": plain.model_copy(update={"id": "limited", "attempts": Attempts(limit=1)}),
    }


@pytest.fixture
def inbox(database: Database, assignments: Mapping[str, Assignment]) -> Inbox:
    return Inbox(database, assignments, Jobs(), Backlog(database, 3600), uploads_per_minute=50, upload_bytes=10**6)


def statements(database: Database) -> list[str]:
    """The statements that the database is sent from now on."""
    log: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        log.append(statement)

    event.listen(database._engine.sync_engine, "before_cursor_execute", hear)
    return log


def selects(statements: list[str]) -> int:
    return len([each for each in statements if each.lstrip().startswith("SELECT")])


async def add_course(
    database: Database, students: int, attempts: int, used: list[str]
) -> tuple[list[Membership], list[CourseAssignment]]:
    """Members and assignments of the course Default, with this many graded attempts at each."""
    async with database.write() as session:
        uses = [CourseAssignment(id=new_id(), course_id=DEFAULT_COURSE, assignment_id=each, rules={}) for each in used]
        session.add_all(uses)
        them = [members.add(session, DEFAULT_COURSE, external_id=f"s{n:03}") for n in range(students)]
        await session.flush()
        reports = []
        for n, (member, use) in enumerate((member, use) for member in them for use in uses):
            for number in range(1, attempts + 1):
                submission = Submission(
                    id=new_id(),
                    membership_id=member.id,
                    course_assignment_id=use.id,
                    student=member.external_id,
                    assignment_id=use.assignment_id,
                    attempt=number,
                    filename="LSTM.py",
                    content=b"",
                    sha256="0",
                    submitted_by="owner",
                    job_status=JobStatus.DONE,
                    created_at=DUE + (n % 5 - 2) * DAY,
                )
                session.add(submission)
                points = (n * 7 + number * 13) % 101
                report = {"status": "passed", "points": points, "max_points": 100.0, "body": {}}
                reports.append(StoredReport(submission_id=submission.id, **report))
        await session.flush()
        session.add_all(reports)
    return them, uses


@on_both
async def test_grades_of_a_whole_course_take_three_statements_and_are_those_of_each_one(database, assignments):
    them, uses = await add_course(database, 30, 2, ["lstm-layer", "a0", "a1", "a2"])
    async with database.write() as session:
        for member in them[:10]:
            session.add(
                Adjustment(membership_id=member.id, course_assignment_id=uses[0].id, delta=5.0, reason="x", made_by="t")
            )
            put = {"due": DUE + DAY, "closes": None, "more_attempts": 0, "reason": "ill"}
            await extensions.put(session, member, uses[0], made_by="t", **put)
    log = statements(database)
    async with database.read() as session:
        counted = await grades.counted_grades(session, assignments, them, uses)
        assert selects(log) == 3
        assert len(counted) == 120
        for member in them:
            for use in uses:
                assert await grades.counted_grade(session, assignments, member, use) == counted[member.id, use.id]
    assert sum(each.is_adjusted for each in counted.values()) == 10


@on_both_thoroughly
async def test_lists_and_grade_books_of_a_course_take_a_handful_of_statements(database, assignments):
    await add_course(database, 201, 1, ["lstm-layer", "a0"])
    log = statements(database)
    async with database.read() as session:
        shown = await grade_list.used_assignments(session, assignments, DEFAULT_COURSE)
        students = await grade_list.list_grades(
            session, assignments, shown, DEFAULT_COURSE, GradeFilter(), Paging(1000)
        )
        listed = selects(log)
        lines = await grade_book.grade_book(
            session, assignments, DEFAULT_COURSE, GradeBookFormat.CANVAS, "en", unconfirmed=True
        )
    # One for the assignments, and four for each two hundred students.
    assert listed == 9
    assert selects(log) == 2 * listed
    assert (len(students), len(students[0].grades)) == (201, len(assignments))
    assert len(lines) == 203
    for line, student in zip(lines[2:], students, strict=True):
        assert line[2] == student.member.external_id
        points = [None if cell == "" else float(cell) for cell in line[5:]]
        assert points == [student.grades[use.assignment_id].grade_book for use in shown]


@on_both
async def test_upload_that_comes_while_an_extension_is_given_goes_by_it(database, owner, assignments, inbox):
    first, _ = await inbox.accept(Upload("ivanov", "limited", "LSTM.py", b"x"), owner)

    async with database.write() as session:
        place = await take_student_work(session, assignments, DEFAULT_COURSE, first.membership_id, "limited")
        upload = asyncio.create_task(inbox.accept(Upload("ivanov", "limited", "LSTM.py", b"y"), owner))
        await until(lambda: waits(database))
        put = {"due": None, "closes": None, "more_attempts": 1, "reason": "ill"}
        await extensions.put(session, place.member, place.use, made_by="t", **put)
    second, _ = await upload
    assert second.attempt == 2
    log = statements(database)
    for student in ("ivanov", "petrov"):
        await inbox.accept(Upload(student, "lstm-layer", "LSTM.py", b"x"), owner)
    # Extensions are read with the members, so whoever has none pays nothing for those of others.
    assert sum("extensions" in each for each in log) == 2
    with pytest.raises(AttemptsUsedUp):
        await inbox.accept(Upload("ivanov", "limited", "LSTM.py", b"z"), owner)


@on_postgresql
async def test_work_is_taken_in_the_turn_of_the_id_that_the_student_has_by_then(database, owner, assignments, inbox):
    submission, _ = await inbox.accept(Upload("ivanov", "lstm-layer", "LSTM.py", b"x"), owner)
    taken, released = asyncio.Event(), asyncio.Event()

    async def take() -> None:
        async with database.write() as session:
            await take_student_work(session, assignments, DEFAULT_COURSE, submission.membership_id, "lstm-layer")
            taken.set()
            await released.wait()

    async with database.write() as session:
        member = await session.get_one(Membership, submission.membership_id)
        await members.take_turn_of(session, member)
        working = asyncio.create_task(take())
        await until(lambda: waits(database))
        member.external_id = "petrov"
    await taken.wait()
    after = asyncio.create_task(write_by(database, members.take_turns, [(DEFAULT_COURSE, "petrov")]))
    try:
        await until(lambda: waits(database))
    finally:
        released.set()
        await asyncio.gather(working, after)


async def test_trial_attempts_of_the_staff_have_no_limits(database, owner, assignments, inbox):
    submission, _ = await inbox.accept(Upload("smirnova", "limited", "LSTM.py", b"x"), owner)
    await store(database, Membership, Membership.id == submission.membership_id, role=MemberRole.ASSISTANT)
    again, _ = await inbox.accept(Upload("smirnova", "limited", "LSTM.py", b"y"), owner)
    assert again.attempt == 2
    of_trial = await read_by(database, grades.grades_of, assignments, again)
    assert of_trial.counted.points is None


@on_both
async def test_adjustments_at_the_same_time_are_made_one_after_the_other(database, owner, assignments, inbox):
    """Ten teachers at once, and an upload: each adjustment is in the history, one applies, and it knows its grade."""
    (member,), (use,) = await add_course(database, 1, 1, ["lstm-layer"])

    async def adjust(number: int, **expected: str | None) -> None:
        async with database.write() as session:
            place = await take_student_work(session, assignments, DEFAULT_COURSE, member.id, "lstm-layer")
            change = {"delta": float(number), "reason": "x", "made_by": f"t{number}"}
            await adjustments.adjust(session, assignments, place, **change, **expected)

    upload = inbox.accept(Upload("s000", "lstm-layer", "LSTM.py", b"x"), owner)
    await asyncio.gather(*(adjust(number) for number in range(1, 11)), upload)
    history = await all_of(database, select(Adjustment).order_by(Adjustment.id))
    counted = await read_by(database, grades.counted_grade, assignments, member, use)
    logged = await all_of(database, select(Change).order_by(Change.id))
    (applies,) = [each for each in history if each.ended_at is None]
    assert sorted(each.delta for each in history) == list(range(1, 11))
    assert (counted.points, counted.is_stale) == (counted.points_below + applies.delta, False)
    # Each one says which it replaced.
    replaced = [each.before.get("adjustment", {}).get("id") for each in logged]
    assert replaced == [None, *(each.after["adjustment"]["id"] for each in logged[:-1])]
    both = (adjust(number, replaces=applies.id) for number in (11, 12))
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert {type(each) for each in outcomes} == {AdjustmentReplaced, type(None)}


@on_both
async def test_review_is_asked_for_once_at_a_time(database):
    await add_course(database, 1, 1, ["lstm-layer"])

    async def ask(number: int) -> str:
        async with database.write() as session:
            submission = (await session.scalars(select(Submission))).one()
            return (await reviews.ask(session, submission, f"Why? {number % 2}")).id

    outcomes = await asyncio.gather(*(ask(number) for number in range(6)), return_exceptions=True)
    asked = {each for each in outcomes if isinstance(each, str)}
    assert len(asked) == 1
    assert [type(each) for each in outcomes if not isinstance(each, str)] == [ReviewOpen] * 3
