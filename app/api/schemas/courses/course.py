"""Bodies about courses themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from app.api.schemas.base import EXAMPLE_COURSE, WHOLE, Body, Page, Request
from app.courses.course import time_zones
from app.http.parameters import Language, Name


def _is_known(name: str) -> str:
    if name not in time_zones():
        raise ValueError("expected a name of the IANA time zone database, such as Europe/Moscow")
    return name


# A pattern cannot say which names there are; these examples are.
TimeZone = Annotated[
    str,
    Field(
        max_length=64,
        description="a name of the IANA database, in which dates are shown and moved",
        examples=["Europe/Moscow", "UTC"],
    ),
    AfterValidator(_is_known),
]
RetentionDays = Annotated[
    float,
    Field(gt=0, le=36500, strict=True, allow_inf_nan=False),
]
RETENTION = "age at which submissions are deleted; null: as in the settings of the service; for admins"


class CourseRequest(Request):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "Сети, весна", "language": "ru", "time_zone": "Europe/Moscow"}]}
    )

    title: Name
    language: Language = Field(Language.EN, description="of texts for its people, where the reader asks for none")
    time_zone: TimeZone = "UTC"
    retention_days: RetentionDays | None = Field(None, description=RETENTION)


class CourseChangeRequest(Request):
    """The fields to change; the others stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Сети, осень"}, {"archived": True}]})

    # No field has a default in the document: one that is not given is not null either.
    title: Name = Field(default_factory=str)
    language: Language = Field(default_factory=lambda: Language.EN)
    time_zone: TimeZone = Field(default_factory=str)
    retention_days: RetentionDays | None = Field(default_factory=lambda: None, description=RETENTION)
    archived: bool = Field(default_factory=bool, strict=True, description="true: nothing in it changes any more")


class CourseCopyRequest(Request):
    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Сети, весна 2027", "shift_days": 364}]})

    title: Name
    shift_days: Annotated[int, Field(ge=-3660, le=3660, strict=True), WHOLE] | None = Field(
        0,
        description="how far its dates move, by the clock on the wall in the course's time zone; "
        "null: the copy has no dates",
    )


class CourseBody(Body):
    id: str = Field(examples=[EXAMPLE_COURSE])
    title: str
    language: str = Field(examples=["ru"])
    time_zone: str = Field(examples=["Europe/Moscow"])
    retention_days: float | None = Field(description=RETENTION)
    created_at: datetime
    archived_at: datetime | None = Field(description="since when nothing in it changes; null: it is not archived")


class CourseList(Page):
    items: list[CourseBody]
