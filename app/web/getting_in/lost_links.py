"""The page on which people ask for a new personal link by mail."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.errors.requests import EmailInvalid
from app.http.auth.proof import check_origin
from app.http.clients import client_of
from app.http.pages import page
from app.http.ways_in import ways_in
from app.mail.addresses import comparable, is_address
from app.onward import HOME, onward
from app.services import services

router = APIRouter(include_in_schema=False)


@router.get("/link")
async def link_page(request: Request, next: str = HOME) -> Response:
    return _page(request, onward(next), asked=False)


@router.post("/link")
async def ask_for_link(request: Request) -> Response:
    """Answer at once and in the same way, whether anybody has this address or not."""
    check_origin(request)
    parts = services(request)
    async with request.form(max_files=0, max_fields=2) as form:
        came, next = str(form.get("email", "")).strip(), onward(str(form.get("next", HOME)))
    if parts.lost_links is None:
        return _page(request, next, asked=False)
    if not is_address(came):
        raise EmailInvalid(came=came[:100])
    parts.client_limit.take(client_of(request))
    parts.address_limit.take(comparable(came))
    parts.lost_links.ask(came, next)
    return _page(request, next, asked=True)


def _page(request: Request, next: str, *, asked: bool) -> Response:
    return page(request, "link.html", asked=asked, **ways_in(request, next))
