"""The bodies of the JSON API. Their field descriptions are its documentation."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from app.models import JobStatus
from grader import Status

EXAMPLE_ID = "01ksvh1y8gk3v0q4m2z7c9x5ab"


class Body(BaseModel):
    model_config = ConfigDict(frozen=True)


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
    links: SubmissionLinks


class SubmissionBody(SubmissionFacts):
    """One attempt, and its report as soon as there is one."""

    position: int | None = Field(description="1: is graded next; null when it does not wait", examples=[1])
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


class SubmissionList(Body):
    items: list[SubmissionItem]
    next_cursor: str | None = Field(description="what `cursor` takes for the next page; null on the last one")


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


class Health(Body):
    status: Literal["ok"]
    version: str = Field(examples=["0.1.0"])


class Problem(BaseModel):
    """What is wrong, what was expected and what to do (RFC 9457). `type` is stable; the texts may be reworded."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = Field(examples=["urn:lstm-grader:problem:unknown-assignment"])
    title: str
    status: int
    detail: str
