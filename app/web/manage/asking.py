"""Questions of these pages to a request: who looks, the ids in their addresses, and whom their links reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from app.access.rights import Right
from app.access.tokens import Principal
from app.errors.members import JoinNotFound, MemberNotFound, PersonNotFound
from app.errors.requests import NotPermitted, TokenNotFound
from app.errors.ways_in import JoinLinkNotFound
from app.http.auth.holders import PageFor, session_holder
from app.http.parameters import ID, PathId
from app.oidc.urls import is_loopback
from app.services import service_url

#: Rows of a list on one page.
ROWS = 50


@dataclass(frozen=True)
class Shown:
    """A dependency that gives the holder of the session, if the role has this right.

    In an archived course the page is shown, too; what changes the course is not.
    """

    right: Right

    async def __call__(self, holder: Annotated[Principal, Depends(session_holder)]) -> Principal:
        if not holder.has(self.right):
            raise NotPermitted
        return holder


def only_here(request: Request) -> str | None:
    """Return the address of the service if links to it open on its own machine alone."""
    url = service_url(request)
    return url if is_loopback(urlsplit(url).hostname or "") else None


MemberId = Annotated[str, Depends(PathId("member_id", MemberNotFound))]
JoinId = Annotated[str, Depends(PathId("join_id", JoinNotFound))]
TokenId = Annotated[str, Depends(PathId("token_id", TokenNotFound))]
JoinLinkId = Annotated[str, Depends(PathId("join_link_id", JoinLinkNotFound))]
PersonId = Annotated[str, Depends(PathId("person_id", PersonNotFound))]

Staff = Annotated[Principal, Depends(Shown(Right.SEE_MEMBERS))]
MemberManager = Annotated[Principal, Depends(PageFor(Right.MANAGE_MEMBERS))]
CourseManager = Annotated[Principal, Depends(PageFor(Right.MANAGE_COURSE))]


def cursor_of(came: str | None) -> str | None:
    """Return the id at which a page of a list begins; a made-up one means the first page."""
    return came if came and ID.fullmatch(came) else None
