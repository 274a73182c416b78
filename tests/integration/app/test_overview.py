"""A course of three hundred as its staff and its students see it: right numbers, and few statements."""

from collections.abc import Mapping

import pytest
from sqlalchemy import select

from app.access.tokens import Principal
from app.courses import extensions
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Adjustment,
    Artefact,
    Comment,
    Delivery,
    HoldDecision,
    JobStatus,
    MemberRole,
    Membership,
    Person,
    ReportDiagnosis,
    ReviewRequest,
    Role,
    StoredReport,
    Submission,
    Webhook,
    new_id,
    utc_now,
)
from app.storage.paging import Paging
from app.submissions import grades
from app.submissions.sources import ChangedLines
from app.teaching.causes import causes_of
from app.teaching.grade_list import used_assignments
from app.teaching.joins import joins
from app.teaching.outdated import OutdatedReports, outdated_of
from app.teaching.overview import activity, attention, table, work
from app.teaching.overview.table import Filter, State, TableView
from app.teaching.own.attempts import AttemptsFilter, ListedAttempt, list_attempts, source_changes
from app.teaching.own.courses import own_courses, own_task
from app.teaching.own.reasons import reasons_of
from app.teaching.statistics import statistics_of
from grader import Assignment
from grader.report.model import AssignmentRef
from grader.report.source import Cell, Line, pack
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import REPORT, all_of, graded, read_by, row_of, store
from tests.integration.app.test_grades import DAY, DUE, add_course, assignments, selects, statements

__all__ = ["assignments"]

FOUR = ["lstm-layer", "a0", "a1", "a2"]


async def name_them(database: Database, them: list[Membership]) -> None:
    async with database.write() as session:
        for number, member in enumerate(them):
            (await session.get_one(Person, member.person_id)).name = f"Ёлкина Анна {number:03}"
            (await session.get_one(Membership, member.id)).group = f"Группа {number % 3}"


@on_both_thoroughly
async def test_grade_table_of_a_whole_course_takes_a_dozen_statements_and_shows_the_counted_grades(
    database, assignments
):
    them, _ = await add_course(database, 300, 2, FOUR)
    await name_them(database, them)
    used = {id: assignments[id] for id in FOUR}
    queries = statements(database)
    async with database.read() as session:
        uses = await used_assignments(session, used, DEFAULT_COURSE)
        shown = await table.grade_table(
            session, used, uses, DEFAULT_COURSE, TableView(sort="a1", descending=True, page=2)
        )
        number = selects(queries)
        counted = await grades.counted_grades(session, used, them, uses)
    assert number <= 12
    assert (shown.students, shown.matches, shown.page, shown.pages, len(shown.rows)) == (300, 300, 2, 6, 50)
    assert shown.groups == ["Группа 0", "Группа 1", "Группа 2"]
    assert [column.handed_in for column in shown.columns] == [300] * 4
    for row in shown.rows:
        for use in uses:
            assert row.cells[use.assignment_id].counted == counted[row.member.id, use.id]
    points = sorted(counted[member.id, use.id].points for member in them for use in uses if use.assignment_id == "a1")
    assert [row.cells["a1"].counted.points for row in shown.rows] == points[::-1][50:100]
    first = shown.rows[0]
    submission = await row_of(database, Submission, first.cells["a1"].submission_id)
    assert (submission.membership_id, submission.attempt) == (first.member.id, first.cells["a1"].counted.attempt)


VIEWS = [
    (TableView(text="елкина 007"), ["s007"]),
    (TableView(text="S011"), ["s011"]),
    (TableView(text="nobody"), []),
    (TableView(group="Группа 1", sort="id"), ["s001", "s004", "s007", "s010"]),
    (TableView(state=Filter.MISSING), ["s012"]),
    (TableView(state=Filter.MISSING, assignment="a0"), ["s012"]),
    (TableView(state=Filter.HANDED_IN, assignment="a0", sort="id"), [f"s{number:03}" for number in range(12)]),
    (TableView(state=Filter.LATE, assignment="a0", sort="id"), ["s001", "s004", "s006", "s009", "s011"]),
    (TableView(state=Filter.LATE, assignment="lstm-layer", sort="id"), ["s002", "s007", "s009"]),
    (TableView(state=Filter.LOOK, sort="id"), ["s003", "s004", "s005"]),
    (TableView(state=Filter.LOOK, assignment="lstm-layer", sort="id"), ["s003", "s004"]),
    # One whose adjustment is stale is an exception, too.
    (TableView(state=Filter.EXCEPTION, sort="id", descending=True), ["s006", "s003", "s002"]),
]


