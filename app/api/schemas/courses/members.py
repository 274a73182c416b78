"""Bodies about the members of a course."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.actions.fields import ID, ActionRequest, Name
from app.api.schemas.base import EXAMPLE_ID, Body, Page
from app.mail.addresses import ADDRESS, CHARACTERS
from app.storage.models import MemberRole

Email = Annotated[str, Field(pattern=f"^{ADDRESS.pattern}$", max_length=CHARACTERS, examples=["ivanov@example.org"])]
Group = Annotated[Name, Field(max_length=100, examples=["БПМИ201"])]


class MemberRequest(ActionRequest):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"external_id": "ivanov", "name": "Иван Иванов", "email": "ivanov@example.org"}]
        }
    )

    external_id: Name = Field(description="the id in the grade book; uploads name a student by it", examples=["ivanov"])
    role: MemberRole = MemberRole.STUDENT
    name: Name | None = None
    email: Email | None = None
    group: Group | None = None


class MemberChangeRequest(ActionRequest):
    """The fields to change; the others stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"group": "БПМИ202"}, {"confirmed": True}]})

    external_id: Name = Field(default_factory=str, description="changes what was handed in under the earlier one, too")
    role: MemberRole = Field(default_factory=lambda: MemberRole.STUDENT)
    name: Name | None = Field(default_factory=lambda: None)
    email: Email | None = Field(default_factory=lambda: None)
    group: Group | None = Field(default_factory=lambda: None)
    confirmed: Literal[True] = Field(
        default_factory=lambda: True, description="a teacher says that there is such a one"
    )


class MemberBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = Field(examples=[EXAMPLE_ID])
    person: str = Field(description="the same in every course of this person", examples=[EXAMPLE_ID])
    role: MemberRole
    external_id: str | None = Field(examples=["ivanov"])
    name: str | None
    email: str | None
    group: str | None
    claimed_id: str | None = Field(description="the id that somebody gave who came by a join link; it proves nothing")
    created_at: datetime
    confirmed_at: datetime | None = Field(description="null: an upload, a token or a join link made this student")
    removed_at: datetime | None = Field(description="since when the member has no rights; null: the member has")


class MemberList(Page):
    items: list[MemberBody]


class JoinRequest(ActionRequest):
    member: str = Field(
        pattern=f"^{ID.pattern}$",
        description="the `id` of the other member of the course, who is removed",
        examples=[EXAMPLE_ID],
    )


class JoinBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    kept: str = Field(description="the `id` of the member who has everything now", examples=[EXAMPLE_ID])
    joined: str = Field(description="the `id` of the member who was removed", examples=[EXAMPLE_ID])
    submissions: int = Field(description="that moved")
    tokens: int = Field(description="that moved, with their links")
    signs_on: bool = Field(description="whether the kept member now gets in by the single sign-on of the other one")
    made_by: str = Field(description="the name of a person or of a token")
    created_at: datetime
    undone_at: datetime | None


class JoinList(Page):
    items: list[JoinBody]
