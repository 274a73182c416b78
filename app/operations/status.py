"""The state of the whole service for its operator, and the problems that need one.

Each part is read separately. An unreadable one is None, and the page says so, because during an outage the operator
needs the others all the more. Workers on other machines describe themselves with their heartbeats (`About`).
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import func, or_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.operations.about import About
from app.queue.state import Queue, WorkerState, queue_of, workers_of
from app.storage import revisions
from app.storage.announcements import is_postgresql
from app.storage.database import Database
from app.storage.models import Delivery, StoredReport, Submission, Webhook, utc_now
from app.submissions.reports import counting_report_id
from grader import Status
from grader.version import grader_version

#: The page is opened because something is wrong, so no part may hold up the others for long.
PART_SECONDS = 3.0
DAY = timedelta(days=1)
ERRORS_LISTED = 10
#: The wait of an upload that needs the operator; usual waits last seconds.
WAIT_SECONDS = 600.0
DISK_SHARE, DISK_BYTES = 0.1, 5_000_000_000
T = TypeVar("T")
#: The state of a server that is not ours; "unasked": nobody has needed it yet.
Health = Literal["off", "unasked", "well", "failing"]


@dataclass(frozen=True)
class Need:
    """Something that needs the operator: a code with its parameters, for a sentence."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """Work that failed by our fault: a request, or the grading of an attempt.

    Attributes:
        type, message: of the exception. A request's exception may quote the request, so its message is not kept.
        request: its method and route; id: the one in its log lines.
        submission: the attempt without a grade.
        graded_since: whether a later report of the attempt has a grade.
    """

    at: datetime
    type: str
    message: str = ""
    request: str = ""
    id: str = ""
    submission: Submission | None = None
    graded_since: bool = False


@dataclass(frozen=True)
class Deliveries:
    """Deliveries of webhooks.

    Attributes:
        waiting: the number to be sent, now or later.
        failing: how many of these have failed before.
        given_up: the number given up in the last day.
        errors: the ids of failing webhooks, each with an error.
    """

    waiting: int
    failing: int
    given_up: int
    errors: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Disk:
    free_bytes: int
    total_bytes: int
    folder: str = ""

    @property
    def is_low(self) -> bool:
        return self.free_bytes < min(DISK_BYTES, DISK_SHARE * self.total_bytes)


@dataclass(frozen=True)
class ServiceState:
    """The parts of the state; None: a part could not be read. Attributes: failures: of attempts."""

    queue: Queue | None
    workers: Sequence[WorkerState] | None
    failures: Sequence[Failure] | None
    deliveries: Deliveries | None
    disk: Disk | None
    database: tuple[str, tuple[str | None, str]] | None
    is_writable: bool
    mail: Health
    sign_on: Health
    failed_requests: Sequence[Failure] = ()

    @property
    def needs(self) -> list[Need]:
        """The problems that need the operator, the worst first."""
        return _needs(self)

    @property
    def all_failures(self) -> list[Failure]:
        """The failures of attempts and requests, the newest first."""
        return sorted([*(self.failures or ()), *self.failed_requests], key=lambda each: each.at, reverse=True)


async def state_of(
    database: Database,
    *,
    about: About | None,
    is_working: bool,
    is_writable: bool,
    data_dir: Path,
    mail: Health,
    sign_on: Health,
    failed_requests: Sequence[Failure],
) -> ServiceState:
    """Read the state of the service, each part for a few seconds at most.

    Args:
        about: this process, if it grades.
        is_working: whether its queue works.
        is_writable: whether the database could be written to a moment ago.
        failed_requests: those of this process.
    """
    grading = about if is_working else None
    queue, workers, failures, deliveries, version = await asyncio.gather(
        _part(database, lambda session: queue_of(session, grading.slots if grading else 0)),
        _part(database, lambda session: workers_of(session, grading.as_json() if grading else None)),
        _part(database, _failures),
        _part(database, _deliveries),
        _part(database, _database),
    )
    disk = await _disk(data_dir)
    return ServiceState(
        queue, workers, failures, deliveries, disk, version, is_writable, mail, sign_on, failed_requests
    )


async def _part(database: Database, read: Callable[[AsyncSession], Awaitable[T]]) -> T | None:
    try:
        async with asyncio.timeout(PART_SECONDS), database.read() as session:
            return await read(session)
    except (SQLAlchemyError, OSError, KeyError, ValueError) as exc:  # TimeoutError is an OSError.
        database.outage.record_failure("status", exc)
        return None


def _needs(state: ServiceState) -> list[Need]:
    needs = []
    if not state.is_writable or state.database is None:
        needs.append(Need("database"))
    elif state.database[1][0] != state.database[1][1]:
        needs.append(Need("revision", {"current": state.database[1][0] or "–", "newest": state.database[1][1]}))
    of_workers = _needs_of_workers(state.workers) if state.workers is not None else []
    needs += of_workers
    # Without workers, the long wait needs no explanation.
    if Need("no_workers") not in of_workers and state.queue and state.queue.state.oldest_seconds > WAIT_SECONDS:
        needs.append(Need("queue", {"seconds": state.queue.state.oldest_seconds}))
    if state.disk and state.disk.is_low:
        needs.append(Need("disk", {"free_bytes": state.disk.free_bytes, "folder": state.disk.folder}))
    if open_failures := [each for each in state.failures or () if not each.graded_since]:
        needs.append(Need("failures", {"count": len(open_failures)}))
    if requests := [each for each in state.failed_requests if each.at > utc_now() - DAY]:
        needs.append(Need("requests", {"count": len(requests)}))
    if state.deliveries and (state.deliveries.failing or state.deliveries.given_up):
        needs.append(Need("webhooks", {"count": state.deliveries.failing + state.deliveries.given_up}))
    if state.mail == "failing":
        needs.append(Need("mail"))
    if state.sign_on == "failing":
        needs.append(Need("sign_on"))
    return needs


def _needs_of_workers(workers: Sequence[WorkerState]) -> list[Need]:
    alive = [each for each in workers if each.is_alive]
    if not alive:
        return [Need("no_workers")]
    needs = [
        Need("worker_gone", {"host": str(each.about.get("host", "–")), "seconds": each.seconds})
        for each in workers
        if not each.is_alive
    ]
    for each in alive:
        host = str(each.about.get("host", "–"))
        if each.test.get("failure") or (each.test.get("has_ended") and not each.test.get("passed")):
            needs.append(Need("self_test", {"host": host, "reason": each.test.get("failure") or "–"}))
        if each.open_parts:
            needs.append(Need("wall", {"host": host, "parts": each.open_parts}))
    versions = {each.about.get("grader") for each in alive} - {None}
    if versions - {grader_version()}:
        needs.append(Need("versions", {"versions": sorted(map(str, versions))}))
    return needs


async def _failures(session: AsyncSession) -> Sequence[Failure]:
    counting = select(StoredReport.points).where(StoredReport.id == counting_report_id()).correlate(Submission)
    rows = await session.execute(
        select(Submission, StoredReport, counting.scalar_subquery())
        .join(Submission, Submission.id == StoredReport.submission_id)
        .where(StoredReport.status == Status.INTERNAL_ERROR.value, StoredReport.preview_id.is_(None))
        .order_by(StoredReport.id.desc())
        .limit(ERRORS_LISTED)
    )
    failures = []
    for submission, report, points in rows:
        error = report.body.get("error") or {}
        names = str(error.get("type", "")), str(error.get("message", ""))
        failures.append(Failure(report.created_at, *names, submission=submission, graded_since=points is not None))
    return failures


async def _deliveries(session: AsyncSession) -> Deliveries:
    is_waiting, was_tried = Delivery.next_at.is_not(None), Delivery.attempts > 0
    given_up = Delivery.next_at.is_(None) & Delivery.delivered_at.is_(None) & (Delivery.created_at > utc_now() - DAY)
    waiting, failing, dropped = [
        await session.scalar(select(func.count()).where(each)) or 0
        for each in (is_waiting, is_waiting & was_tried, given_up)
    ]
    rows = await session.execute(
        select(Webhook.id, func.max(Delivery.last_error))
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(or_(is_waiting & was_tried, given_up))
        .group_by(Webhook.id)
        .limit(ERRORS_LISTED)
    )
    return Deliveries(waiting, failing, dropped, [(id, error or "") for id, error in rows])


async def _database(session: AsyncSession) -> tuple[str, tuple[str | None, str]]:
    connection = await session.connection()
    if is_postgresql(session):
        name = f"PostgreSQL {await session.scalar(text('SHOW server_version'))}"
    else:
        name = f"SQLite {await session.scalar(text('SELECT sqlite_version()'))}"
    return name, await connection.run_sync(revisions.revisions_of)


async def _disk(data_dir: Path) -> Disk | None:
    try:
        usage = await asyncio.to_thread(shutil.disk_usage, data_dir)
    except OSError:
        return None  # On PostgreSQL a service may have no data folder.
    return Disk(usage.free, usage.total, str(data_dir.absolute()))
