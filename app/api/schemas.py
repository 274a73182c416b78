"""The bodies of the JSON API. Their field descriptions are its documentation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.models import JobStatus

EXAMPLE_ID = "01ksvh1y8gk3v0q4m2z7c9x5ab"


class Body(BaseModel):
    model_config = ConfigDict(frozen=True)


class SubmissionLinks(Body):
    self: str = Field(description="this submission", examples=[f"/api/v1/submissions/{EXAMPLE_ID}"])
    report: str = Field(
        description="its report as a document, in the form that `?format=` names",
        examples=[f"/api/v1/submissions/{EXAMPLE_ID}/report"],
    )
    page: str = Field(description="the same for people", examples=[f"/submissions/{EXAMPLE_ID}"])


class SubmissionBody(Body):
    """One attempt, and its report as soon as there is one."""

    id: str = Field(examples=[EXAMPLE_ID])
    job_status: JobStatus = Field(description="how far it is; the verdict itself is `report.status`")
    position: int | None = Field(description="1: is graded next; null when it does not wait", examples=[1])
    links: SubmissionLinks
    report: dict[str, Any] | None = Field(
        description="the newest report with its texts in the language that was asked for; null until `job_status` is "
        "`done`. Machines read `status`, `points`, `checks` and the codes; `message`, `hint` and `title` are for "
        "people and may be reworded."
    )


class AssignmentBody(Body):
    id: str = Field(description="what `assignment` takes when a file is submitted", examples=["lstm-layer"])
    title: str
    max_points: float
    digest: str = Field(description="changes with everything that decides a grade")
    upload_bytes: int = Field(description="largest accepted file")


class AssignmentList(Body):
    items: list[AssignmentBody]


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
