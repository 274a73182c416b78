"""The bodies of webhook deliveries. The OpenAPI document describes them from these classes."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from app.bodies import Body, shows
from app.storage.models import Delivery, HoldDecision, StoredReport, Submission
from app.submissions.derivation import Counted, StepCode, without_words
from grader import Status


class GradedSubmission(Body):
    id: str
    course: str = shows("the id of the course")
    student: str
    assignment: str
    attempt: int
    decision: HoldDecision | None = shows("a teacher's, if the attempt was held; a rejected one does not count")
    link: str = shows("the submission in the API")


class GradedReport(Body):
    id: int
    status: Status
    points: float | None = shows("null when the grader failed (`internal_error`)")
    max_points: float
    link: str = shows("the whole report")


class GradedStep(Body):
    code: StepCode
    points: float | None = shows("after this step; null: there is no grade")
    params: dict[str, Any]


class GradedGrade(Body):
    """The counted grade of the student at the assignment when the message is sent."""

    points: float | None = shows("null: there is no grade, or none yet")
    max_points: float
    attempt: int | None = shows("the number of the attempt that counts")
    grade_book_points: float | None
    grade_book_max: float
    adjusted: bool = shows("a teacher's adjustment applies")
    derivation: list[GradedStep] = shows("how it came about, without a teacher's words to the student")


class GradedData(Body):
    submission: GradedSubmission
    report: GradedReport
    grade: GradedGrade | None = Field(None, description="null when the assignment is gone")


class GradedMessage(Body):
    """A submission has a new report."""

    type: Literal["submission.graded"] = "submission.graded"
    timestamp: datetime
    data: GradedData


class PingData(Body): ...


class PingMessage(Body):
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
            submission=GradedSubmission.from_row(
                submission,
                course=submission.course_id,
                assignment=submission.assignment_id,
                decision=submission.hold_decision,
                link=here,
            ),
            report=GradedReport.from_row(report, link=f"{here}/reports/{report.id}"),
            grade=GradedGrade.from_row(
                counted,
                grade_book_points=counted.grade_book,
                adjusted=counted.is_adjusted,
                derivation=without_words(counted.steps),
            )
            if counted
            else None,
        ),
    )
