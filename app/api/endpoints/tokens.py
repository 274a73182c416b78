"""Tokens: make one, list them, end one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from app.access import tokens
from app.access.idempotency import made_before, make_once
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.tokens import NewTokenBody, TokenBody, TokenList, TokenRequest
from app.errors.courses import CourseArchived
from app.errors.requests import NotPermitted, TokenMadeBefore, TokenNotFound
from app.errors.uploads import IdempotencyKeyReused, MemberRemoved
from app.http.auth.holders import Permitted
from app.http.parameters import Cursor, IdempotencyKey, Limit
from app.services import service_url, services
from app.storage.models import Role, Token

Maker = Annotated[Principal, Depends(Permitted(Right.MAKE_TOKENS))]
Manager = Annotated[Principal, Depends(Permitted(Right.MANAGE_TOKENS))]

router = APIRouter(prefix="/tokens", tags=["tokens"])


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
    request: Request, maker: Maker, wanted: TokenRequest, idempotency_key: IdempotencyKey = None
) -> NewTokenBody:
    """Make a token of the course. Only this answer holds it. A teacher makes tokens for submitters, an admin for all
    roles.

    With `student` it is the student's own: it hands in under this name, and sees this student's submissions. Give the
    student the `link`, which signs a browser in.

    With the header `Idempotency-Key` the same request sent again makes no second token. It is answered 409 with the
    `id` of the first one, whose secret nobody can read any more. If you did not receive that secret, end that token and
    make another, with another key.
    """
    if wanted.role != Role.SUBMITTER:
        maker.check(Right.MAKE_TOKENS_OF_STAFF)
    secret = tokens.new_token()
    meant = {**wanted.model_dump(), "course_id": maker.course_id}
    parts = services(request)
    token, is_new = await make_once(
        parts.database,
        lambda session: made_before(session, Token, maker.id, idempotency_key, **meant),
        lambda session: tokens.add_token(
            session,
            sha256=tokens.hash_secret(secret),
            created_by=maker.id,
            idempotency_key=idempotency_key,
            **meant,
        ),
    )
    if not is_new:
        raise TokenMadeBefore(id=token.id)
    link = tokens.sign_in_link(service_url(request), secret)
    return NewTokenBody(**_body(token).model_dump(), token=secret, link=link)


@router.get("", summary="List the tokens", responses=problem_answers(NotPermitted))
async def list_tokens(request: Request, viewer: Manager, limit: Limit = 50, cursor: Cursor = None) -> TokenList:
    """List the tokens that you may manage, the newest first, ended ones too. Their secrets are not shown."""
    async with services(request).database.read() as session:
        found = await tokens.list_tokens(session, viewer, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda token: token.id)
    return TokenList(items=list(map(_body, shown)), next_cursor=next_cursor)


@router.delete(
    "/{token_id}",
    summary="End a token",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(NotPermitted, TokenNotFound),
)
async def revoke_token(
    request: Request, manager: Manager, token_id: Annotated[str, Path(description="an `id` from the list")]
) -> Response:
    """End the token at once, and sign out its browsers. Its submissions stay."""
    async with services(request).database.write() as session:
        if not ID.fullmatch(token_id) or not await tokens.revoke_token(session, token_id, manager):
            raise TokenNotFound
    return Response(status_code=HTTP_204_NO_CONTENT)


def _body(token: Token) -> TokenBody:
    return TokenBody(
        id=token.id,
        name=token.name,
        role=token.role,
        course=token.course_id,
        student=token.student,
        created_at=token.created_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )
