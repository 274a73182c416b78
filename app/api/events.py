"""What happens to a submission, as it happens: server-sent events (HTML Living Standard, section 9.2).

What has happened stands in the database, in the order in which it did, so that whoever lost the connection goes on
after the last event that arrived. The place in the queue is told too, but not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.status import HTTP_204_NO_CONTENT

from app import repository
from app.api.openapi import problem_answers
from app.api.parameters import SubmissionId
from app.auth import TokenHolder
from app.errors import SubmissionNotFound
from app.events import events_after
from app.models import SubmissionEvent
from app.services import Services, services
from app.tokens import Principal
from app.watching import LOOK_SECONDS, OVER

# Proxies end connections that are silent for a minute.
HEARTBEAT_SECONDS = 15.0
# Then the client comes again, and shows its token again.
STREAM_SECONDS = 600.0
RETRY_MILLISECONDS = 2000
EventId = Annotated[int, Field(ge=0, lt=2**63)]

EXAMPLE = """retry: 2000

event: queued
data: {"submission":"01ksvh1y8gk3v0q4m2z7c9x5ab","at":"2026-09-01T12:00:00+00:00"}
id: 41

event: position
data: {"position":3}

event: reading
data: {"submission":"01ksvh1y8gk3v0q4m2z7c9x5ab","at":"2026-09-01T12:00:02+00:00"}
id: 42

event: done
data: {"submission":"01ksvh1y8gk3v0q4m2z7c9x5ab","at":"2026-09-01T12:00:03+00:00","report":7,"status":"passed"}
id: 45

"""

EVENT_SCHEMA = {
    "type": "object",
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "id": {"type": "string", "description": "what `Last-Event-ID` takes"},
        "retry": {"type": "integer"},
    },
}

router = APIRouter(prefix="/submissions/{submission_id}", tags=["submissions"])


@router.get(
    "/events",
    summary="Watch a submission",
    response_class=Response,
    responses=problem_answers(SubmissionNotFound)
    | {
        200: {
            "description": "Events: `queued`, `position`, then the stages `reading`, `reference`, `running`, "
            "`notebook`, `running_keras2`, `checking` as far as they are needed, then `done` or `cancelled`. The "
            "stream ends with these two, and when the service stops; a regrade begins with `queued` again.",
            "content": {"text/event-stream": {"schema": EVENT_SCHEMA, "example": EXAMPLE}},
        },
        204: {"description": "All is over, and `Last-Event-ID` is the last event: a browser then stops asking."},
    },
)
async def watch_submission(
    request: Request,
    viewer: TokenHolder,
    submission_id: SubmissionId,
    last_event_id: Annotated[
        EventId | SkipJsonSchema[None], Header(description="the last event that arrived; those after it are sent")
    ] = None,
) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        submission = await repository.find_submission(session, submission_id, viewer)
        if submission is None:
            raise SubmissionNotFound
        seen = last_event_id or 0
        if seen and submission.job_status in OVER and not await events_after(session, submission_id, seen):
            return Response(status_code=HTTP_204_NO_CONTENT)
    return StreamingResponse(
        _stream(parts, submission_id, viewer, seen),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},  # nginx would keep what is small.
    )


async def _stream(parts: Services, submission_id: str, viewer: Principal, seen: int) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=RETRY_MILLISECONDS)
    told_position = None
    until = time.monotonic() + STREAM_SECONDS
    quiet_until = time.monotonic() + HEARTBEAT_SECONDS
    while not parts.jobs.stopping and time.monotonic() < until:
        with parts.jobs.watch(submission_id) as changed:
            async with parts.database.read() as session:
                submission = await repository.find_submission(session, submission_id, viewer)
                if submission is None:
                    return
                # After the submission: whoever sees that it is done sees the event that says so.
                events = await events_after(session, submission_id, seen)
                position = await repository.queue_position(session, submission)
            new = [_event(event) for event in events]
            if position is not None and position != told_position:
                new.append(format_sse_event(event="position", data_str=json.dumps({"position": position})))
            seen = max([seen, *(event.id for event in events)])
            told_position = position
            if not new and time.monotonic() >= quiet_until:
                new.append(format_sse_event(comment="still here"))
            if new:
                yield b"".join(new)
                quiet_until = time.monotonic() + HEARTBEAT_SECONDS
            if submission.job_status in OVER:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), LOOK_SECONDS)


def _event(event: SubmissionEvent) -> bytes:
    data: dict[str, Any] = {"submission": event.submission_id, "at": event.created_at.isoformat(), **event.data}
    return format_sse_event(event=event.event, data_str=json.dumps(data), id=str(event.id))
