"""The bodies of the JSON API. Their field descriptions are its documentation."""

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
    """Objects in which a property is there and is not null, or is as `value` says."""
    return {"required": [name], "properties": {name: value or _not({"type": "null"})}}


def _not(schema: Schema) -> Schema:
    return {"not": schema}


def _one_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _both(*schemas: Schema) -> Schema:
    return {"allOf": list(schemas)}


# Rules about several properties stand under `not`: of `anyOf` or `oneOf` at the top of a schema, generators of clients
# make a class for each branch, without the properties.
_BY_ID, _BY_FILTER, _ALL = _given("submissions"), _given("filter"), _given("all", {"const": True})
_NOT_EXACTLY_ONE = _one_of(
    _not(_one_of(_BY_ID, _BY_FILTER, _ALL)), _both(_BY_ID, _BY_FILTER), _both(_BY_ID, _ALL), _both(_BY_FILTER, _ALL)
)
_NO_CONDITION = _not(_one_of(*map(_given, ("student", "assignment", "job_status", "status", "since"))))
_STUDENT_WHO_IS_NONE = _both(_given("student"), _given("role", _not({"const": "submitter"})))


class Page(Body):
    next_cursor: str | None = Field(description="what `cursor` takes for the next page; null on the last one")


class Request(Body):
    """A misspelt key is refused: it would otherwise mean nothing, or everything."""

    model_config = ConfigDict(extra="forbid")


class SubmissionLinks(Body):
    self: str = Field(description="this submission", examples=[f"/api/v1/submissions/{EXAMPLE_ID}"])
    report: str = Field(
        description="its report as a document, in the form that `?format=` names",
        examples=[f"/api/v1/submissions/{EXAMPLE_ID}/report"],
    )
    reports: str = Field(description="all its reports", examples=[f"/api/v1/submissions/{EXAMPLE_ID}/reports"])
    file: str = Field(description="the bytes as they came", examples=[f"/api/v1/submissions/{EXAMPLE_ID}/file"])
    page: str = Field(description="the same for people", examples=[f"/submissions/{EXAMPLE_ID}"])

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
    """Code in the attempt attacked the grader itself, so a teacher looks at it before it counts."""

    held_at: datetime
    decision: HoldDecision | None = Field(description="null until there is one; what is rejected never counts")
    decided_by: str | None = Field(description="the name of the token that decided", examples=["owner"])
    decided_at: datetime | None
    reason: str | None = Field(description="in the teacher's words")


class DecisionRequest(Request):
    decision: HoldDecision
    reason: str = Field(min_length=1, max_length=2000, description="for the student to read")


class SubmissionFacts(Body):
    """What is known of one attempt before it is graded."""

    id: str = Field(examples=[EXAMPLE_ID])
    student: str = Field(examples=["ivanov"])
    assignment: str = Field(examples=["lstm-layer"])
    attempt: int = Field(description="counts the attempts of this student at this assignment, from 1", examples=[1])
    filename: str = Field(examples=["LSTM.ipynb"])
    sha256: str = Field(description="of the file")
    created_at: datetime
    job_status: JobStatus = Field(description="how far it is; the verdict itself is the report's `status`")
    held: bool = Field(
        description="waits for a teacher's decision; until then it is no grade, and nobody is told of it"
    )
    hold: HoldBody | None = Field(description="null: it never was held")
    links: SubmissionLinks


class GradeBody(Body):
    """What an attempt is worth by the assignment's rules of today."""

    points: float = Field(description="the report's points, less what lateness takes off")
    max_points: float
    late_days: int = Field(description="days begun since it was due", examples=[0])
    penalty_percent: float = Field(description="of the report's points", examples=[0.0])
    counts: bool = Field(description="whether it is the student's grade: the best or the last attempt")
    counting_attempt: int = Field(description="the number of the attempt that is", examples=[1])
    counting_points: float = Field(description="what that one is worth")


class SubmissionBody(SubmissionFacts):
    """One attempt, and its report as soon as there is one."""

    position: int | None = Field(description="1: is graded next; null when it does not wait", examples=[1])
    grade: GradeBody | None = Field(description="null while there is none, when we have failed, and while it is held")
    report: dict[str, Any] | None = Field(
        description="the report that counts with its texts in the language that was asked for; null until `job_status` "
        "is `done`. Machines read `status`, `points`, `checks` and the codes; `message`, `hint` and `title` are for "
        "people and may be reworded."
    )


class SubmissionItem(SubmissionFacts):
    """One attempt in a list, with what its report comes to."""

    status: Status | None = Field(description="the verdict; null until there is one")
    points: float | None = Field(description="null too when we have failed (`internal_error`)")
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
    """What differs between two reports of one submission, and what can be the reason."""

    before: int
    after: int
    same_submission: bool
    causes: list[ChangeBody] = Field(description="what went into the grade")
    changes: list[ChangeBody] = Field(description="what came out of it")
    unexplained: bool = Field(description="something came out that nothing that went in explains")


class PictureItem(Body):
    name: str
    title: str
    text: str = Field(description="the same in words")
    link: str


class PictureList(Body):
    items: list[PictureItem]


class AssignmentBody(Body):
    id: str = Field(description="what `assignment` takes when a file is submitted", examples=["lstm-layer"])
    title: str
    max_points: float
    digest: str = Field(description="changes with everything that decides a grade")
    upload_bytes: int = Field(description="largest accepted file")


