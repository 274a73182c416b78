"""Previews of regrades, seen by nobody until they are applied; decisions on held attempts; two of these at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import Principal
from app.errors import PreviewApplied, PreviewDropped, PreviewUnfinished
from app.privacy import deletion
from app.queue import claims
from app.queue.claims import Claim
from app.storage.database import Database
from app.storage.models import (
    Change,
    CourseAssignment,
    Delivery,
    HoldDecision,
    JobStatus,
    Membership,
    Regrade,
    RegradeItem,
    StoredReport,
    Submission,
    SubmissionEvent,
)
from app.storage.paging import Paging
from app.submissions import positions, reports, repository
from app.submissions.derivation import Counted
from app.submissions.grades import counted_grades
from app.teaching import holds, previews, regrades
from app.teaching.regrade_changes import ChangeCounts, count_changes, list_changes
from app.webhooks import outbox
from grader import Report, Status, load_assignments
from grader.report.model import HELD, Advisory
from tests.integration.app import rows
from tests.integration.app.kinds import on_both, on_both_thoroughly, on_postgresql
from tests.integration.app.rows import (
    ARRAYS,
    REPORT,
    add,
    all_of,
    begin_regrade,
    claim,
    finish,
    job_status,
    read_by,
    row_of,
    waits,
    write_by,
)
from tests.waiting import until

End = Callable[[Database, Regrade], Awaitable[object]]

ASSIGNMENTS = load_assignments()
HELD_REPORT = REPORT.model_copy(update={"advisories": [Advisory(code=HELD, params={"variant": "forged"})]})


def report_of(points: float | None) -> Report:
    status = Status.INTERNAL_ERROR if points is None else Status.FAILED
    return REPORT.model_copy(update={"points": points, "status": status})


async def store(database: Database, taken: Claim | None, report: Report) -> bool:
    return await finish(database, taken, report, ARRAYS)


async def graded(database: Database, points: float = 10.0, student: str = "ivanov") -> Submission:
    return await rows.graded(database, student, report_of(points))


begin = partial(begin_regrade, preview=True)


async def apply(database: Database, regrade: Regrade) -> None:
    await write_by(database, previews.apply, regrade.id)


async def drop(database: Database, regrade: Regrade) -> None:
    await write_by(database, previews.drop, regrade.id)


async def counting(database: Database, submission: Submission) -> float | None:
    async with database.read() as session:
        report = await reports.newest_report(session, submission.id)
        listed = await reports.list_reports(session, submission.id)
        by_id = await session.scalar(select(reports.counting_report_id()).where(Submission.id == submission.id))
    assert report.id == by_id
    assert report.id in [each.id for each in listed]
    return report.points


async def seen(database: Database, submission: Submission) -> tuple[Any, ...]:
    """All that a student can see of it, and all that others are sent."""
    async with database.read() as session:
        row = await session.get_one(Submission, submission.id)
        events = (await session.execute(select(SubmissionEvent.id).order_by(SubmissionEvent.id))).all()
        sent = (await session.execute(select(Delivery.report_id).order_by(Delivery.id))).all()
        ids = [each.id for each in await reports.list_reports(session, submission.id)]
        position = await positions.queue_position(session, row)
        oldest = await positions.oldest_upload_seconds(session)
    return row.job_status, row.tries, row.claim, row.held_at, events, sent, ids, position, oldest


async def add_webhook(database: Database, owner: Principal) -> None:
    await write_by(database, outbox.add_webhook, url="https://lms.example.org", created_by=owner.id)


async def sent(database: Database) -> list[float | None]:
    points = select(StoredReport.points).join(Delivery, Delivery.report_id == StoredReport.id)
    return await all_of(database, points.order_by(Delivery.id))


@on_both
async def test_preview_is_seen_by_nobody_until_it_is_applied(database, owner):
    await add_webhook(database, owner)
    submission = await graded(database)
    before = await seen(database, submission)
    regrade = await begin(database, submission.id)
    assert await seen(database, submission) == before
    taken = await claim(database)
    assert (taken.preview_id, taken.content, taken.tries) == (regrade.id, submission.content, 1)
    await write_by(database, claims.add_stages, taken, ["reading"])
    assert await seen(database, submission) == before
    arrays = dict.fromkeys(ARRAYS, b"others")
    assert await finish(database, taken, HELD_REPORT, arrays)
    assert await seen(database, submission) == before
    assert await claim(database) is None
    assert await sent(database) == [10.0]

    await apply(database, regrade)
    assert await counting(database, submission) == 100.0
    row = await row_of(database, Submission, submission.id)
    listed = await read_by(database, reports.list_reports, submission.id)
    assert [await read_by(database, reports.artefacts_of, each.id) for each in listed] == [arrays, ARRAYS]
    events = await all_of(database, select(SubmissionEvent).order_by(SubmissionEvent.id))
    last = events[-1]
    assert (last.event, last.data["points"]) == ("done", 100.0)
    # It is held now, so it is sent when a teacher has decided.
    assert row.held_at is not None
    assert await sent(database) == [10.0]


@on_both_thoroughly
async def test_preview_that_holds_an_attempt_changes_something_before_it_is_applied(database):
    submission = await graded(database, 100.0)
    regrade = await begin(database, submission.id)
    same = HELD_REPORT.model_copy(update={"points": 100.0, "status": Status.FAILED})
    assert await store(database, await claim(database), same)

    async def changes() -> tuple[ChangeCounts, int]:
        listed = await read_by(database, list_changes, regrade.id, only_changed=True, limit=9)
        return (await read_by(database, count_changes, regrade.id), len(listed))

    async def held_at() -> datetime | None:
        return (await row_of(database, Submission, submission.id)).held_at

    assert await changes() == (ChangeCounts(held=1), 1)
    await apply(database, regrade)
    assert await changes() == (ChangeCounts(), 0)
    since = await held_at()
    again = await begin(database, submission.id)
    assert await store(database, await claim(database), same)
    await apply(database, again)
    assert await held_at() == since


@on_both
async def test_applied_reports_are_sent_once(database, owner):
    await add_webhook(database, owner)
    submissions = [await graded(database, student=name) for name in ("ivanov", "petrov")]
    regrade = await begin(database, *(each.id for each in submissions))
    for points in (30.0, 40.0):
        with pytest.raises(PreviewUnfinished):
            await apply(database, regrade)
        assert await store(database, await claim(database), report_of(points))
    assert await sent(database) == [10.0, 10.0]
    await apply(database, regrade)
    await apply(database, regrade)
    assert await sent(database) == [10.0, 10.0, 30.0, 40.0]
    with pytest.raises(PreviewApplied):
        await drop(database, regrade)
    progress = await read_by(database, regrades.find_regrade, regrade.id)
    items = await read_by(database, regrades.list_items, regrade.id, Paging(5), only_changed=True)
    assert (progress.total, progress.done, progress.changed, progress.superseded) == (2, 2, 2, 0)
    assert [item.is_applied for item in items] == [True, True]


@on_both
async def test_dropped_preview_leaves_nothing_and_is_graded_no_more(database):
    submissions = [await graded(database, student=name) for name in ("ivanov", "petrov", "sidorov")]
    regrade = await begin(database, *(each.id for each in submissions))
    assert await store(database, await claim(database), report_of(30.0))
    running = await claim(database)
    await drop(database, regrade)
    await drop(database, regrade)
    assert not await store(database, running, report_of(40.0))
    assert await claim(database) is None
    with pytest.raises(PreviewDropped):
        await apply(database, regrade)
    async with database.read() as session:
        assert list(await session.scalars(select(StoredReport.points))) == [10.0] * 3
        for table in ("artefacts", "report_diagnoses"):
            orphans = text(f"SELECT count(*) FROM {table} WHERE report_id NOT IN (SELECT id FROM reports)")
            assert await session.scalar(orphans) == 0
        progress = await regrades.find_regrade(session, regrade.id)
    assert progress.regrade.dropped_at is not None
    assert (progress.total, progress.done) == (3, 0)
    assert [await counting(database, each) for each in submissions] == [10.0] * 3


@on_both
async def test_regrade_and_previews_of_one_submission_each_have_their_report(database):
    submission = await graded(database)
    first, second = [await begin(database, submission.id) for _ in range(2)]
    normal = await begin(database, submission.id, preview=False)
    taken = [await claim(database) for _ in range(3)]
    assert [each and each.preview_id for each in taken] == [None, first.id, second.id]
    for each, points in zip(taken, (20.0, 30.0, 40.0), strict=True):
        with pytest.raises(PreviewUnfinished):
            await apply(database, second)
        assert await store(database, each, report_of(points))
    async with database.read() as session:
        of_regrades = select(RegradeItem.regrade_id, StoredReport.points)
        rows = await session.execute(of_regrades.join(StoredReport, StoredReport.id == RegradeItem.new_report_id))
    assert dict(iter(rows)) == {normal.id: 20.0, first.id: 30.0, second.id: 40.0}
    assert await counting(database, submission) == 20.0
    await apply(database, second)
    assert await counting(database, submission) == 40.0
    # An older report takes nothing from a newer one.
    await apply(database, first)
    assert await counting(database, submission) == 40.0
    (item,) = await read_by(database, regrades.list_items, first.id, Paging(5), only_changed=False)
    progress = await read_by(database, regrades.find_regrade, first.id)
    assert (item.is_applied, progress.superseded) == (False, 1)


async def test_regrade_leaves_out_what_has_no_report_and_lets_a_running_grade_go_on(database):
    submission = await graded(database)
    await begin(database, submission.id, preview=False)
    running = await claim(database)
    waiting = await add(database, "petrov")
    for preview in (False, True):
        regrade = await begin(database, submission.id, waiting.id, preview=preview)
        assert await job_status(database, submission.id) == (JobStatus.RUNNING, 1)
        progress = await read_by(database, regrades.find_regrade, regrade.id)
        assert progress.total == 1
    assert await store(database, running, report_of(30.0))


@on_both
async def test_uploads_and_regrades_go_before_previews(database):
    first, second = [await graded(database, student=name) for name in ("ivanov", "petrov")]
    await begin(database, first.id)
    await begin(database, second.id, preview=False)
    upload = await add(database, "ivanov")
    taken = [await claim(database) for _ in range(3)]
    assert [each and each.submission_id for each in taken] == [upload.id, second.id, first.id]
    # Nor does an upload wait for a preview of the same student to end.
    assert await finish(database, taken[0])
    at_once = await add(database, "ivanov")
    assert await read_by(database, positions.queue_position, at_once) == 1
    assert (await rows.next_claim(database)).submission_id == at_once.id


@on_both
async def test_preview_of_a_dead_worker_is_graded_again_behind_the_others(database):
    submissions = [await graded(database, student=name) for name in ("ivanov", "petrov")]
    regrade = await begin(database, *(each.id for each in submissions))
    lost = await claim(database)
    assert await write_by(database, claims.requeue_running) == 1
    other, again = await claim(database), await claim(database)
    assert (other.submission_id, again.submission_id) == (submissions[1].id, submissions[0].id)
    assert again.tries == 2
    assert not await store(database, lost, report_of(1.0))
    # One that was only stopped keeps its tries.
    assert await write_by(database, claims.release, again)
    again = await claim(database)
    assert again.tries == 2
    for each in (again, other):
        assert await store(database, each, report_of(30.0))
    await apply(database, regrade)
    assert [await counting(database, each) for each in submissions] == [30.0] * 2
    assert {await job_status(database, each.id) for each in submissions} == {(JobStatus.DONE, 1)}


@on_postgresql
async def test_silent_claim_on_a_preview_is_found_by_its_heartbeat(database):
    submission = await graded(database)
    regrade = await begin(database, submission.id)
    taken = await claim(database)
    (found,) = await write_by(database, claims.beat, "other", [])
    assert (found.preview_id, found.claim, found.beat) == (regrade.id, taken.id, 0)
    async with database.write() as session:
        assert await claims.beat(session, "own", [taken.id]) == []
        assert not await claims.requeue_silent(session, found)
        assert await claims.requeue_silent(session, replace(found, beat=1))
    assert not await store(database, taken, report_of(30.0))
    assert await claim(database) is not None


async def outcome(done: Awaitable[object]) -> type[Exception] | None:
    try:
        await done
    except Exception as exc:
        return type(exc)
    return None


@on_both
@pytest.mark.parametrize("ends", [(apply, drop), (drop, apply)], ids=["apply first", "drop first"])
async def test_either_apply_or_drop_at_the_same_time_wins(database, ends):
    submission = await graded(database)
    regrade = await begin(database, submission.id)
    assert await store(database, await claim(database), report_of(30.0))
    outcomes = dict(zip(ends, await asyncio.gather(*(outcome(end(database, regrade)) for end in ends)), strict=True))
    refusals = (outcomes[apply], outcomes[drop])
    assert refusals in [(None, PreviewApplied), (PreviewDropped, None)]
    assert await counting(database, submission) == (30.0 if outcomes[apply] is None else 10.0)


@on_postgresql
@pytest.mark.parametrize("end", [apply, drop, lambda database, _: deletion.delete_student(database, "ivanov")])
async def test_end_of_a_preview_while_its_reports_are_stored_stops_nobody(database, end):
    """PostgreSQL would end one of two transactions that wait for one another."""
    submissions = [await graded(database, student="ivanov") for _ in range(8)]
    regrade = await begin(database, *(each.id for each in submissions))
    taken = [await claim(database) for _ in submissions]
    assert all(taken)

    async def end_when_done() -> None:
        while await outcome(end(database, regrade)) is PreviewUnfinished:
            await asyncio.sleep(0)

    stored = await asyncio.gather(*(store(database, each, report_of(30.0)) for each in taken), end_when_done())
    left = await all_of(database, select(StoredReport.points).where(StoredReport.points == 30.0))
    if end is apply:
        assert stored == [True] * 8 + [None]
        assert len(left) == 8
    else:
        assert left == []


@on_both_thoroughly
@pytest.mark.parametrize(
    "report", [report_of(40.0), report_of(None), HELD_REPORT], ids=["more points", "our failure", "held"]
)
async def test_grade_that_a_preview_foretells_is_the_one_that_comes_with_it(database, report):
    await graded(database, 10.0)
    second = await graded(database, 30.0)

    async def counted(preview: str | None = None) -> Counted:
        async with database.read() as session:
            member = await session.get_one(Membership, second.membership_id)
            use = await session.get_one(CourseAssignment, second.course_assignment_id)
            return (await counted_grades(session, ASSIGNMENTS, [member], [use], preview=preview))[member.id, use.id]

    before = await counted()
    preview = await begin(database, second.id)
    assert await store(database, await claim(database), report)
    foretold = await counted(preview.id)
    assert await counted() == before
    await apply(database, preview)
    assert await counted() == foretold
    assert before.points == 30.0
    assert (foretold == before) == (report.points is None)


async def held(database: Database, owner: Principal) -> Submission:
    """An attempt that waits for a decision, and a webhook that waits for its report."""
    await add_webhook(database, owner)
    submission = await add(database)
    report = HELD_REPORT.model_copy(update={"points": 40.0, "status": Status.FAILED})
    assert await store(database, await claim(database), report)
    return submission


async def decide(session: AsyncSession, owner: Principal, submission: Submission, by: str) -> None:
    attempt = await repository.existing_submission(session, submission.id, owner)
    accepted = {"decision": HoldDecision.ACCEPTED, "reason": f"{by} has looked"}
    assert await holds.decide(session, attempt, **accepted, decided_by=by)


@on_both
async def test_later_of_two_decisions_at_the_same_time_replaces_the_other(database, owner):
    submission = await held(database, owner)

    async def of_another() -> None:
        await write_by(database, decide, owner, submission, "sidorova")

    async with database.write() as session:
        await decide(session, owner, submission, "petrova")
        second = asyncio.create_task(of_another())
        await until(lambda: waits(database))
    await second
    assert await sent(database) == [40.0]
    logged = await all_of(database, select(Change).order_by(Change.id))
    replaced = [each.before.get("hold", {}).get("reason") for each in logged]
    assert replaced == [None, "petrova has looked"]


@on_both
@pytest.mark.parametrize(("first", "expected"), [("decision", [40.0, 100.0]), ("preview", [100.0])])
async def test_preview_that_is_applied_beside_a_decision_is_sent(database, owner, first, expected):
    submission = await held(database, owner)
    regrade = await begin(database, submission.id)
    assert await store(database, await claim(database), HELD_REPORT)

    async def act(session: AsyncSession, what: str) -> None:
        if what == "decision":
            await decide(session, owner, submission, "petrova")
        else:
            await previews.apply(session, regrade.id)

    async def then() -> None:
        await write_by(database, act, "preview" if first == "decision" else "decision")

    async with database.write() as session:
        await act(session, first)
        second = asyncio.create_task(then())
        await until(lambda: second.done() or waits(database))
    await second
    assert await sent(database) == expected