async def test_rows_are_searched_filtered_and_sorted(database, assignments):
    them, (first, second) = await add_course(database, 12, 1, ["lstm-layer", "a0"])
    await name_them(database, them)
    async with database.write() as session:
        person = Person(name="Ничего не сдала")
        session.add(
            Membership(id=new_id(), course_id=DEFAULT_COURSE, person=person, role="student", external_id="s012")
        )
        adjusted = {"course_assignment_id": first.id, "delta": 5.0, "reason": "x", "made_by": "t"}
        below = (await grades.counted_grade(session, assignments, them[2], first)).points  # type: ignore[union-attr]
        session.add(Adjustment(membership_id=them[2].id, points_below=below, **adjusted))
        session.add(Adjustment(membership_id=them[3].id, points_below=-1, **adjusted))
        put = {"due": DUE + DAY, "closes": None, "more_attempts": 0, "reason": "ill"}
        await extensions.put(session, them[6], second, made_by="t", **put)
    await hold(database, them[4].id, first.id)
    async with database.write() as session:
        of = Submission.membership_id == them[5].id, Submission.course_assignment_id == second.id
        submission = (await session.scalars(select(Submission).where(*of))).one()
        session.add(ReviewRequest(submission_id=submission.id, text="Why?"))
    used = {id: assignments[id] for id in ("lstm-layer", "a0")}
    for view, expected in VIEWS:
        uses = await read_by(database, used_assignments, used, DEFAULT_COURSE)
        shown = await read_by(database, table.grade_table, used, uses, DEFAULT_COURSE, view)
        assert [row.member.external_id for row in shown.rows] == expected, view
        # The assignments are over all students, whomever the filter leaves.
        assert [column.handed_in for column in shown.columns] == [12, 12]
        for row in shown.rows:
            if view.state == Filter.LATE and view.assignment == "a0":  # With an extension or without.
                state = State.IN_EXTENSION if row.member.external_id == "s006" else State.LATE
                assert [state in row.cells["a0"].states, State.EXTENDED in row.cells["a0"].states] == [True, False]


async def hold(database: Database, member_id: str, use_id: str) -> str:
    async with database.write() as session:
        of = Submission.membership_id == member_id, Submission.course_assignment_id == use_id
        submission = (await session.scalars(select(Submission).where(*of))).one()
        submission.held_at = DUE
    return submission.id


@on_both
async def test_attention_counts_what_needs_a_person_and_forgets_what_was_done(database, assignments, owner):
    them, (use,) = await add_course(database, 20, 1, ["lstm-layer"])
    held = [await hold(database, member.id, use.id) for member in them[:7]]
    async with database.write() as session:
        submissions = (await session.scalars(select(Submission).order_by(Submission.id))).all()
        ours, again, doubted = submissions[8], submissions[9], submissions[10]
        for each in (ours, again):
            report = (await session.scalars(select(StoredReport).where(StoredReport.submission_id == each.id))).one()
            report.status, report.points = "internal_error", None
        again.job_status = JobStatus.QUEUED
        session.add(ReviewRequest(submission_id=doubted.id, text="Why?"))
        webhook = Webhook(url="https://hooks.example.org", secret="x", created_by=owner.id)
        session.add(webhook)
        await session.flush()
        session.add_all(Delivery(webhook_id=webhook.id, event="graded", delivered_at=at) for at in (None, DUE))
    queries = statements(database)
    async with database.read() as session:
        waiting = await attention.attention(session, DEFAULT_COURSE)
        number = selects(queries)
        failed = await attention.failed_ids(session, DEFAULT_COURSE)
        beside = await attention.beside(session, DEFAULT_COURSE, ours.id)
        elsewhere = await attention.attention(session, new_id())
    assert number == 5
    assert (waiting.held.total, len(waiting.held.listed)) == (7, attention.MOST_LISTED)
    assert waiting.held.listed[0].submission.id == held[0]
    assert waiting.held.listed[0].report is not None
    assert [each.submission.id for each in waiting.failed.listed] == [ours.id]
    assert failed == [ours.id]
    (request,) = waiting.reviews.listed
    assert (request.submission.id, request.review.text) == (doubted.id, "Why?")
    assert (waiting.unconfirmed, waiting.given_up) == (20, 1)
    assert beside == (held[-1], doubted.id)
    assert not elsewhere.is_anything


