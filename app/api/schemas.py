"""The bodies of the JSON API. Their field descriptions are part of its documentation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.access.tokens import OWNER
from app.http.parameters import ID, NO_NAME, Moment, Name
from app.storage.models import HoldDecision, JobStatus, Role
from app.submissions.listing import Selection
from grader import Status

EXAMPLE_ID = "01ksvh1y8gk3v0q4m2z7c9x5ab"


class Body(BaseModel):
    model_config = ConfigDict(frozen=True)


Schema = dict[str, Any]


def _given(name: str, value: Schema | None = None) -> Schema:
    """Return a schema: the property is present and not null, or matches `value`."""
    return {"required": [name], "properties": {name: value or _not({"type": "null"})}}


def _not(schema: Schema) -> Schema:
    return {"not": schema}


def _one_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _both(*schemas: Schema) -> Schema:
    return {"allOf": list(schemas)}


# Rules about several properties are written with `not`: for `anyOf` or `oneOf` at the top of a schema, client
# generators make one class per branch, without the properties.
_BY_ID, _BY_FILTER, _ALL = _given("submissions"), _given("filter"), _given("all", {"const": True})
_NOT_EXACTLY_ONE = _one_of(
    _not(_one_of(_BY_ID, _BY_FILTER, _ALL)), _both(_BY_ID, _BY_FILTER), _both(_BY_ID, _ALL), _both(_BY_FILTER, _ALL)
)
_NO_CONDITION = _not(_one_of(*map(_given, ("student", "assignment", "job_status", "status", "since"))))
_STUDENT_WHO_IS_NONE = _both(_given("student"), _given("role", _not({"const": "submitter"})))


class Page(Body):
    next_cursor: str | None = Field(description="the `cursor` of the next page; null on the last one")


class Request(Body):
    """A request body. A misspelt key is refused: ignored, it could turn a filter into "everything"."""

    model_config = ConfigDict(extra="forbid")


class SubmissionLinks(Body):
    self: str = Field(description="this submission", examples=[f"/api/v1/submissions/{EXAMPLE_ID}"])
    report: str = Field(
        description="its report as a document, in the form that `?format=` names",
        examples=[f"/api/v1/submissions/{EXAMPLE_ID}/report"],
    )
    reports: str = Field(description="all its reports", examples=[f"/api/v1/submissions/{EXAMPLE_ID}/reports"])
    file: str = Field(description="the uploaded bytes", examples=[f"/api/v1/submissions/{EXAMPLE_ID}/file"])
    page: str = Field(description="the page for people", examples=[f"/submissions/{EXAMPLE_ID}"])

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
    decision: HoldDecision | None = Field(description="null until there is one; a rejected attempt never counts")
    decided_by: str | None = Field(description="the name of the token that decided", examples=["owner"])
    decided_at: datetime | None
    reason: str | None = Field(description="in the teacher's words")


class DecisionRequest(Request):
    decision: HoldDecision
    reason: str = Field(min_length=1, max_length=2000, description="for the student to read")


class SubmissionFacts(Body):
    """One attempt, as far as it is known before it is graded."""

    id: str = Field(examples=[EXAMPLE_ID])
    student: str = Field(examples=["ivanov"])
    assignment: str = Field(examples=["lstm-layer"])
    attempt: int = Field(description="number of this student's attempt at this assignment, from 1", examples=[1])
    filename: str = Field(examples=["LSTM.ipynb"])
    sha256: str = Field(description="of the file")
    created_at: datetime
    job_status: JobStatus = Field(description="the state of the job; the verdict is the report's `status`")
    held: bool = Field(
        description="waits for a teacher's decision; until then it gives no grade, and no webhook is sent it"
    )
    hold: HoldBody | None = Field(description="null: it was never held")
    links: SubmissionLinks


class GradeBody(Body):
    """The grade of an attempt, by the assignment's current rules."""

    points: float = Field(description="the report's points, less the penalty for lateness")
    max_points: float
    late_days: int = Field(description="days begun since the due date", examples=[0])
    penalty_percent: float = Field(description="of the report's points", examples=[0.0])
    counts: bool = Field(description="whether this attempt is the student's grade: the best or the last one")
    counting_attempt: int = Field(description="the number of the attempt that counts", examples=[1])
    counting_points: float = Field(description="the points of the attempt that counts")


class SubmissionBody(SubmissionFacts):
    """One attempt, and its report as soon as there is one."""

    position: int | None = Field(
        description="place in the queue, 1 is graded next; null when it does not wait", examples=[1]
    )
    grade: GradeBody | None = Field(description="null until graded, when the grader failed, and while held")
    report: dict[str, Any] | None = Field(
        description="the report that counts, in the requested language; null until `job_status` is `done`. Machines "
        "read `status`, `points`, `checks` and the codes; `message`, `hint` and `title` are for people and may be "
        "reworded."
    )


