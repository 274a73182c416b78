"""Bodies about persons who were merged."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.actions.fields import ID, ActionRequest
from app.api.schemas.base import EXAMPLE_ID, Body, Page


class MergeRequest(ActionRequest):
    person: str = Field(
        pattern=f"^{ID.pattern}$",
        description="the `person` of a member who is the same human being; nothing is left of it",
        examples=[EXAMPLE_ID],
    )


class MergeBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    kept: str = Field(description="the person who has everything now", examples=[EXAMPLE_ID])
    merged: str = Field(description="the person who had it before", examples=[EXAMPLE_ID])
    members: list[str] = Field(description="the `id` of each member who moved", examples=[[EXAMPLE_ID]])
    identities: int = Field(description="accounts of single sign-on that moved")
    made_by: str = Field(description="the name of a token, or `single sign-on`")
    created_at: datetime
    undone_at: datetime | None


class MergeList(Page):
    items: list[MergeBody]
