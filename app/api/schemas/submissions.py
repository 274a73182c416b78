"""Bodies about submissions: an attempt, its grade, and a list of them."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field

from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, shows
from app.api.schemas.grades import CountedBody
from app.storage.models import HoldDecision, JobStatus, Submission
from grader import Status


class SubmissionLinks(Body):
    self: str = shows("this submission", f"/api/v1/submissions/{EXAMPLE_ID}")
    report: str = shows(
        "its report as a document, in the form that `?format=` names", f"/api/v1/submissions/{EXAMPLE_ID}/report"
    )
    reports: str = shows("all its reports", f"/api/v1/submissions/{EXAMPLE_ID}/reports")
    file: str = shows("the uploaded bytes", f"/api/v1/submissions/{EXAMPLE_ID}/file")
    page: str = shows("the page for people", f"/submissions/{EXAMPLE_ID}")

    @classmethod
    def of(cls, id: str) -> Self:
        here = f"/api/v1/submissions/{id}"
        return cls(
            self=here,
            report=f"{here}/report",
            reports=f"{here}/reports",
            file=f"{here}/file",
            page=f"/submissions/{id}",
        )


class HoldBody(Body):
    """A hold: code in the attempt attacked the grader itself, so a teacher looks at it before it counts."""

    held_at: datetime
    decision: HoldDecision | None = shows(
        "null until there is one; a rejected attempt never counts", of="hold_decision"
    )
    decided_by: str | None = shows("the name of the token that decided", "owner", of="hold_decided_by")
    decided_at: datetime | None = shows(of="hold_decided_at")
    reason: str | None = shows("in the teacher's words", of="hold_reason")


class SubmissionFacts(Body):
    """One attempt, as far as it is known before it is graded."""

    id: str = Field(examples=[EXAMPLE_ID])
    course: str = shows("the id of the course", EXAMPLE_COURSE, of="course_id")
    student: str = shows("the student's id in the course's grade book", "ivanov")
    assignment: str = shows(None, "lstm-layer", of="assignment_id")
    attempt: int = shows("number of this student's attempt at this assignment, from 1", 1)
    filename: str = Field(examples=["LSTM.ipynb"])
    sha256: str = shows("of the file")
    created_at: datetime
    job_status: JobStatus = shows("the state of the job; the verdict is the report's `status`")
    held: bool = shows("waits for a teacher's decision; until then it gives no grade, and no webhook is sent it")
    hold: HoldBody | None = shows("null: it was never held")
    links: Annotated[SubmissionLinks, BeforeValidator(SubmissionLinks.of)] = shows(of="id")

    @classmethod
    def of(cls, submission: Submission, **more: object) -> Self:
        """Return the body of a submission, with values that its row does not have."""
        was_held = submission.held_at is not None
        held = was_held and submission.hold_decision is None
        return cls.from_row(submission, held=held, hold=submission if was_held else None, **more)


class GradeBody(Body):
    """The grade of an attempt, by the assignment's current rules."""

    points: float = shows("the report's points, less the penalty for lateness")
    max_points: float
    late_days: int = shows("days begun since the due date", 0)
    penalty_percent: float = shows("of the report's points", 0.0)
    counts: bool = shows("whether this attempt is the student's grade: the best or the last one")
    counting_attempt: int = shows("the number of the attempt that counts", 1)
    counting_points: float = shows("the points of the attempt that counts")


class SubmissionBody(SubmissionFacts):
    """One attempt, and its report as soon as there is one."""

    position: int | None = shows("place in the queue, 1 is graded next; null when it does not wait", 1)
    seconds_left: int | None = shows(
        "the estimated time until the report; less than 0: it is overdue; null when it is unknown, or "
        "there is nothing to wait for. It does not change the `ETag`",
        41,
    )
    grade: GradeBody | None = shows("null until graded, when the grader failed, and while held")
    counted: CountedBody | None = shows(
        "the grade of the student at the assignment, from all attempts; null when the assignment is gone, "
        "and in the answer to an upload that is not waited for"
    )
    report: dict[str, Any] | None = shows(
        "the report that counts, in the requested language; null until `job_status` is `done`. Machines "
        "read `status`, `points`, `checks` and the codes; `message`, `hint` and `title` are for people and may be "
        "reworded."
    )


class SubmissionItem(SubmissionFacts):
    """One attempt in a list, with the verdict and points of its report."""

    status: Status | None = shows("the verdict; null until there is one")
    points: float | None = shows("null too when the grader failed (`internal_error`)")
    max_points: float | None


class DeletedBody(Body):
    """The number of deleted rows, by kind."""

    submissions: int
    reports: int
    tokens: int
