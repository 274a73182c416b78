"""Parameters of several endpoints, and the limits on their values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from app.actions.fields import ID, Id, Language, Moment, Name
from app.errors import AppError
from app.errors.submissions import CheckNotFound, SubmissionNotFound
from app.storage.models import JobStatus
from app.submissions.listing import Selection
from grader import Status

MAX_WAIT_SECONDS = 120
ASSIGNMENT_ID = re.compile("[a-z0-9-]{1,64}")


async def language_parameter(
    lang: Annotated[
        Language | SkipJsonSchema[None],
        Query(description="language of the texts in the answer; by default that of `Accept-Language`"),
    ] = None,
) -> None:
    """Check and document `lang`. `language_of` reads it, for refusals too."""


@dataclass(frozen=True)
class PathId:
    """A dependency that gives an id in the path of a page, if the text can be an id. This saves a query.

    Attributes:
        name: of the parameter.
        missing: raised for a text that is no id.
        form: of the id.
    """

    name: str
    missing: type[AppError]
    form: re.Pattern[str] = ID

    async def __call__(self, request: Request) -> str:
        id: str = request.path_params[self.name]
        if not self.form.fullmatch(id):
            raise self.missing
        return id


def id_in_path(name: str, missing: type[AppError], description: str) -> Any:
    """Return such a dependency for a path of the API, where the parameter is documented."""

    async def check(id: str = Path(alias=name, description=description)) -> str:
        if not ID.fullmatch(id):
            raise missing
        return id

    return Depends(check)


CourseParameter = Annotated[
    str | SkipJsonSchema[None],
    Query(description="the `id` of the course to act in; by default the token's own, and for an admin who reads, all"),
]
SubmissionId = Annotated[str, id_in_path("submission_id", SubmissionNotFound, "the `id` of a submission")]
CheckId = Annotated[str, id_in_path("check_id", CheckNotFound, "the `id` of a check")]
Wait = Annotated[
    int, Query(ge=0, le=MAX_WAIT_SECONDS, description="answer only when graded, or after this many seconds")
]
# Limits stand inside the union: outside they would be missing in the document.
IdempotencyKey = Annotated[
    Annotated[str, Field(pattern="^[!-~]{1,255}$")] | SkipJsonSchema[None],
    Header(
        description="your own name for this request, such as a random UUID; sending it again does nothing twice",
    ),
]
EventId = Annotated[int, Field(ge=0, lt=2**63)]
LastEventId = Annotated[
    EventId | SkipJsonSchema[None], Header(description="the id of the last event that arrived; later ones are sent")
]
Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
Cursor = Annotated[
    Id | SkipJsonSchema[None],
    Query(description="`next_cursor` of the page before; by default the first page"),
]


async def _selection(
    student: Annotated[Name | SkipJsonSchema[None], Query(examples=["ivanov"])] = None,
    assignment: Annotated[
        Annotated[str, Field(pattern="^[a-z0-9-]{1,64}$")] | SkipJsonSchema[None], Query(examples=["lstm-layer"])
    ] = None,
    job_status: Annotated[JobStatus | SkipJsonSchema[None], Query(description="the state of the job")] = None,
    status: Annotated[Status | SkipJsonSchema[None], Query(description="the verdict")] = None,
    since: Annotated[
        Moment | SkipJsonSchema[None],
        Query(description="submitted at this moment or later", examples=["2026-09-01T00:00:00Z"]),
    ] = None,
    held: Annotated[bool | SkipJsonSchema[None], Query(description="waits for a teacher's decision")] = None,
) -> Selection:
    return Selection(student, assignment, job_status, status, since, held)


SelectionQuery = Annotated[Selection, Depends(_selection)]