@on_both
async def test_work_of_a_student_is_theirs_alone_and_takes_a_dozen_statements(database, assignments):
    (ivanov, petrov), uses = await add_course(database, 2, 3, FOUR)
    async with database.write() as session:
        for member in (ivanov, petrov):
            session.add(
                Comment(membership_id=member.id, course_assignment_id=uses[0].id, text=f"to {member.id}", made_by="t")
            )
    used = {id: assignments[id] for id in FOUR}
    queries = statements(database)
    member = await row_of(database, Membership, ivanov.id)
    queries.clear()
    works = {each.use.assignment_id: each for each in await read_by(database, work.work_of, used, member)}
    assert selects(queries) <= 12
    assert list(works) == sorted(FOUR)
    assert [each.text for each in works["lstm-layer"].comments] == [f"to {ivanov.id}"]
    for each in works.values():
        assert [attempt.submission.attempt for attempt in each.attempts] == [3, 2, 1]
        assert {attempt.submission.membership_id for attempt in each.attempts} == {ivanov.id}
        assert max(attempt.points or 0 for attempt in each.attempts) == each.counted.points


@on_both
async def test_numbers_are_of_the_same_attempts(database, assignments):
    """Attempts of the students of the course count, without held, rejected and cancelled ones."""
    (removed, held, rejected, accepted, cancelled, honest), (use,) = await add_course(database, 6, 1, ["lstm-layer"])
    decisions = {held.id: None, rejected.id: HoldDecision.REJECTED, accepted.id: HoldDecision.ACCEPTED}
    async with database.write() as session:
        (await session.get_one(Membership, removed.id)).removed_at = utc_now()
        for submission in (await session.scalars(select(Submission))).all():
            report = await session.scalar(select(StoredReport).where(StoredReport.submission_id == submission.id))
            if submission.membership_id in decisions:
                submission.held_at, submission.hold_decision = DUE, decisions[submission.membership_id]
            if submission.membership_id == cancelled.id:
                submission.job_status = JobStatus.CANCELLED
                await session.delete(report)
            elif submission.membership_id in (accepted.id, honest.id):
                report.points = 30.0
            else:  # It would be in "have all".
                report.points = 100.0
    used = {"lstm-layer": assignments["lstm-layer"]}
    shown = await read_by(database, table.grade_table, used, [use], DEFAULT_COURSE, TableView(state=Filter.HANDED_IN))
    statistics = await read_by(database, statistics_of, "lstm-layer", course=DEFAULT_COURSE)
    moments, elsewhere = [
        await read_by(database, activity.moments_of, course, "lstm-layer") for course in (DEFAULT_COURSE, new_id())
    ]
    (column,) = shown.columns
    assert (shown.students, column.handed_in, len(shown.rows)) == (5, 4, 4)
    assert statistics.statuses == {"passed": 2}
    for scores in (statistics.attempts, statistics.students):
        assert (scores.count, scores.mean, scores.median, scores.histogram[-1]) == (2, 0.3, 0.3, 0)
    assert (len(moments), elsewhere) == (2, [])


