"""Bodies about personal links and join links."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from app.actions.fields import ID, NO_NAME, WHOLE, ActionRequest, Moment, Name, both, given, not_, one_of
from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Page
from app.storage.models import utc_now

EXAMPLE_LINK = "https://grader.example.org/enter?token=lstmg_3x..."
#: A join link that names no end lasts this long, and lets in so many.
JOIN_DAYS = 30
JOIN_LIMIT = 500
JOIN_LIMIT_MAX = 100_000

MemberId = Annotated[str, Field(pattern=f"^{ID.pattern}$", examples=[EXAMPLE_ID])]
_ONE = {"all": {"const": True}, "never_used": {"const": True}}
_GIVEN = [given("members"), *(given(name, value) for name, value in _ONE.items())]


class LinksRequest(ActionRequest):
    """Exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra=not_(
            one_of(
                both(*map(not_, _GIVEN)),
                *(both(one, other) for number, one in enumerate(_GIVEN) for other in _GIVEN[:number]),
            )
        )
    )

    members: list[MemberId] | None = Field(
        None, description="the `id`s of members", min_length=1, max_length=1000, examples=[[EXAMPLE_ID]]
    )
    all: bool = Field(False, description="all students of the course")
    never_used: bool = Field(
        False, description="the students who have never come in, by a link or by single sign-on", examples=[False]
    )

    @model_validator(mode="after")
    def _is_one_choice(self) -> Self:
        if (self.members is not None) + self.all + self.never_used != 1:
            raise ValueError("expected one of: members, all, never_used")
        return self


class LinkBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    member: str = Field(description="the `id` of the member", examples=[EXAMPLE_ID])
    external_id: str | None = Field(description="the member's id in the grade book", examples=["ivanov"])
    name: str | None = Field(description="the member's", examples=["Иван Иванов"])
    created_at: datetime
    used_at: datetime | None = Field(description="when somebody first came in by it; null: never", examples=[None])
    expires_at: datetime | None = Field(examples=[None])
    ended_at: datetime | None = Field(
        description="when it was revoked, or a newer one was first used; null: it works", examples=[None]
    )


class NewLinkBody(LinkBody):
    email: str | None = Field(description="the member's", examples=["ivanov@example.org"])
    link: str = Field(description="opens a browser's session. Only this answer holds it", examples=[EXAMPLE_LINK])
    mailed: bool | None = Field(None, description="whether it goes out by mail; null: this was not asked for")


class LinkList(Page):
    items: list[LinkBody]


class NewLinks(Body):
    items: list[NewLinkBody]


class EndedLinks(Body):
    ended: int = Field(description="how many links worked until now", examples=[1])


class JoinLinkRequest(ActionRequest):
    group: Name | None = Field(
        None,
        description="the group of those who come by it",
        max_length=100,
        examples=["БПМИ201"],
        json_schema_extra={"not": NO_NAME},
    )
    limit: Annotated[int, Field(ge=1, le=JOIN_LIMIT_MAX, strict=True), WHOLE] | None = Field(
        JOIN_LIMIT, description="how many may come; null: no limit", examples=[300]
    )
    expires_at: Moment | None = Field(
        default_factory=lambda: utc_now() + timedelta(days=JOIN_DAYS),
        description=f"null: never; by default in {JOIN_DAYS} days",
        examples=["2030-02-01T00:00:00Z"],
    )


class JoinLinkBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = Field(examples=[EXAMPLE_COURSE])
    group: str | None = Field(examples=["БПМИ201"])
    limit: int | None = Field(description="how many may come; null: no limit", examples=[300])
    uses: int = Field(description="how many have come", examples=[0])
    made_by: str = Field(examples=["owner"])
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = Field(examples=[None])


class NewJoinLinkBody(JoinLinkBody):
    url: str = Field(
        description="for everybody who is to join. Only this answer holds it",
        examples=["https://grader.example.org/join/lstmj_3x..."],
    )
    qr_svg: str = Field(description="the address as a QR code: a picture in SVG", examples=["<svg ...></svg>"])


class JoinLinkList(Page):
    items: list[JoinLinkBody]
