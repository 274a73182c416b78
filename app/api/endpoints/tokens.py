"""Tokens: make one, list them, end one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from app.access import tokens
from app.access.rights import Right
from app.access.tokens import Principal, sign_in_link
from app.actions import ways_in as actions
from app.actions.asking import Asking
from app.actions.ways_in import MakeToken
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Page
from app.errors.courses import CourseArchived
from app.errors.requests import NotPermitted, TokenMadeBefore, TokenNotFound
from app.errors.uploads import IdempotencyKeyReused, MemberRemoved
from app.http.auth.holders import Asks, TokenFor
from app.http.parameters import Cursor, IdempotencyKey, Limit
from app.services import services
from app.storage.models import Role

router = APIRouter(prefix="/tokens", tags=["tokens"])


class TokenBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    name: str
    role: Role
    course: str = Field(
        description="the id of the course it acts in; an admin's acts in all", examples=[EXAMPLE_COURSE]
    )
    student: str | None
    assignment: str | None = Field(
        description="the only assignment of a student's notebook; null: of them all", examples=[None]
    )
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenBody(TokenBody):
    token: str = Field(description="send it as `Authorization: Bearer ...`; it is shown only here")
    link: str = Field(description="signs a browser in")


class TokenList(Page):
    items: list[TokenBody]


@router.post(
    "",
    summary="Make a token",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(
        *JSON_BODY,
        NotPermitted,
        CourseArchived,
        MemberRemoved,
        RequestValidationError,
        IdempotencyKeyReused,
        TokenMadeBefore,
    ),
)
async def create_token(
    asking: Annotated[Asking, Depends(Asks(actions.make_token))],
    wanted: MakeToken,
    idempotency_key: IdempotencyKey = None,
) -> NewTokenBody:
    """Make a token of the course. Only this answer holds it. A teacher makes tokens for submitters, an admin for all
    roles.

    With `student` it is the student's own: it hands in under this name, and sees this student's submissions. Give the
    student the `link`, which signs a browser in.

    With the header `Idempotency-Key` the same request sent again makes no second token. It is answered 409 with the
    `id` of the first one, whose secret nobody can read any more. If you did not receive that secret, end that token and
    make another, with another key.
    """
    token, secret = await actions.make_token(asking, wanted, key=idempotency_key)
    link = sign_in_link(asking.url, secret)
    return NewTokenBody.from_row(token, course=token.course_id, assignment=None, token=secret, link=link)


@router.get("", summary="List the tokens", responses=problem_answers(NotPermitted))
async def list_tokens(
    request: Request,
    viewer: Annotated[Principal, Depends(TokenFor(Right.MANAGE_TOKENS))],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> TokenList:
    """List the tokens that you may manage, the newest first, ended ones too. Their secrets are not shown."""
    async with services(request).database.read() as session:
        found = await tokens.list_tokens(session, viewer, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda token: token.id)
    return TokenList(
        items=[TokenBody.from_row(token, course=token.course_id, assignment=token.assignment_id) for token in shown],
        next_cursor=next_cursor,
    )


@router.delete(
    "/{token_id}",
    summary="End a token",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(NotPermitted, TokenNotFound),
)
async def revoke_token(
    asking: Annotated[Asking, Depends(Asks(actions.revoke_token))],
    token_id: Annotated[str, Path(description="an `id` from the list")],
) -> Response:
    """End the token at once, and sign out its browsers. Its submissions stay."""
    await actions.revoke_token(asking, token_id)
    return Response(status_code=HTTP_204_NO_CONTENT)
