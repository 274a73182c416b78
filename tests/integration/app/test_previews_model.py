"""Previews against a simple model: what counts, and what is sent, after any sequence of what can happen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as assert_holds
from sqlalchemy import select

from app.access import tokens
from app.access.tokens import Principal
from app.errors.teaching import PreviewApplied, PreviewDropped, PreviewUnfinished
from app.privacy import deletion
from app.queue import claims
from app.queue.claims import Claim
from app.storage.database import Database
from app.storage.models import Delivery, JobStatus, StoredReport, Submission
from app.submissions import repository
from app.teaching import previews, regrades
from app.webhooks import outbox
from grader import Status
from tests.integration.app.kinds import on_both_thoroughly
from tests.integration.app.rows import REPORT, add, claim

T = TypeVar("T")
POINTS = st.sampled_from([None, 10.0, 40.0, 100.0])
STUDENTS = 2
names = count()


@dataclass
class Kept:
    """A submission in the model. Attributes: reports: those that count or have counted, as (number, points)."""

    id: str
    job_status: JobStatus = JobStatus.QUEUED
    reports: dict[int, float | None] = field(default_factory=dict)

    @property
    def counting(self) -> tuple[int, float | None]:
        with_points = {number: points for number, points in self.reports.items() if points is not None}
        newest = max(with_points or self.reports, default=0)
        return newest, self.reports.get(newest)


@dataclass
class Preview:
    """A preview in the model. Attributes: items: the report of each submission as (number, points); None: it waits."""

    id: str
    items: dict[str, tuple[int, float | None] | None]
    state: str = "waiting"


class Machine(RuleBasedStateMachine):
    database: Database
    owner: Principal
    loop: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.students = [f"s{next(names)}" for _ in range(STUDENTS)]
        self.submissions: dict[str, Kept] = {}
        self.previews: list[Preview] = []
        self.running: list[Claim] = []
        self.sent: list[tuple[str, float | None]] = []
        self.numbers = count(1)

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(what)

    def teardown(self) -> None:
        for student in self.students:
            self.do(deletion.delete_student(self.database, student))

    @rule(who=st.integers(0, STUDENTS - 1))
    def upload(self, who: int) -> None:
        added = self.do(add(self.database, self.owner, self.students[who]))
        self.submissions[added.id] = Kept(added.id)

    @rule()
    def claim(self) -> None:
        taken = self.do(claim(self.database))
        if taken is None:
            return
        self.running.append(taken)
        if taken.preview_id is None:
            assert self.submissions[taken.submission_id].job_status == JobStatus.QUEUED
            self.submissions[taken.submission_id].job_status = JobStatus.RUNNING
            return
        (preview,) = [each for each in self.previews if each.id == taken.preview_id]
        assert preview.state == "waiting"
        assert preview.items[taken.submission_id] is None

    @precondition(lambda self: self.running)
    @rule(points=POINTS, data=st.data())
    def finish(self, points: float | None, data: st.DataObject) -> None:
        taken = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        status = Status.FAILED if points is not None else Status.INTERNAL_ERROR
        report = REPORT.model_copy(update={"points": points, "status": status})

        async def store() -> bool:
            async with self.database.write() as session:
                return await claims.finish(session, taken, report)

        number = next(self.numbers)
        stored = self.do(store())
        if taken.preview_id is None:
            assert stored
            submission = self.submissions[taken.submission_id]
            submission.job_status = JobStatus.DONE
            submission.reports[number] = points
            self.sent.append((taken.submission_id, points))
            return
        (preview,) = [each for each in self.previews if each.id == taken.preview_id]
        assert stored == (preview.state == "waiting")
        if stored:
            preview.items[taken.submission_id] = number, points

    @precondition(lambda self: self.running)
    @rule()
    def worker_dies(self) -> None:
        async def requeue() -> int:
            async with self.database.write() as session:
                return await claims.requeue_running(session)

        self.do(requeue())
        for taken in self.running:
            if taken.preview_id is None:
                self.submissions[taken.submission_id].job_status = JobStatus.QUEUED
        self.running = []

    @precondition(lambda self: self.submissions)
    @rule(preview=st.booleans(), data=st.data())
    def regrade(self, preview: bool, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.submissions)), min_size=1, max_size=3, unique=True))

        async def begin() -> str:
            async with self.database.write() as session:
                made = await regrades.begin(
                    session, requested_by=self.owner.id, meant=ids, selection={}, is_preview=preview
                )
                return made.id

        id = self.do(begin())
        graded = [self.submissions[each] for each in ids if self.submissions[each].reports]
        if preview:
            self.previews.append(Preview(id, {each.id: None for each in graded}))
            return
        for each in graded:
            if each.job_status == JobStatus.DONE:
                each.job_status = JobStatus.QUEUED

    async def _ends(self, preview: Preview, *, apply: bool) -> type[Exception] | None:
        try:
            async with self.database.write() as session:
                await (previews.apply if apply else previews.drop)(session, preview.id)
        except (PreviewApplied, PreviewDropped, PreviewUnfinished) as exc:
            return type(exc)
        return None

    @precondition(lambda self: self.previews)
    @rule(data=st.data())
    def apply(self, data: st.DataObject) -> None:
        preview = data.draw(st.sampled_from(self.previews))
        refused = self.do(self._ends(preview, apply=True))
        if preview.state == "dropped":
            assert refused is PreviewDropped
        elif None in preview.items.values():
            assert refused is PreviewUnfinished
        else:
            assert refused is None
        if refused is not None or preview.state == "applied":
            return
        preview.state = "applied"
        delivered = []
        for id, (number, points) in ((id, report) for id, report in preview.items.items() if report is not None):
            if self.submissions[id].counting[0] < number:
                self.submissions[id].reports[number] = points
                delivered.append((number, id, points))
        self.sent += [(id, points) for _, id, points in sorted(delivered)]

    @precondition(lambda self: self.previews)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        preview = data.draw(st.sampled_from(self.previews))
        refused = self.do(self._ends(preview, apply=False))
        assert refused is (PreviewApplied if preview.state == "applied" else None)
        if refused is None:
            preview.state = "dropped"

    @invariant()
    def is_as_in_the_model(self) -> None:
        async def found() -> tuple[dict[str, tuple[JobStatus, float | None]], list[tuple[str, float | None]]]:
            async with self.database.read() as session:
                counting = await session.execute(
                    select(Submission.id, Submission.job_status, StoredReport.points)
                    .outerjoin(StoredReport, StoredReport.id == repository.counting_report_id())
                    .where(Submission.student.in_(self.students))
                )
                sent = await session.execute(
                    select(StoredReport.submission_id, StoredReport.points)
                    .join(Delivery, Delivery.report_id == StoredReport.id)
                    .order_by(Delivery.id)
                )
                return {id: (status, points) for id, status, points in counting}, [(*row,) for row in sent]

        counting, sent = self.do(found())
        assert counting == {each.id: (each.job_status, each.counting[1]) for each in self.submissions.values()}
        assert sent == self.sent


@on_both_thoroughly
def test_model_says_which_reports_count_and_which_are_sent(url: str) -> None:
    database = Database(url)

    async def prepare() -> Principal:
        await database.upgrade()
        async with database.write() as session:
            owner = Principal.of(await tokens.set_owner_token(session, "0" * 64))
            await outbox.add_webhook(session, url="https://lms.example.org", created_by=owner.id)
        return owner

    with asyncio.Runner() as loop:
        owner = loop.run(prepare())
        machine = type("OfThisDatabase", (Machine,), {"database": database, "owner": owner, "loop": loop})
        try:
            assert_holds(
                machine,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            loop.run(database.close())
