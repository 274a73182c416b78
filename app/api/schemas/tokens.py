"""Bodies about tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from app.access.tokens import OWNER
from app.actions.fields import NO_NAME, ActionRequest, Moment, Name, both, given, not_
from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Page
from app.storage.models import Role

_STUDENT_WHO_IS_NONE = both(given("student"), given("role", not_({"const": "submitter"})))


class TokenRequest(ActionRequest):
    model_config = ConfigDict(json_schema_extra=not_(_STUDENT_WHO_IS_NONE))

    name: Name = Field(
        description="the token's purpose",
        examples=["Moodle"],
        json_schema_extra={"not": {"anyOf": [*NO_NAME["anyOf"], {"const": OWNER}]}},
    )
    role: Role = Field(Role.SUBMITTER, description="`submitter` sees its own submissions, `teacher` all of the course")
    student: Name | None = Field(None, description="makes it this student's own", examples=["ivanov"])
    expires_at: Moment | None = Field(None, description="null: never", examples=["2030-02-01T00:00:00Z"])

    @field_validator("name")
    @classmethod
    def _is_not_the_owners(cls, name: str) -> str:
        if name == OWNER:
            raise ValueError("this name is the owner's, whose token is set when the service starts")
        return name

    @model_validator(mode="after")
    def _only_submitters_are_students(self) -> Self:
        if self.student is not None and self.role != Role.SUBMITTER:
            raise ValueError("a student's own token has the role submitter")
        return self


class TokenBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    name: str
    role: Role
    course: str = Field(
        description="the id of the course it acts in; an admin's acts in all", examples=[EXAMPLE_COURSE]
    )
    student: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenBody(TokenBody):
    token: str = Field(description="send it as `Authorization: Bearer ...`; it is shown only here")
    link: str = Field(description="signs a browser in")


class TokenList(Page):
    items: list[TokenBody]
