"""Parameters of several endpoints, and the limits on their values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from app.errors import AppError
from app.errors.submissions import SubmissionNotFound
from app.errors.uploads import StudentInvalid
from app.storage.models import ID_ALPHABET, ID_LENGTH, JobStatus
from app.submissions.listing import Selection
from app.submissions.uploads import STUDENT_CHARACTERS, check_student
from grader import Status

MAX_WAIT_SECONDS = 120
#: Of a person's words to another one, of an adjustment, and of an extension.
WORDS_CHARACTERS, MOST_POINTS, MOST_ATTEMPTS = 2000, 100_000, 1000
ID = re.compile(f"[{ID_ALPHABET}]{{{ID_LENGTH}}}")
ASSIGNMENT_ID = re.compile("[a-z0-9-]{1,64}")
WRITTEN_OUT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
#: For the OpenAPI document: characters not allowed in a name, and names of spaces only.
NO_NAME: dict[str, Any] = {"anyOf": [{"pattern": r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"}, {"pattern": r"^\s*$"}]}


class Language(StrEnum):
    EN = "en"
    RU = "ru"


async def language_parameter(
    lang: Annotated[
        Language | SkipJsonSchema[None],
        Query(description="language of the texts in the answer; by default that of `Accept-Language`"),
    ] = None,
) -> None:
    """Check and document `lang`. `language_of` reads it, for refusals too."""


@dataclass(frozen=True)
class PathId:
    """A dependency that gives an id in the path of a page, if there can be such a one. This saves a query.

    Attributes:
        name: of the parameter.
        missing: raised for all that is no id.
        form: of the id.
    """

    name: str
    missing: type[AppError]
    form: re.Pattern[str] = ID

    async def __call__(self, request: Request) -> str:
        came: str = request.path_params[self.name]
        if not self.form.fullmatch(came):
            raise self.missing
        return came


async def _submission_id(
    submission_id: Annotated[str, Path(description="the `id` of a submission")],
) -> str:
    """Raises: SubmissionNotFound: no submission can have this id. This saves a query."""
    if not ID.fullmatch(submission_id):
        raise SubmissionNotFound
    return submission_id


def _written_out(came: object) -> object:
    """Raises: ValueError: it is a number, which pydantic would read as seconds and the document does not mention."""
    if not isinstance(came, datetime) and not (isinstance(came, str) and WRITTEN_OUT.match(came)):
        raise ValueError("expected a moment with its time zone, such as 2026-09-01T00:00:00Z")
    return came


def _within(moment: datetime) -> datetime:
    """Convert to UTC, within the range of the databases; moments further away mean the same."""
    return min(max(moment, EARLIEST), LATEST).astimezone(UTC)


def _a_name(came: str) -> str:
    try:
        return check_student(came)
    except StudentInvalid as exc:
        raise ValueError("expected printable characters, such as a name") from exc


CourseParameter = Annotated[
    str | SkipJsonSchema[None],
    Query(description="the `id` of the course to act in; by default the token's own, and for an admin who reads, all"),
]
SubmissionId = Annotated[str, Depends(_submission_id)]
#: A name of a student or of anything else.
Name = Annotated[
    str,
    Field(min_length=1, max_length=STUDENT_CHARACTERS, json_schema_extra={"not": NO_NAME}),
    AfterValidator(_a_name),
]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_within)]
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
    Annotated[str, Field(pattern=f"^{ID.pattern}$")] | SkipJsonSchema[None],
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


Selected = Annotated[Selection, Depends(_selection)]