@on_both
async def test_joined_members_are_one_student_and_trials_and_other_groups_are_left_out(
    database, assignments, monkeypatch
):
    monkeypatch.setattr("app.teaching.statistics.MOST_NUMBERS", 3)
    (kept, other, third, teacher, elsewhere), _ = await add_course(database, 5, 2, ["lstm-layer"])
    async with database.write() as session:
        for member in (kept, other, third, teacher, elsewhere):
            (await session.get_one(Membership, member.id)).group = "B" if member is elsewhere else "A"
        (await session.get_one(Membership, teacher.id)).role = MemberRole.TEACHER
        reports = await session.execute(
            select(Submission, StoredReport).join(StoredReport, StoredReport.submission_id == Submission.id)
        )
        for submission, report in reports:
            report.points = 10.0 * submission.attempt
            check = {"id": "contract", "status": "passed" if submission.attempt == 2 else "failed"}
            report.body = {"checks": [check], "output": {"stdout": "\0"}, "diagnoses": [{"code": "scaled"}]}
            # The third student stops with it, and the joined one makes it in their first attempt and never again.
            if submission.membership_id in (third.id, teacher.id) or (submission.membership_id, submission.attempt) == (
                kept.id,
                1,
            ):
                session.add(ReportDiagnosis(report_id=report.id, code="scaled"))
        await joins.join(session, DEFAULT_COURSE, kept.id, other.id, "t")
    async with database.read() as session:
        found = await statistics_of(session, "lstm-layer", course=DEFAULT_COURSE, group="A")
        everybody = await statistics_of(session, "lstm-layer", course=DEFAULT_COURSE)
        uses = await used_assignments(session, {"lstm-layer": assignments["lstm-layer"]}, DEFAULT_COURSE)
        column, students = await table.column_of(session, assignments, uses[0], DEFAULT_COURSE, "A")
        moments = await activity.moments_of(session, DEFAULT_COURSE, "lstm-layer", "A")
    assert (found.students.count, students, column.handed_in, len(moments)) == (2, 2, 2, 6)
    assert moments == sorted(moments)
    assert found.by_attempt == [2, 2, 1]
    assert [(each.passed, each.students) for each in found.checks] == [(2, 2)]
    (cause,) = found.misconceptions
    assert (cause.students, cause.attempts, list(cause.by_attempt)) == (2, 3, [2, 1, 1])
    assert everybody.students.count == 3
    ids = await all_of(database, select(StoredReport.id))
    assert await read_by(database, causes_of, ids) == {id: [{"code": "scaled"}] for id in ids}


def test_states_are_said_the_most_urgent_first():
    assert list(State)[:4] == [State.FAILED, State.HELD, State.REVIEW, State.STALE]
    assert set(list(State)[:4]) == table.NEEDS_LOOK


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


@on_both
async def test_home_takes_seven_statements_for_assignments(database, many):
    (ivanov, _), _ = await add_course(database, 2, ATTEMPTS // USED, list(many))
    queries = statements(database)
    (course,) = await read_by(database, own_courses, many, student_of(ivanov), None)
    assert selects(queries) == 7
    assert len(course.tasks) == USED
    for task in course.tasks:
        assert task.last[0].membership_id == ivanov.id
        assert task.last[0].attempt == len(task.basis.attempts)


@on_both
async def test_forty_attempts_take_eight_statements(database, many):
    (ivanov, _), _ = await add_course(database, 2, ATTEMPTS, ["b00", "b01"])
    place, viewer = AttemptsFilter(DEFAULT_COURSE, "b00", ivanov.id), student_of(ivanov)
    every = list(await read_by(database, list_attempts, many["b00"], viewer, place, Paging(ATTEMPTS)))
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
    await store(database, Artefact, content=source([f"{n:0900}" for n in range(600)])[1])
    assert await source_changes(database, shown) == {}
    (counts,) = [number for number, reason in reasons_of(task.basis).items() if reason.counts]
    assert counts == task.basis.counted.attempt


@on_both
async def test_reports_of_another_file_or_grader_are_counted_once(database, assignments):
    today = assignments["lstm-layer"].digest
    for number, (digest, version) in enumerate([(today, "2"), (today, "1"), ("before", "1"), ("before", "2")]):
        receipt = REPORT.receipt.model_copy(update={"grader_version": version})
        report = REPORT.model_copy(
            update={"assignment": AssignmentRef(id="lstm-layer", digest=digest), "receipt": receipt}
        )
        await graded(database, f"student-{number}", report)
    outdated = await read_by(database, outdated_of, assignments, DEFAULT_COURSE, "2")
    elsewhere = await read_by(database, outdated_of, assignments, "1" * 26, "2")
    assert outdated == [OutdatedReports("lstm-layer", reports=4, file_changed=2, grader_changed=1)]
    assert (outdated[0].count, elsewhere) == (3, [])
