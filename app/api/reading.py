"""Routes that read: the reader with a session of the database, and the pages of a list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import Id
from app.api.schemas.base import Page
from app.http.auth.holders import TokenFor, TokenInCourseFor
from app.http.texts import language_of
from app.services import services
from grader import Assignment

Row = TypeVar("Row")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Reading:
    """Somebody who reads, and what answers are made from."""

    viewer: Principal
    session: AsyncSession
    assignments: Mapping[str, Assignment]
    language: str

    @property
    def course_id(self) -> str:
        return self.viewer.course_id


def reads(right: Right) -> Any:
    """Return a dependency of a route that reads: it gives the `Reading` of the holder of this right."""
    return _reading(TokenFor(right))


def reads_in(right: Right) -> Any:
    """As `reads`, in the course of the path."""
    return _reading(TokenInCourseFor(right))


def _reading(checked: TokenFor | TokenInCourseFor) -> Any:
    # An annotation, which is a text, could not name `checked`.
    async def reading(request: Request, viewer: Principal = Depends(checked)) -> AsyncIterator[Reading]:  # noqa: B008
        parts = services(request)
        async with parts.database.read() as session:
            yield Reading(viewer, session, parts.assignments, language_of(request))

    # The session is closed before the answer is sent, however slowly the client takes it.
    return Depends(reading, scope="function")


AnyReading = Annotated[Reading, reads(Right.READ)]


Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
Cursor = Annotated[
    Id | SkipJsonSchema[None], Query(description="`next_cursor` of the page before; by default the first page")
]


@dataclass(frozen=True)
class Paging:
    """The part of a list that a request asks for: at most `limit` rows after `cursor`."""

    limit: int
    cursor: str | None

    @property
    def most(self) -> int:
        """The number of rows to look for: one more than are shown tells whether there is another page."""
        return self.limit + 1

    def page(
        self, rows: Sequence[Row], body: Callable[[Row], Item], id_of: Callable[[Row], object] = attrgetter("id")
    ) -> Page[Item]:
        """Return the page with these rows.

        Args:
            rows: at most `most`.
            body: of a row.
            id_of: the cursor by which the next page begins after a row.
        """
        shown = rows[: self.limit]
        next_cursor = str(id_of(shown[-1])) if len(rows) > self.limit else None
        return Page(items=list(map(body, shown)), next_cursor=next_cursor)


async def _paging(limit: Limit = 50, cursor: Cursor = None) -> Paging:
    return Paging(limit, cursor)


Paged = Annotated[Paging, Depends(_paging)]
