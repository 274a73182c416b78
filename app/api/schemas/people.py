"""Bodies about people across courses, and about what was deleted."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Page
from app.storage.models import MemberRole


class PersonMembershipBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = Field(description="the id of the course", examples=[EXAMPLE_COURSE])
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
    id: str = Field(examples=[EXAMPLE_ID])
    name: str | None = Field(examples=["Ivan Ivanov"])
    email: str | None = Field(examples=["ivanov@example.org"])
    created_at: datetime
    memberships: list[PersonMembershipBody]
    identities: list[IdentityBody] = Field(description="accounts of single sign-on")
    export: str = Field(
        description="address of the archive with everything that is kept about the person",
        examples=[f"/api/v1/people/{EXAMPLE_ID}/export"],
    )


class PersonList(Page):
    items: list[PersonBody]


class DeletedCourseBody(Body):
    """The number of deleted rows, by kind."""

    submissions: int
    members: int
    people: int = Field(description="members who were in no other course")
