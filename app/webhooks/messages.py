"""The bodies of webhook deliveries. The OpenAPI document describes them from these classes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.storage.models import Delivery, HoldDecision, StoredReport, Submission
from grader import Status


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class GradedSubmission(_Part):
    id: str
    course: str = Field(description="the id of the course")
    student: str
    assignment: str
    attempt: int
    decision: HoldDecision | None = Field(
        description="a teacher's, if the attempt was held; a rejected one does not count"
    )
    link: str = Field(description="the submission in the API")


class GradedReport(_Part):
    id: int
    status: Status
    points: float | None = Field(description="null when the grader failed (`internal_error`)")
    max_points: float
    link: str = Field(description="the whole report")


class GradedData(_Part):
    submission: GradedSubmission
    report: GradedReport


class GradedMessage(_Part):
    """A submission has a new report."""

    type: Literal["submission.graded"] = "submission.graded"
    timestamp: datetime
    data: GradedData


class PingData(_Part): ...


class PingMessage(_Part):
    """A test message."""

    type: Literal["ping"] = "ping"
    timestamp: datetime
    data: PingData = PingData()


def message_of(
    delivery: Delivery, submission: Submission | None, report: StoredReport | None
) -> GradedMessage | PingMessage:
    """Make the body of a delivery, the same for every try."""
    if submission is None or report is None:
        return PingMessage(timestamp=delivery.created_at)
    here = f"/api/v1/submissions/{submission.id}"
    return GradedMessage(
        timestamp=delivery.created_at,
        data=GradedData(
            submission=GradedSubmission(
                id=submission.id,
                course=submission.course_id,
                student=submission.student,
                assignment=submission.assignment_id,
                attempt=submission.attempt,
                decision=submission.hold_decision,
                link=here,
            ),
            report=GradedReport(
                id=report.id,
                status=Status(report.status),
                points=report.points,
                max_points=report.max_points,
                link=f"{here}/reports/{report.id}",
            ),
        ),
    )
