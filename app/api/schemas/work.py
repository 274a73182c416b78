"""Bodies about students' work: attempts, grades with their derivation, decisions, comments, requests for review."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field

from app.access.tokens import Principal
from app.api.schemas.base import EXAMPLE_COURSE, Items, Page
from app.bodies import EXAMPLE_ID, Body, Whether, shows
from app.http.visibility import steps_for
from app.storage.models import HoldDecision, JobStatus, Submission
from app.submissions.derivation import Counted, StepCode, join_steps, step_in_words
from app.submissions.policy import Grade
from grader import Status


class StepBody(Body):
    """One step of the derivation of a grade."""

    code: StepCode
    points: float | None = shows("after this step; null: there is no grade", 70.0)
    params: dict[str, Any] = shows(
        "what the step says, by `code`", {"days": 3, "penalty_percent": 30.0, "change": -30.0}
    )
    text: str = shows("the step in words", "3 days late -30")


class CountedBody(Body):
    """The counted grade of a student at an assignment: what is in the grade book, and how it came about."""

    points: float | None = shows("null: there is no grade, or none yet", 75.0)
    max_points: float = Field(examples=[100.0])
    points_below: float | None = shows("before an adjustment", 70.0)
    attempt: int | None = shows("the number of the attempt that counts", 2)
    late_days: int = shows("of that attempt, since the student's due date", 3)
    grade_book_points: float | None = shows("as in the grade book of the course", 7.5, of="grade_book")
    grade_book_max: float = shows("the most that the grade book gives", 10.0)
    adjusted: bool = shows("a teacher's adjustment applies", of="is_adjusted")
    stale: bool = shows("the points below the adjustment have changed since it was made", of="is_stale")
    held: bool = shows("an attempt waits for a teacher's decision", of="is_held")
    waiting: bool = shows("an attempt waits to be graded", of="is_waiting")
    derivation: list[StepBody] = shows("the steps, in order")
    text: str = shows(
        "the derivation in words, in the requested language",
        "points 100 of 100 (attempt 2), 3 days late -30, adjusted +5: a nice plot",
    )

    @classmethod
    def of(cls, counted: Counted, language: str, viewer: Principal, **more: object) -> Self:
        """Return the body for this reader (`steps_for`)."""
        derivation = [
            StepBody.from_row(step, text=step_in_words(step, language)) for step in steps_for(counted, viewer)
        ]
        text = join_steps([step.text for step in derivation])
        return cls.from_row(counted, derivation=derivation, text=text, **more)


class AssignmentGrade(CountedBody):
    """The counted grade of a student at one assignment."""

    assignment: str = Field(examples=["lstm-layer"])


class StudentGradesBody(Body):
    """A student, with the grade at each assignment."""

    member: str = shows(None, EXAMPLE_ID, of="id")
    student: str | None = shows("the id in the grade book", "ivanov", of="external_id")
    name: str | None = shows(of="person.name")
    group: str | None
    confirmed: Whether = shows("a teacher or a roster has confirmed the student", of="confirmed_at")
    grades: list[AssignmentGrade]


class GradesList(Page[StudentGradesBody]):
    pass


class ExtensionBody(Body):
    member: str = shows(None, EXAMPLE_ID, of="membership_id")
    student: str | None = shows("the student's id in the grade book", "ivanov", of="member.external_id")
    assignment: str = shows(None, "lstm-layer", of="use.assignment_id")
    due: datetime | None
    closes: datetime | None
    more_attempts: int
    reason: str
    made_by: str = Field(examples=["owner"])
    created_at: datetime = shows("when it was given or last changed")
    effective_due: datetime | None = shows("the student's due date: the later one of both")
    effective_closes: datetime | None
    effective_limit: int | None = shows("the most attempts of the student; null: no limit")


class AdjustmentBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    assignment: str = shows(None, "lstm-layer", of="use.assignment_id")
    delta: float | None
    value: float | None
    reason: str
    points_below: float | None = shows("the grade below it when it was made")
    made_by: str = Field(examples=["owner"])
    created_at: datetime
    ended_at: datetime | None = shows("when it was replaced or withdrawn; null: it applies")
    ended_by: str | None


class CommentBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    assignment: str = shows(None, "lstm-layer", of="use.assignment_id")
    submission: str | None = shows(of="submission_id")
    text: str
    made_by: str = Field(examples=["owner"])
    created_at: datetime


class ReviewBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    submission: str = shows(None, EXAMPLE_ID, of="submission_id")
    student: str = shows(None, "ivanov", of="submission.student")
    assignment: str = shows(None, "lstm-layer", of="submission.assignment_id")
    attempt: int = shows(of="submission.attempt")
    text: str
    created_at: datetime
    answer: str | None = shows("null: it is open")
    answered_by: str | None
    answered_at: datetime | None


class ReviewsOfSubmission(Items[ReviewBody]):
    pass


class OwnGradesBody(Body):
    """The holder's own grades, and what the staff did about them and said."""

    student: str | None = shows("null: the token is no member's own", "ivanov")
    grades: list[AssignmentGrade]
    adjustments: list[AdjustmentBody] = shows("the newest first, ended ones too")
    comments: list[CommentBody] = shows("the newest first")
    reviews: list[ReviewBody] = shows("the newest first")


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
        below = {name: f"{here}/{name}" for name in ("report", "reports", "file")}
        return cls(self=here, **below, page=f"/submissions/{id}")


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


class SubmissionBody(SubmissionFacts):
    """One attempt, and its report as soon as there is one."""

    position: int | None = shows("place in the queue, 1 is graded next; null when it does not wait", 1)
    seconds_left: int | None = shows(
        "the estimated time until the report; less than 0: it is overdue; null when it is unknown, or "
        "there is nothing to wait for. It does not change the `ETag`",
        41,
    )
    grade: Grade | None = shows("null until graded, when the grader failed, and while held")
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
