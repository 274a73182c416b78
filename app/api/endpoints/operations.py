"""Health, readiness and metrics, for load balancers, container platforms and monitoring. Workers answer these, too."""

import asyncio
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Depends, Request, Response, status
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from app.api.openapi import file_answer
from app.bodies import Body, shows
from app.http.auth.holders import monitor
from app.services import Operations, operations
from app.submissions import positions
from app.submissions.positions import QueueState
from app.webhooks import outbox

METRICS = "metrics"
# Monitoring waits little longer than this, and asks again.
DATABASE_SECONDS = 3.0

router = APIRouter(tags=["operations"])


class Health(Body):
    status: Literal["ok"]
    version: str = Field(examples=["1.0.0"])


class Readiness(Body):
    status: Literal["ready", "not_ready"]
    checks: dict[Literal["database", "queue", "box", "workers"], Literal["ok", "failed", "elsewhere", "none"]] = shows(
        "`database`: a write succeeded a moment ago; `box`: a known answer recently got all its points, or "
        "`elsewhere`: other processes grade; `workers`: whether there are such processes, or `none`"
    )


@router.get("/healthz", summary="Whether the service answers")
async def healthz() -> Health:
    """Answer as soon as the service runs, without asking the database or the box. Needs no token."""
    return Health(status="ok", version=version("lstm-grader"))


@router.get("/readyz", summary="Whether the service can do its work", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Answer 503 while something is missing: a database that can be written to, a running queue, a recent grade.

    Needs no token. A background task asks the database, not this request.
    """
    state = operations(request)
    self_test = state.self_test
    readiness = Readiness(
        status="ready",
        checks={
            "database": "ok" if state.probe.passed else "failed",
            "queue": "ok" if state.is_working() else "failed",
            "box": "elsewhere" if self_test is None else "ok" if self_test.passed else "failed",
        },
    )
    if state.probe.seen is not None:
        # Without workers a service still accepts uploads, so it is ready.
        readiness.checks["workers"] = "ok" if state.probe.seen else "none"
    if "failed" in readiness.checks.values():
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return readiness.model_copy(update={"status": "not_ready"})
    return readiness


@router.get(
    "/metrics",
    summary="Numbers for monitoring",
    dependencies=[Depends(monitor)],
    response_class=Response,
    responses={200: file_answer("Metrics in Prometheus' text format.", "text/plain")},
)
async def metrics(request: Request) -> Response:
    """Read the metrics. Needs the token that `LSTM_GRADER_METRICS_TOKEN` sets, or one of a teacher or an admin."""
    state = operations(request)
    self_test = None if state.self_test is None else state.self_test.passed
    queue, deliveries = await _waiting(state) or (None, 0)
    document = state.metrics.document(queue, deliveries=deliveries, self_test=self_test, is_writable=state.probe.passed)
    return Response(document, media_type=CONTENT_TYPE_LATEST)


async def _waiting(state: Operations) -> tuple[QueueState, int] | None:
    """Return the queue's state and the number of unsent webhook deliveries; None: the database does not answer."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS), state.database.read() as session:
            waiting = await positions.queue_state(session), await outbox.count_waiting(session)
    except (SQLAlchemyError, OSError) as exc:  # TimeoutError is an OSError.
        state.database.outage.record_failure(METRICS, exc)
        return None
    state.database.outage.record_success(METRICS)
    return waiting
