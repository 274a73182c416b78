"""The bodies of webhook deliveries. The OpenAPI document describes them from these classes."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.storage.models import Delivery, HoldDecision, StoredReport, Submission
from app.submissions.derivation import Counted, StepCode
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


class GradedStep(_Part):
    code: StepCode
    points: float | None = Field(description="after this step; null: there is no grade")
    params: dict[str, Any]


class GradedGrade(_Part):
    """The counted grade of the student at the assignment when the message is sent."""

    points: float | None = Field(description="null: there is no grade, or none yet")
    max_points: float
    attempt: int | None = Field(description="the number of the attempt that counts")
    grade_book_points: float | None
    grade_book_max: float
    adjusted: bool = Field(description="a teacher's adjustment applies")
    derivation: list[GradedStep] = Field(description="how it came about, without a teacher's words to the student")


class GradedData(_Part):
    submission: GradedSubmission
    report: GradedReport
    grade: GradedGrade | None = Field(None, description="null when the assignment is gone")


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
    delivery: Delivery, submission: Submission | None, report: StoredReport | None, counted: Counted | None = None
) -> GradedMessage | PingMessage:
    """Return the body of a delivery. It is the same for every try, except for the grade, which is the current one.

    Args:
        counted: the student's current grade at the assignment.
    """
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
            grade=_grade(counted) if counted else None,
        ),
    )


def _grade(counted: Counted) -> GradedGrade:
    return GradedGrade(
        points=counted.points,
        max_points=counted.max_points,
        attempt=counted.attempt,
        grade_book_points=counted.grade_book,
        grade_book_max=counted.grade_book_max,
        adjusted=counted.is_adjusted,
        derivation=[
            GradedStep(
                code=step.code,
                points=step.points,
                params={name: value for name, value in step.params.items() if name != "reason"},
            )
            for step in counted.steps
        ],
    )
