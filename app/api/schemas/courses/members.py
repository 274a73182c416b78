"""Bodies about the members of a course, and about two who were joined."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AliasPath, BeforeValidator, Field

from app.api.schemas.base import EXAMPLE_ID, Body, Count, Page
from app.storage.models import MemberRole


class MemberBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = Field(validation_alias="course_id", examples=[EXAMPLE_ID])
    person: str = Field(
        validation_alias="person_id", description="the same in every course of this person", examples=[EXAMPLE_ID]
    )
    role: MemberRole
    external_id: str | None = Field(examples=["ivanov"])
    name: str | None = Field(validation_alias=AliasPath("person", "name"))
    email: str | None = Field(validation_alias=AliasPath("person", "email"))
    group: str | None
    claimed_id: str | None = Field(description="the id that somebody gave who came by a join link; it proves nothing")
    created_at: datetime
    confirmed_at: datetime | None = Field(description="null: an upload, a token or a join link made this student")
    removed_at: datetime | None = Field(description="since when the member has no rights; null: the member has")


class MemberList(Page):
    items: list[MemberBody]


class JoinBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    kept: str = Field(
        validation_alias="kept_member_id",
        description="the `id` of the member who has everything now",
        examples=[EXAMPLE_ID],
    )
    joined: str = Field(
        validation_alias="merged_member_id", description="the `id` of the member who was removed", examples=[EXAMPLE_ID]
    )
    submissions: Count = Field(validation_alias=AliasPath("moved", "submissions", "moved"), description="that moved")
    tokens: Count = Field(validation_alias=AliasPath("moved", "tokens"), description="that moved, with their links")
    signs_on: Annotated[bool, BeforeValidator(bool)] = Field(
        validation_alias=AliasPath("moved", "persons"),
        description="whether the kept member now gets in by the single sign-on of the other one",
    )
    made_by: str = Field(description="the name of a person or of a token")
    created_at: datetime
    undone_at: datetime | None


class JoinList(Page):
    items: list[JoinBody]