class SubmissionItem(SubmissionFacts):
    """One attempt in a list, with the verdict and points of its report."""

    status: Status | None = Field(description="the verdict; null until there is one")
    points: float | None = Field(description="null too when the grader failed (`internal_error`)")
    max_points: float | None


class SubmissionList(Page):
    items: list[SubmissionItem]


class ReportItem(Body):
    """One report of a submission. It never changes."""

    id: int = Field(examples=[1])
    created_at: datetime
    status: Status
    points: float | None
    max_points: float
    grader_version: str
    assignment_digest: str
    link: str = Field(examples=[f"/api/v1/submissions/{EXAMPLE_ID}/reports/1"])


class ReportList(Body):
    items: list[ReportItem] = Field(description="the newest first")


class ChangeBody(Body):
    key: str = Field(description="its path in the report", examples=["checks.equivalence.points"])
    before: Any
    after: Any


class ReportDiffBody(Body):
    """The differences between two reports of one submission, and their possible causes."""

    before: int
    after: int
    same_submission: bool
    causes: list[ChangeBody] = Field(description="differences in the input of the grade")
    changes: list[ChangeBody] = Field(description="differences in the result")
    unexplained: bool = Field(description="the result changed and no cause is known")


class PictureItem(Body):
    name: str
    title: str
    text: str = Field(description="the picture in words")
    link: str


class PictureList(Body):
    items: list[PictureItem]


class AssignmentBody(Body):
    id: str = Field(description="the value of `assignment` in an upload", examples=["lstm-layer"])
    title: str
    max_points: float
    digest: str = Field(description="changes when anything that decides a grade changes")
    upload_bytes: int = Field(description="largest accepted file")


class AssignmentList(Body):
    items: list[AssignmentBody]


class AssignmentCase(Body):
    """One input on which the answer is compared."""

    id: str = Field(examples=["exercise"])
    visibility: Literal["public", "hidden"]
    category: str = Field(description="the kind of input", examples=["exercise"])
    title: str
    shape: list[int] | None = Field(description="(batch, timesteps, features); null for a hidden case")
    units: int | None = Field(description="null for a hidden case")


class AssignmentDetail(AssignmentBody):
    language: str = Field(description="default language of reports", examples=["ru"])
    keras: str = Field(description="the generation of Keras: `3`, `2`, or `auto` for the one that gives more points")
    points: dict[str, float] = Field(description="points of each check", examples=[{"contract": 10}])
    atol: float = Field(description="close means |actual - expected| <= atol + rtol * |expected|")
    rtol: float
    cpu_seconds: int = Field(description="limit of a run")
    wall_seconds: float
    cases: list[AssignmentCase]


class ScoresBody(Body):
    """Shares of the points, from 0 to 1."""

    count: int
    mean: float | None
    median: float | None
    histogram: list[int] = Field(description="counts in [0, 0.1), [0.1, 0.2), ... [0.9, 1), and the count of 1")


class MisconceptionBody(Body):
    code: str = Field(description="of a diagnosis", examples=["gates_swapped_if"])
    attempts: int = Field(description="attempts that show it")
    students: int
    retried: int = Field(description="attempts that show it and were followed by another one of the same student")
    fixed: int = Field(description="of these, where the next attempt does not show it")


class StatisticsBody(Body):
    statuses: dict[str, int] = Field(description="attempts by verdict", examples=[{"passed": 10, "failed": 32}])
    attempts: ScoresBody = Field(description="of every attempt")
    students: ScoresBody = Field(description="of every student's best attempt")
    misconceptions: list[MisconceptionBody] = Field(description="the most frequent first")


class TokenRequest(Request):
    model_config = ConfigDict(json_schema_extra=_not(_STUDENT_WHO_IS_NONE))

    name: Name = Field(
        description="the token's purpose",
        examples=["Moodle"],
        json_schema_extra={"not": {"anyOf": [*NO_NAME["anyOf"], {"const": OWNER}]}},
    )
    role: Role = Field(Role.SUBMITTER, description="`submitter` sees its own submissions, `teacher` all")
    student: Name | None = Field(None, description="makes it this student's own", examples=["ivanov"])
    expires_at: Moment | None = Field(None, description="null: never", examples=["2030-02-01T00:00:00Z"])

    @field_validator("name")
    @classmethod
    def _is_not_the_owners(cls, name: str) -> str:
        if name == OWNER:
            raise ValueError("this name is the owner's, whose token is set when the service starts")
        return name

    @model_validator(mode="after")
    def _only_submitters_are_students(self) -> Self:
        if self.student is not None and self.role != Role.SUBMITTER:
            raise ValueError("a student's own token has the role submitter")
        return self


class TokenBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    name: str
    role: Role
    student: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenBody(TokenBody):
    token: str = Field(description="send it as `Authorization: Bearer ...`; it is shown only here")
    link: str = Field(description="signs a browser in")


class TokenList(Page):
    items: list[TokenBody]


class SelectionBody(Request):
    """A filter: at least one condition; several are combined with "and"."""

    model_config = ConfigDict(json_schema_extra=_not(_NO_CONDITION))

    student: Name | None = None
    assignment: str | None = Field(None, pattern="^[a-z0-9-]{1,64}$")
    job_status: JobStatus | None = None
    status: Status | None = Field(None, description="of the report that counts")
    since: Moment | None = Field(None, description="submitted at this moment or later")

    @model_validator(mode="after")
    def _something_is_given(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("expected at least one condition; to choose all submissions, use `all` instead")
        return self


class RegradeRequest(Request):
    """A choice of submissions by exactly one of ids, a filter, and all."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": _NOT_EXACTLY_ONE,
            "examples": [
                {"filter": {"assignment": "lstm-layer", "status": "failed"}},
                {"submissions": [EXAMPLE_ID]},
                {"all": True},
            ],
        }
    )

    submissions: list[Annotated[str, Field(pattern=f"^{ID.pattern}$")]] | None = Field(
        None, min_length=1, max_length=1000
    )
    filter: SelectionBody | None = None
    all: bool = Field(False, strict=True, description="every submission that has a report")

    @model_validator(mode="after")
    def _exactly_one_is_given(self) -> Self:
        if (self.submissions is not None) + (self.filter is not None) + self.all != 1:
            raise ValueError("expected exactly one of `submissions`, `filter` and `all`")
        return self

    @property
    def meant(self) -> list[str] | Selection:
        """The ids, or the selection."""
        if self.submissions is not None:
            return self.submissions
        return Selection(**self.filter.model_dump()) if self.filter else Selection()


class RegradeBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    created_at: datetime
    selection: dict[str, Any] = Field(description="the choice in the request")
    total: int = Field(description="submissions that are graded again")
    done: int
    changed: int = Field(description="finished ones whose points or verdict changed")
    link: str


class RegradeList(Page):
    items: list[RegradeBody]


class Grade(Body):
    report: int
    status: Status
    points: float | None
    max_points: float


class RegradeItemBody(Body):
    submission: str = Field(examples=[EXAMPLE_ID])
    student: str
    assignment: str
    attempt: int
    before: Grade
    after: Grade | None = Field(description="null until it is graded again")
    changes: str | None = Field(description="address that compares the two reports")


class RegradeItemList(Page):
    items: list[RegradeItemBody]


class WebhookRequest(Request):
    url: str = Field(
        max_length=2000,
        pattern="^https?://",
        description="the address to send to",
        examples=["https://lms.example.org/hook"],
    )


class WebhookBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    url: str
    created_at: datetime


class NewWebhookBody(WebhookBody):
    secret: str = Field(
        description="signs the deliveries; it is shown only here",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sS"],
    )


class WebhookList(Body):
    items: list[WebhookBody]


class DeliveryBody(Body):
    id: str = Field(description="`webhook-id` of every try to send it", examples=[EXAMPLE_ID])
    event: str = Field(examples=["submission.graded"])
    report: int | None
    created_at: datetime
    attempts: int = Field(description="tries to send it")
    next_at: datetime | None = Field(description="time of the next try; null when there is none")
    delivered_at: datetime | None = Field(description="null while `next_at` is null too: it was given up")
    last_status: int | None = Field(description="HTTP status of the receiver's last answer")
    last_error: str | None


class DeliveryList(Page):
    items: list[DeliveryBody] = Field(description="the newest first")


class Health(Body):
    status: Literal["ok"]
    version: str = Field(examples=["0.1.0"])


class DeletedBody(Body):
    """The number of deleted rows, by kind."""

    submissions: int
    reports: int
    tokens: int


class Readiness(Body):
    status: Literal["ready", "not_ready"]
    checks: dict[Literal["database", "queue", "box", "workers"], Literal["ok", "failed", "elsewhere", "none"]] = Field(
        description="`database`: a write succeeded a moment ago; `box`: a known answer recently got all its points, or "
        "`elsewhere`: other processes grade; `workers`: whether there are such processes, or `none`"
    )


class Problem(BaseModel):
    """A refusal: the fault, what was expected and what to do (RFC 9457). `type` is stable; texts may be reworded."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = Field(examples=["urn:lstm-grader:problem:unknown-assignment"])
    title: str
    status: int
    detail: str