class AssignmentList(Body):
    items: list[AssignmentBody]


class AssignmentCase(Body):
    """One input that the answer is compared on."""

    id: str = Field(examples=["exercise"])
    visibility: Literal["public", "hidden"]
    category: str = Field(description="what it tries", examples=["exercise"])
    title: str
    shape: list[int] | None = Field(description="(batch, timesteps, features); null for a hidden case")
    units: int | None = Field(description="null for a hidden case")


class AssignmentDetail(AssignmentBody):
    language: str = Field(description="of reports, where the reader asks for none", examples=["ru"])
    keras: str = Field(description="the generation of Keras: `3`, `2`, or `auto` for the one that gives more points")
    points: dict[str, float] = Field(description="what each check is worth", examples=[{"contract": 10}])
    atol: float = Field(description="close means |actual - expected| <= atol + rtol * |expected|")
    rtol: float
    cpu_seconds: int = Field(description="what a run may take")
    wall_seconds: float
    cases: list[AssignmentCase]


class ScoresBody(Body):
    """Shares of the points, from 0 to 1."""

    count: int
    mean: float | None
    median: float | None
    histogram: list[int] = Field(description="how many lie in [0, 0.1), [0.1, 0.2), ... [0.9, 1), and how many are 1")


class MisconceptionBody(Body):
    code: str = Field(description="of a diagnosis", examples=["gates_swapped_if"])
    attempts: int = Field(description="that show it")
    students: int
    retried: int = Field(description="attempts that show it and that another attempt of the student followed")
    fixed: int = Field(description="of these, where the next attempt does not show it")


class StatisticsBody(Body):
    statuses: dict[str, int] = Field(description="attempts by verdict", examples=[{"passed": 10, "failed": 32}])
    attempts: ScoresBody = Field(description="of every attempt")
    students: ScoresBody = Field(description="of every student's best attempt")
    misconceptions: list[MisconceptionBody] = Field(description="the most frequent first")


class TokenRequest(Request):
    model_config = ConfigDict(json_schema_extra=_not(_STUDENT_WHO_IS_NONE))

    name: Name = Field(
        description="what it is for",
        examples=["Moodle"],
        json_schema_extra={"not": {"anyOf": [*NO_NAME["anyOf"], {"const": OWNER}]}},
    )
    role: Role = Field(Role.SUBMITTER, description="`submitter` sees what it submitted, `teacher` everything")
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
    """What is given must all be fulfilled, and something must be given."""

    model_config = ConfigDict(json_schema_extra=_not(_NO_CONDITION))

    student: Name | None = None
    assignment: str | None = Field(None, pattern="^[a-z0-9-]{1,64}$")
    job_status: JobStatus | None = None
    status: Status | None = Field(None, description="of the report that counts")
    since: Moment | None = Field(None, description="submitted at this moment or later")

    @model_validator(mode="after")
    def _something_is_given(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("expected at least one condition; all submissions are chosen by `all`, not by a filter")
        return self


class RegradeRequest(Request):
    """Exactly one of certain submissions, a filter, and all there are: a body without any means nothing."""

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
        """Ids, or what they are chosen by."""
        if self.submissions is not None:
            return self.submissions
        return Selection(**self.filter.model_dump()) if self.filter else Selection()


class RegradeBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    created_at: datetime
    selection: dict[str, Any] = Field(description="what was asked for")
    total: int = Field(description="submissions that are graded again")
    done: int
    changed: int = Field(description="of those that are done, whose points or verdict are others now")
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
    changes: str | None = Field(description="where the two reports are compared")


class RegradeItemList(Page):
    items: list[RegradeItemBody]


class WebhookRequest(Request):
    url: str = Field(
        max_length=2000, pattern="^https?://", description="where to send to", examples=["https://lms.example.org/hook"]
    )


class WebhookBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    url: str
    created_at: datetime


class NewWebhookBody(WebhookBody):
    secret: str = Field(
        description="what deliveries are signed with; it is shown only here",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sS"],
    )


class WebhookList(Body):
    items: list[WebhookBody]


class DeliveryBody(Body):
    id: str = Field(description="`webhook-id` of every attempt", examples=[EXAMPLE_ID])
    event: str = Field(examples=["submission.graded"])
    report: int | None
    created_at: datetime
    attempts: int
    next_at: datetime | None = Field(description="when it is sent, again perhaps; null when it is over")
    delivered_at: datetime | None = Field(description="null with `next_at` null: it was given up")
    last_status: int | None = Field(description="what the receiver answered")
    last_error: str | None


class DeliveryList(Page):
    items: list[DeliveryBody] = Field(description="the newest first")


class Health(Body):
    status: Literal["ok"]
    version: str = Field(examples=["0.1.0"])


class DeletedBody(Body):
    """How much there was."""

    submissions: int
    reports: int
    tokens: int


class Readiness(Body):
    status: Literal["ready", "not_ready"]
    checks: dict[Literal["database", "queue", "box", "workers"], Literal["ok", "failed", "elsewhere", "none"]] = Field(
        description="`database`: something could be stored a moment ago; `box`: a known answer has got all its points "
        "lately, `elsewhere`: other processes grade; `workers`: whether there are such processes, or `none`"
    )


class Problem(BaseModel):
    """What is wrong, what was expected and what to do (RFC 9457). `type` is stable; the texts may be reworded."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = Field(examples=["urn:lstm-grader:problem:unknown-assignment"])
    title: str
    status: int
    detail: str
