"""The event stream of a submission."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.openapi import problem_answers
from app.errors.submissions import SubmissionNotFound
from app.http.auth.holders import Reader
from app.http.parameters import LastEventId, SubmissionId
from app.http.watching import event_stream
from app.services import services
from app.submissions.events import STAGES

EXAMPLE = """retry: 2000

event: queued
data: {"submission":"01ksvh1y8gk3v0q4m2z7c9x5ab","at":"2026-09-01T12:00:00+00:00"}
id: 41

event: position
data: {"position":3,"seconds":41}

event: reading
data: {"submission":"01ksvh1y8gk3v0q4m2z7c9x5ab","at":"2026-09-01T12:00:02+00:00"}
id: 42

event: done
data: {"submission":"01ksvh1y8gk3v0q4m2z7c9x5ab","at":"2026-09-01T12:00:03+00:00","report":7,"status":"passed"}
id: 45

"""

# `schema` is the whole stream. It has no type: generated clients would parse an object's stream as JSON, and give the
# text of this one. `itemSchema` is one event (OpenAPI 3.2; earlier readers ignore it).
STREAM: dict[str, Any] = {
    "schema": {"description": "the events as they come"},
    "itemSchema": {
        "type": "object",
        "properties": {
            "event": {"type": "string"},
            "data": {"type": "string", "contentMediaType": "application/json"},
            "id": {"type": "string", "description": "a value for `Last-Event-ID`"},
            "retry": {"type": "integer"},
        },
    },
    "example": EXAMPLE,
}

router = APIRouter(prefix="/submissions/{submission_id}", tags=["submissions"])


@router.get(
    "/events",
    summary="Watch a submission",
    response_class=Response,
    responses=problem_answers(SubmissionNotFound)
    | {
        200: {
            "description": "Events: `queued`, `position` with the estimated `seconds` until the report (less than 0: "
            f"overdue; null: unknown), then the stages {', '.join(f'`{each}`' for each in STAGES)} that are needed, "
            "then `done` or `cancelled`. The stream ends after either of these, and when the service stops. A regrade "
            "begins with `queued` again.",
            "content": {"text/event-stream": STREAM},
        },
        204: {"description": "`Last-Event-ID` is the last event, and no more will come. A browser then stops asking."},
    },
)
async def watch_submission(
    request: Request, viewer: Reader, submission_id: SubmissionId, last_event_id: LastEventId = None
) -> Response:
    return await event_stream(services(request), submission_id, viewer, last_event_id or 0)
