"""Dependencies of the routes: somebody who asks for an action or reads, and the pages of a list."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from operator import attrgetter
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.actor import Action, Actor
from app.actions.fields import Id
from app.api.schemas.base import Page
from app.courses.assignments import Assignments
from app.http.auth.holders import ActorFor, TokenFor
from app.http.parameters import IDS, IdempotencyKey, Omittable, ids_in
from app.http.texts import language_of
from app.services import services
from app.storage.paging import Paging

Row = TypeVar("Row")
Item = TypeVar("Item")


def acts(action: Action[..., Any]) -> Any:
    """Return a dependency of a route with an action: it gives the `Actor` of the holder of the action's right."""
    return Depends(ActorFor(action))


class Resource(APIRouter):
    """The routes of one kind of resource."""

    def act(
        self,
        method: str,
        path: str,
        action: Action[..., Any],
        body: type[BaseModel] | None = None,
        *,
        summary: str,
        name: str | None = None,
        status_code: int | None = None,
        **ids: Any,
    ) -> None:
        """Add the route of an action that needs no function.

        Args:
            body: of the answer, filled from what the action returns; None: there is none.
            name: of the operation; None: that of the action.
            ids: see `ids_in`, where they differ.
        """

        async def endpoint(actor: Actor, **arguments: Any) -> Any:
            if "idempotency_key" in arguments:
                arguments["key"] = arguments.pop("idempotency_key")
            return await action(actor, **arguments)

        given = action.parameters
        asked = Parameter("actor", Parameter.KEYWORD_ONLY, annotation=Annotated[Actor, acts(action)])
        parameters = [asked, *ids_in(self.prefix + path, action, {**IDS, **ids})]
        if "wanted" in given:
            parameters.append(given["wanted"].replace(kind=Parameter.KEYWORD_ONLY))
        if "key" in given:
            parameters.append(
                Parameter("idempotency_key", Parameter.KEYWORD_ONLY, default=None, annotation=IdempotencyKey)
            )
        endpoint.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        self.add_api_route(
            path,
            endpoint,
            methods=[method],
            response_model=body,
            status_code=status_code or (200 if body else 204),
            summary=summary,
            name=name or action.do.__name__,
        )

    def make(self, path: str, action: Action[..., Any], body: type[BaseModel], **more: Any) -> None:
        """Add the route of an action that makes something; see `act`."""
        self.act("POST", path, action, body, status_code=201, **more)


@dataclass(frozen=True)
class Reading:
    """Somebody who reads, and what answers are made from."""

    viewer: Principal
    session: AsyncSession
    assignments: Assignments
    language: str

    @property
    def course_id(self) -> str:
        return self.viewer.course_id


def reads(right: Right) -> Any:
    """Return a dependency of a route that reads: it gives the `Reading` of the holder of this right."""

    async def reading(
        request: Request, viewer: Annotated[Principal, Depends(TokenFor(right))]
    ) -> AsyncIterator[Reading]:
        parts = services(request)
        async with parts.database.read() as session:
            yield Reading(viewer, session, parts.assignments, language_of(request))

    # The session is closed before the answer is sent, however slowly the client takes it.
    return Depends(reading, scope="function")


AnyReading = Annotated[Reading, reads(Right.READ)]
#: A student's notebook may read these, too.
GradeReading = Annotated[Reading, reads(Right.SEE_GRADES)]
SubmissionReading = Annotated[Reading, reads(Right.READ_SUBMISSIONS)]


Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
Cursor = Annotated[Omittable[Id], Query(description="`next_cursor` of the page before; by default the first page")]


def page_of(
    paging: Paging, rows: Sequence[Row], body: Callable[[Row], Item], id_of: Callable[[Row], object] = attrgetter("id")
) -> Page[Item]:
    """Return the page with these rows. Args: body: of a row; see also `Paging.cut`."""
    shown, next_cursor = paging.cut(rows, id_of)
    return Page(items=list(map(body, shown)), next_cursor=next_cursor)


async def _paging(limit: Limit = 50, cursor: Cursor = None) -> Paging:
    return Paging(limit, cursor)


Paged = Annotated[Paging, Depends(_paging)]
