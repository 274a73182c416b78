"""Parameters of several endpoints, and the limits on their values."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Query
from pydantic import AfterValidator, Field
from pydantic.json_schema import SkipJsonSchema

from app.actions.fields import ID, Language, Moment, Name
from app.errors import AppError
from app.errors.members import JoinNotFound, MemberNotFound, PersonNotFound
from app.errors.submissions import CheckNotFound, SubmissionNotFound
from app.errors.teaching import AdjustmentNotFound, CommentNotFound, RegradeNotFound, ReviewNotFound
from app.errors.uploads import IdempotencyKeyReused
from app.errors.ways_in import IdentityNotFound
from app.storage.models import JobStatus
from app.submissions.listing import Selection
from grader import Status

MAX_WAIT_SECONDS = 120
LISTED = "an `id` from the list"


async def language_parameter(
    lang: Annotated[
        Language | SkipJsonSchema[None],
        Query(description="language of the texts in the answer; by default that of `Accept-Language`"),
    ] = None,
) -> None:
    """Check and document `lang`. `language_of` reads it, for refusals too."""


@dataclass(frozen=True)
class Refuses:
    """A mark of a parameter for the OpenAPI document: the refusals that come with it."""

    refusals: tuple[type[AppError], ...]


@dataclass(frozen=True)
class IdOf(Refuses):
    """The check of an id in a path. A text that is no id is answered like an unknown id."""

    form: re.Pattern[str] = ID

    def __call__(self, id: str) -> str:
        if not self.form.fullmatch(id):
            raise self.refusals[0]
        return id


def id_of(missing: type[AppError], form: re.Pattern[str] = ID) -> AfterValidator:
    """Check an id in a path, before any query.

    Args:
        missing: raised for a text that is no id.
    """
    return AfterValidator(IdOf((missing,), form))


CourseParameter = Annotated[
    str | SkipJsonSchema[None],
    Query(description="the `id` of the course to act in; by default the token's own, and for an admin who reads, all"),
]
SubmissionId = Annotated[str, Path(description="the `id` of a submission"), id_of(SubmissionNotFound)]
CheckId = Annotated[str, Path(description="the `id` of a check"), id_of(CheckNotFound)]
RegradeId = Annotated[str, Path(description=LISTED), id_of(RegradeNotFound)]
JoinId = Annotated[str, Path(description=LISTED), id_of(JoinNotFound)]
MemberId = Annotated[str, Path(description="the `id` of a member of the course"), id_of(MemberNotFound)]
AdjustmentId = Annotated[str, Path(description=LISTED), id_of(AdjustmentNotFound)]
CommentId = Annotated[str, Path(description=LISTED), id_of(CommentNotFound)]
ReviewId = Annotated[str, Path(description=LISTED), id_of(ReviewNotFound)]
PersonId = Annotated[str, Path(description="the `person` of a member"), id_of(PersonNotFound)]
IdentityId = Annotated[str, Path(description="an `id` of the person's `identities`"), id_of(IdentityNotFound)]
Wait = Annotated[
    int, Query(ge=0, le=MAX_WAIT_SECONDS, description="answer only when graded, or after this many seconds")
]
# Limits stand inside the union: outside they would be missing in the document.
IdempotencyKey = Annotated[
    Annotated[str, Field(pattern="^[!-~]{1,255}$")] | SkipJsonSchema[None],
    Header(description="your own name for this request, such as a random UUID; sending it again does nothing twice"),
    Refuses((IdempotencyKeyReused,)),
]
EventId = Annotated[int, Field(ge=0, lt=2**63)]
LastEventId = Annotated[
    EventId | SkipJsonSchema[None], Header(description="the id of the last event that arrived; later ones are sent")
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
