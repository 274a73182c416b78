"""Bodies about people across courses, and about two who were merged."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AliasPath, BeforeValidator, Field

from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Count, Page
from app.storage.models import MemberRole


class PersonMembershipBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = Field(validation_alias="course_id", description="the id of the course", examples=[EXAMPLE_COURSE])
    role: MemberRole
    external_id: str | None = Field(description="the id in the course's grade book", examples=["ivanov"])
    removed_at: datetime | None


class IdentityBody(Body):
    """An account of single sign-on."""

    id: str = Field(examples=[EXAMPLE_ID])
    issuer: str = Field(examples=["https://id.example.edu/realms/main"])
    email: str | None = Field(
        description="as the issuer said at the first sign-in; it identifies nobody", examples=["ivanov@example.edu"]
    )
    created_at: datetime


class PersonBody(Body):
    id: str = Field(validation_alias=AliasPath("person", "id"), examples=[EXAMPLE_ID])
    name: str | None = Field(validation_alias=AliasPath("person", "name"), examples=["Ivan Ivanov"])
    email: str | None = Field(validation_alias=AliasPath("person", "email"), examples=["ivanov@example.org"])
    created_at: datetime = Field(validation_alias=AliasPath("person", "created_at"))
    memberships: list[PersonMembershipBody]
    identities: list[IdentityBody] = Field(description="accounts of single sign-on")
    export: Annotated[str, BeforeValidator("/api/v1/people/{}/export".format)] = Field(
        validation_alias=AliasPath("person", "id"),
        description="address of the archive with everything that is kept about the person",
        examples=[f"/api/v1/people/{EXAMPLE_ID}/export"],
    )


class PersonList(Page):
    items: list[PersonBody]


class MergeBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    kept: str = Field(
        validation_alias="kept_person_id", description="the person who has everything now", examples=[EXAMPLE_ID]
    )
    merged: str = Field(
        validation_alias=AliasPath("moved", "person"),
        description="the person who had it before",
        examples=[EXAMPLE_ID],
    )
    members: list[str] = Field(
        validation_alias=AliasPath("moved", "memberships"),
        description="the `id` of each member who moved",
        examples=[[EXAMPLE_ID]],
    )
    identities: Count = Field(
        validation_alias=AliasPath("moved", "identities"), description="accounts of single sign-on that moved"
    )
    made_by: str = Field(description="the name of a token, or `single sign-on`")
    created_at: datetime
    undone_at: datetime | None


class MergeList(Page):
    items: list[MergeBody]
