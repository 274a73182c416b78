"""Parameters that several endpoints have, and the limits on their values."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends, Header, Path, Query
from pydantic import AfterValidator, AwareDatetime

from app.errors import SubmissionNotFound
from app.listing import Selection
from app.models import ID_ALPHABET, ID_LENGTH, JobStatus
from app.uploads import STUDENT_CHARACTERS, check_student
from grader import Status

MAX_WAIT_SECONDS = 120
ID = re.compile(f"[{ID_ALPHABET}]{{{ID_LENGTH}}}")
# Far from the ends of what a database can tell.
MOMENTS = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))


def language_parameter(
    lang: Annotated[
        Literal["en", "ru"] | None,
        Query(description="language of the texts in the answer; without it `Accept-Language` counts"),
    ] = None,
) -> None:
    """Checked and documented here; `language_of` reads it, for refusals too."""


def _submission_id(
    submission_id: Annotated[str, Path(description="as it was given when the file was submitted")],
) -> str:
    """Raises: SubmissionNotFound: nothing can have this id, so that no database is asked for it."""
    if not ID.fullmatch(submission_id):
        raise SubmissionNotFound
    return submission_id


def _possible(moment: datetime) -> datetime:
    if not MOMENTS[0] <= moment <= MOMENTS[1]:
        raise ValueError(f"expected a moment from {MOMENTS[0]:%Y} to {MOMENTS[1]:%Y}")
    return moment.astimezone(UTC)


SubmissionId = Annotated[str, Depends(_submission_id)]
Moment = Annotated[AwareDatetime, AfterValidator(_possible)]
Wait = Annotated[
    int, Query(ge=0, le=MAX_WAIT_SECONDS, description="answer only when graded, or after this many seconds")
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern="^[!-~]{1,255}$",
        description="your own name for this upload: who sends it again, after a broken connection for instance, hands "
        "nothing in twice and gets the same submission",
        examples=["9f2c1a7e-5b1d-4a53-8a6e-0d9f3f3c2b11"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
Cursor = Annotated[
    str | None, Query(pattern=f"^{ID.pattern}$", description="`next_cursor` of the page before; without it the newest")
]


def _selection(
    student: Annotated[str | None, Query(max_length=STUDENT_CHARACTERS, examples=["ivanov"])] = None,
    assignment: Annotated[str | None, Query(pattern="^[a-z0-9-]{1,64}$", examples=["lstm-layer"])] = None,
    job_status: Annotated[JobStatus | None, Query(description="how far it is")] = None,
    status: Annotated[Status | None, Query(description="the verdict")] = None,
    since: Annotated[
        Moment | None, Query(description="submitted at this moment or later", examples=["2026-09-01T00:00:00Z"])
    ] = None,
) -> Selection:
    """Raises: StudentInvalid: nobody can have this name."""
    return Selection(
        student=check_student(student) if student is not None else None,
        assignment=assignment,
        job_status=job_status,
        status=status,
        since=since,
    )


Selected = Annotated[Selection, Depends(_selection)]
