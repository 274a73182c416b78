"""Parameters of several endpoints, and the limits on their values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Any, TypeAlias, TypeVar

from fastapi import Depends, Header, Path, Query
from pydantic import AfterValidator, Field
from pydantic.json_schema import SkipJsonSchema

from app.actions.actor import Action
from app.actions.fields import ID, AssignmentKey, Language, Name
from app.actions.work import WorkId
from app.errors import (
    AdjustmentNotFound,
    AppError,
    AssignmentNotFound,
    BatchNotFound,
    CheckNotFound,
    CommentNotFound,
    IdempotencyKeyReused,
    IdentityNotFound,
    JoinLinkNotFound,
    JoinNotFound,
    MemberNotFound,
    MemberNotStudent,
    PersonNotFound,
    RegradeNotFound,
    ReviewNotFound,
    SubmissionNotFound,
    TokenNotFound,
    WebhookNotFound,
)
from app.errors.lti import LinkNotFound, PlatformNotFound, SelectionNotFound
from app.storage.models import JobStatus
from app.submissions.listing import Selection
from app.values import Moment
from grader import Status

T = TypeVar("T")
#: A parameter that may be left out. The document does not say that it may be null.
Omittable: TypeAlias = T | SkipJsonSchema[None]

MAX_WAIT_SECONDS = 120
LISTED = "an `id` from the list"


async def language_parameter(
    lang: Annotated[
        Omittable[Language],
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
    Omittable[str],
    Query(description="the `id` of the course to act in; by default the token's own, and for an admin who reads, all"),
]
SubmissionId = Annotated[str, Path(description="the `id` of a submission"), id_of(SubmissionNotFound)]
CheckId = Annotated[str, Path(description="the `id` of a check"), id_of(CheckNotFound)]
RegradeId = Annotated[str, Path(description=LISTED), id_of(RegradeNotFound)]
MemberId = Annotated[str, Path(description="the `id` of a member of the course"), id_of(MemberNotFound)]
ReviewId = Annotated[str, Path(description=LISTED), id_of(ReviewNotFound)]
PersonId = Annotated[str, Path(description="the `person` of a member"), id_of(PersonNotFound)]
WebhookId = Annotated[str, Path(description=LISTED), id_of(WebhookNotFound)]
AssignmentId = Annotated[
    str,
    Path(
        description="the `id` of an assignment",
        examples=["lstm-layer"],
        json_schema_extra={"pattern": "^[a-z0-9-]{1,64}$"},
    ),
    AfterValidator(IdOf((AssignmentNotFound, MemberNotStudent), re.compile("[a-z0-9-]{1,64}"))),
]


async def _work_id(member_id: MemberId, assignment_id: AssignmentId) -> WorkId:
    return WorkId(member_id, assignment_id)


AtWork = Annotated[WorkId, Depends(_work_id)]
#: The ids in paths, by their names there.
IDS: Mapping[str, Any] = {
    "adjustment_id": Annotated[str, Path(description=LISTED), id_of(AdjustmentNotFound)],
    "assignment_id": AssignmentId,
    "at": AtWork,
    "batch_id": Annotated[str, id_of(BatchNotFound)],
    "comment_id": Annotated[str, Path(description=LISTED), id_of(CommentNotFound)],
    "check_id": CheckId,
    "context_id": Annotated[str, id_of(LinkNotFound)],
    "identity_id": Annotated[str, Path(description="an `id` of the person's `identities`"), id_of(IdentityNotFound)],
    "join_id": Annotated[str, Path(description=LISTED), id_of(JoinNotFound)],
    "join_link_id": Annotated[str, Path(description=LISTED), id_of(JoinLinkNotFound)],
    "link_id": Annotated[str, id_of(LinkNotFound)],
    "member_id": MemberId,
    "merge_id": Annotated[str, Path(description=LISTED), id_of(JoinNotFound)],
    "other_id": SubmissionId,
    "person_id": PersonId,
    "platform_id": Annotated[str, id_of(PlatformNotFound)],
    "regrade_id": RegradeId,
    "review_id": ReviewId,
    "selection_id": Annotated[str, id_of(SelectionNotFound)],
    "submission_id": SubmissionId,
    "token_id": Annotated[str, Path(description=LISTED), id_of(TokenNotFound)],
    "webhook_id": WebhookId,
}


def ids_in(path: str, action: Action[..., Any], ids: Mapping[str, Any] = IDS) -> list[Parameter]:
    """Return the ids in the path of an action as parameters of its route. The course's is read by `holders`."""
    names = [name for name in re.findall(r"{(\w+)}", path) if name != "course_id"]
    if "at" in action.parameters:
        names = ["at", *(name for name in names if name not in ("member_id", "assignment_id"))]
    return [Parameter(name, Parameter.KEYWORD_ONLY, annotation=ids[name]) for name in names]


Wait = Annotated[
    int, Query(ge=0, le=MAX_WAIT_SECONDS, description="answer only when graded, or after this many seconds")
]
# Limits stand inside the union: outside they would be missing in the document.
IdempotencyKey = Annotated[
    Omittable[Annotated[str, Field(pattern="^[!-~]{1,255}$")]],
    Header(description="your own name for this request, such as a random UUID; sending it again does nothing twice"),
    Refuses((IdempotencyKeyReused,)),
]
EventId = Annotated[int, Field(ge=0, lt=2**63)]
LastEventId = Annotated[
    Omittable[EventId], Header(description="the id of the last event that arrived; later ones are sent")
]


async def _selection(
    student: Annotated[Omittable[Name], Query(examples=["ivanov"])] = None,
    assignment: Annotated[Omittable[AssignmentKey], Query(examples=["lstm-layer"])] = None,
    job_status: Annotated[Omittable[JobStatus], Query(description="the state of the job")] = None,
    status: Annotated[Omittable[Status], Query(description="the verdict")] = None,
    since: Annotated[
        Omittable[Moment],
        Query(description="submitted at this moment or later", examples=["2026-09-01T00:00:00Z"]),
    ] = None,
    held: Annotated[Omittable[bool], Query(description="waits for a teacher's decision")] = None,
) -> Selection:
    return Selection(student, assignment, job_status, status, since, held)


SelectionQuery = Annotated[Selection, Depends(_selection)]
