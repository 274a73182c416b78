"""Tokens for programs that act in a course: listed, made, ended."""

from __future__ import annotations

import json
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from app.access import links, tokens
from app.access.rights import Right
from app.access.tokens import OWNER, Principal, hash_secret
from app.courses import course as courses
from app.errors import AppError
from app.errors.requests import FieldsWrong, TokenNotFound
from app.http.auth.holders import PageFor
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.staff import ROWS, Shown, TokenId, cursor_of
from app.services import service_url, services
from app.storage.models import Role, Token, utc_now

Viewer = Annotated[Principal, Depends(Shown(Right.MANAGE_TOKENS))]
Maker = Annotated[Principal, Depends(PageFor(Right.MAKE_TOKENS))]
Manager = Annotated[Principal, Depends(PageFor(Right.MANAGE_TOKENS))]

router = APIRouter(prefix="/courses/{course_id}/tokens")


@router.get("")
async def tokens_page(request: Request, viewer: Viewer) -> Response:
    return await _page(request, viewer)


@router.post("")
async def make_token(request: Request, maker: Maker) -> Response:
    """Make a token and show it, for the only time. The same form sent again shows the same, unless it was revoked."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    key = fields.form_key()
    async with parts.database.read() as session:
        course = await courses.existing(session, maker.course_id)
    try:
        name = fields.name("name", required=True) or ""
        if name == OWNER:
            fields.wrong("name", "owner")
        role = Role(fields.choice("role", roles_of(maker), Role.SUBMITTER))
        expires_at = fields.moment("expires_at", ZoneInfo(course.time_zone))
        fields.check()
    except FieldsWrong as refusal:
        return await _page(request, maker, fields, refusal)
    # Another name in the same form, after a way back, is another token.
    meant = json.dumps(["token", maker.course_id, name, role, str(expires_at)])
    async with parts.database.write() as session:
        secret, made = await links.last_made(session, Token, key, meant)
        if made is None or made.revoked_at is not None:
            made = await tokens.add_token(
                session,
                name=name,
                role=role,
                sha256=hash_secret(secret),
                course_id=maker.course_id,
                expires_at=expires_at,
                created_by=maker.id,
            )
    return page(
        request,
        "manage/token_made.html",
        viewer=maker,
        course=course,
        here="tokens",
        token=made,
        secret=secret,
        url=service_url(request),
    )


@router.post("/{token_id}/revoke")
async def revoke_token(request: Request, manager: Manager, token_id: TokenId) -> Response:
    """End the token at once, and sign out its browsers."""
    async with form_of(request), services(request).database.write() as session:
        if not await tokens.revoke_token(session, token_id, manager):
            raise TokenNotFound
    return see_other(f"/courses/{manager.course_id}/tokens", said="token.revoked")


def roles_of(maker: Principal) -> list[Role]:
    """Return the roles of tokens that somebody makes; an admin's tokens act in all courses, and are no course's."""
    return [Role.SUBMITTER, *([Role.ASSISTANT, Role.TEACHER] if maker.may(Right.MAKE_TOKENS_OF_STAFF) else [])]


async def _page(
    request: Request, viewer: Principal, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    before = cursor_of(request.query_params.get("page_from"))
    async with services(request).database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await tokens.list_tokens(session, viewer, limit=ROWS + 1, before=before)
    return page(
        request,
        "manage/tokens.html",
        viewer=viewer,
        course=course,
        here="tokens",
        zone=ZoneInfo(course.time_zone),
        now=utc_now(),
        tokens=found[:ROWS],
        next=found[ROWS - 1].id if len(found) > ROWS else None,
        roles=roles_of(viewer),
        may_make=viewer.may(Right.MAKE_TOKENS),
        may_revoke=viewer.may(Right.MANAGE_TOKENS),
        **form_context(request, fields, refusal),
    )
