"""Waits for a submission to change, in this or any other process.

A transaction that changes the submission wakes its waiters in every process when it is committed
(`storage.announcements`). Each waiter also looks now and then, in case a notification was lost; seldom, because
hundreds wait at a deadline.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from fastapi import Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.status import HTTP_204_NO_CONTENT

from app.access import tokens
from app.access.tokens import Principal
from app.errors import NotAuthenticated, existing
from app.services import Services
from app.storage.models import JobStatus, SubmissionEvent
from app.submissions import repository
from app.submissions.events import events_after

LOOK_SECONDS = 15.0
POSITION_SECONDS = 2.0
# An unchanged position is sent again as often, with its estimate; pages count down meanwhile.
SAME_POSITION_SECONDS = 10.0
# Proxies end connections that are silent for a minute.
HEARTBEAT_SECONDS = 15.0
# After a quicker upload the rights are not checked a second time.
SLOW_SECONDS = 1.0
# After that the client connects and authenticates again.
STREAM_SECONDS = 600.0
RETRY_MILLISECONDS = 2000
OVER = (JobStatus.DONE, JobStatus.CANCELLED)


class Job(Protocol):
    """A submission, or a check before handing in."""

    @property
    def job_status(self) -> JobStatus: ...


async def wait_until_done(
    parts: Services,
    submission_id: str,
    viewer: Principal,
    seconds: float,
    find: Callable[[AsyncSession, str, Principal], Awaitable[Job | None]] = repository.find_submission,
) -> None:
    """Return when the job is done, when `seconds` are over, or when the service stops.

    Args:
        find: looks the job up by its id.
    """
    until = time.monotonic() + seconds
    while not parts.jobs.stopping:
        with parts.jobs.watch(submission_id) as maybe_done:
            async with parts.looking, parts.database.read() as session:
                submission = await find(session, submission_id, viewer)
            left = until - time.monotonic()
            if submission is None or submission.job_status in OVER or left <= 0:
                return
            await _wait(maybe_done, min(left, LOOK_SECONDS))


async def current_rights(parts: Services, viewer: Principal) -> Principal:
    """Return the holder with current rights, after a wait.

    Raises:
        NotAuthenticated: they have ended meanwhile.
    """
    async with parts.database.read() as session:
        return existing(await tokens.as_of_now(session, viewer), NotAuthenticated)


async def current_rights_if_slow(parts: Services, viewer: Principal, began: float) -> Principal:
    """Return the holder with current rights, if the request took so long to arrive that they may have changed.

    Args:
        began: when it began to arrive, by the monotonic clock.
    """
    return await current_rights(parts, viewer) if time.monotonic() - began > SLOW_SECONDS else viewer


async def event_stream(parts: Services, submission_id: str, viewer: Principal, seen: int) -> Response:
    """Answer with a submission's events as they happen: server-sent events (HTML Living Standard, section 9.2).

    Events are stored in order, so a client that lost the connection goes on after the last event that arrived. The
    position in the queue is sent too, with the estimated time until the report, but not stored.

    Args:
        seen: the id of the last event that arrived; 0: none.
    Raises:
        SubmissionNotFound: there is none that `viewer` may see.
    """
    async with parts.database.read() as session:
        submission = await repository.existing_submission(session, submission_id, viewer)
        if seen and submission.job_status in OVER and not await events_after(session, submission_id, seen):
            return Response(status_code=HTTP_204_NO_CONTENT)
    return StreamingResponse(
        _stream(parts, submission_id, viewer, seen),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},  # nginx would hold small chunks back.
    )


async def _stream(parts: Services, submission_id: str, viewer: Principal, seen: int) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=RETRY_MILLISECONDS)
    last_position, sent_at = None, 0.0
    began = quiet_since = time.monotonic()
    look_at = began
    with parts.jobs.watch(submission_id) as changed:
        while not parts.jobs.stopping and time.monotonic() < began + STREAM_SECONDS:
            new: list[bytes] = []
            if changed.is_set() or time.monotonic() >= look_at:
                changed.clear()  # Before looking, so that no later change is missed.
                look_at = time.monotonic() + LOOK_SECONDS
                async with parts.looking, parts.database.read() as session:
                    # Rights may have ended since, or changed.
                    now = await tokens.as_of_now(session, viewer)
                    submission = await repository.find_submission(session, submission_id, now) if now else None
                    if submission is None:
                        return
                    # Read after the submission: if that is done, the event that says so is among these.
                    events = await events_after(session, submission_id, seen)
                job_status = submission.job_status
                new += map(_event, events)
                seen = max([seen, *(event.id for event in events)])
            if job_status == JobStatus.QUEUED:
                position = await parts.backlog.place(submission_id)
                is_new = position != last_position or time.monotonic() >= sent_at + SAME_POSITION_SECONDS
                if position is not None and is_new and submission is not None:
                    seconds = await parts.backlog.seconds_left(submission)
                    data = {"position": position, "seconds": None if seconds is None else round(seconds)}
                    new.append(format_sse_event(event="position", data_str=json.dumps(data)))
                    last_position, sent_at = position, time.monotonic()
            if not new and time.monotonic() >= quiet_since + HEARTBEAT_SECONDS:
                new.append(format_sse_event(comment="still here"))
            if new:
                yield b"".join(new)
                quiet_since = time.monotonic()
            if job_status in OVER:
                return
            await _wait(changed, POSITION_SECONDS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _event(event: SubmissionEvent) -> bytes:
    data: dict[str, Any] = {"submission": event.submission_id, "at": event.created_at.isoformat(), **event.data}
    return format_sse_event(event=event.event, data_str=json.dumps(data), id=str(event.id))
