"""Visits of our pages by people who are signed in: a page that they ask for, or a form that they send from it.

A page is a function of a `Visit`. If its form is refused, the same function shows it again, with what was typed.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from http import HTTPStatus
from inspect import Parameter, Signature, signature
from operator import attrgetter
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData

from app.access.rights import Right
from app.actions.actor import Action, Actor
from app.actions.fields import ID, ActionRequest
from app.answers import answer_for
from app.courses.assignments import title_of
from app.courses.uses import UsedAssignment
from app.errors import AppError
from app.http.auth.holders import RouteAction, SessionHolder, actor_of
from app.http.auth.proof import FORM_FIELD, check_form_secret
from app.http.bodies import FORM_OVERHEAD_BYTES, form_with_file
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, lines_of, read_page_form, see_other
from app.http.pages import page
from app.http.parameters import IDS, ids_in
from app.http.texts import language_of
from app.http.ways_in import asked_page
from app.oidc.urls import is_loopback
from app.services import Services, services
from app.storage.models import Course, CourseAssignment
from app.storage.paging import Paging

#: A function of a `Visit`, and of parameters of the address by their names.
Page = Callable[..., Awaitable[Response]]
Row = TypeVar("Row")
#: Rows of a list on one page.
ROWS = 50
SHOWN_AGAIN = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True, kw_only=True)
class Visit(Actor):
    """Somebody who asks for a page, or for the action of a form in it.

    Attributes:
        data, fields: of the form.
        refusal: the reason why the page of the form is shown again.
        reading: the session of a page, which takes a connection only when it is used.
        shown: values for the page that an action has just returned.
    """

    request: Request
    data: FormData = field(default_factory=FormData)
    fields: Fields = field(default_factory=lambda: Fields({}))
    refusal: AppError | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    reading: AsyncSession | None = None

    def showing(self, **shown: Any) -> "Visit":
        """Return the visit of a page that shows these values in place of its own."""
        return replace(self, shown=shown)

    @property
    def session(self) -> AsyncSession:
        assert self.reading is not None, "only a page has one"
        return self.reading

    @property
    def parts(self) -> Services:
        return services(self.request)

    @property
    def language(self) -> str:
        return language_of(self.request)

    @property
    def course(self) -> Course:
        course: Course = self.request.state.course
        return course

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.course.time_zone)

    def page(
        self,
        template: str,
        here: str | None = None,
        *,
        course: Course | None = None,
        stored: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """Render a page with the rights of its reader, and its form with what was typed.

        Args:
            here: the id of the page in its course's navigation; its times are in the course's zone. None: no course.
            course: None: the one in the address.
            stored: the texts in the fields of the form until it is sent.
        """
        course = course or (self.course if here else None)
        common: dict[str, Any] = {
            "zone": ZoneInfo(course.time_zone) if course else None,
            "may": {right.value: self.holder.may(right) for right in Right},
            # The course is archived, so the role's rights to change it are suspended.
            "is_closed": self.holder.in_archived,
            **form_context(self.request, self.fields, self.refusal, stored),
        }
        shown = common | context | self.shown
        return page(self.request, template, viewer=self.holder, course=course, here=here, **shown)

    @contextlib.asynccontextmanager
    async def file_form(
        self, limit_bytes: int, *, text_bytes: int = FORM_OVERHEAD_BYTES
    ) -> AsyncIterator[tuple[FormData, "Visit"]]:
        """Read the form with a file as `form_with_file` does, and check that one of our pages has sent it.

        Its texts are in `fields` even if it is refused, with the lines as they were typed.
        """
        async with form_with_file(self.request, self, limit_bytes, text_bytes=text_bytes) as (form, visit):
            texts = {name: lines_of(value) for name, value in form.items() if isinstance(value, str)}
            self.fields.typed.update(texts)
            await check_form_secret(self.request, form.get(FORM_FIELD))
            yield form, visit

    def paging(self, most: int = ROWS, parameter: str = "page_from") -> Paging:
        """Return the page of a list that the address asks for. A made-up cursor means the first one."""
        cursor = self.request.query_params.get(parameter, "")
        return Paging(most, cursor if ID.fullmatch(cursor) else None)

    @property
    def only_here(self) -> str | None:
        """The address of the service, if links to it only work on its own machine."""
        return self.url if is_loopback(urlsplit(self.url).hostname or "") else None

    def title_of(self, use: CourseAssignment) -> str:
        return title_of(use, self.assignments, self.language)

    def titles_of(self, uses: Sequence[CourseAssignment]) -> Mapping[str, str]:
        """Return the titles of assignments in the course, by the ids of their files."""
        return {use.assignment_id: self.title_of(use) for use in uses}

    def every_title(self, uses: Sequence[CourseAssignment]) -> Mapping[str, str]:
        """Return the titles of all assignments of the service, by their ids: those of the course where it uses them."""
        of_files = {id: assignment.title_in(self.language) for id, assignment in self.assignments.items()}
        return {**of_files, **self.titles_of(uses)}

    def offered(self, used: Sequence[UsedAssignment]) -> list[tuple[str, str]]:
        """Return the ids and titles of the assignments that a form offers: those whose file is there."""
        return [*self.titles_of([each.use for each in used if each.effective]).items()]

    def lead_to(self, path: str, said: str | None = None) -> Response:
        """Send the browser to a page of the course after a change (`see_other`)."""
        return see_other(f"/courses/{self.course_id}{path}", said=said)


def one_page(
    name: str, paging: Paging, rows: Sequence[Row], id_of: Callable[[Row], object] = attrgetter("id")
) -> dict[str, Any]:
    """Return the context of one page of a list: the rows, and as ``next`` the cursor of the next page."""
    shown, next_cursor = paging.cut(rows, id_of)
    return {name: shown, "next": next_cursor}


def search_of(typed: str) -> str:
    """Return the text to search for; empty if no name can hold it."""
    text = typed.strip()[:200]
    return text if text.isprintable() else ""


async def visit_of(request: Request, holder: SessionHolder) -> Visit:
    return Visit(**vars(actor_of(request, holder)), request=request)


@dataclass(frozen=True)
class PageFor:
    """A dependency that gives the visit of a page, if its reader has this right in the course of the page.

    Attributes:
        archived_too: an archived course shows the page, too, without the forms that change something.
    """

    right: Right
    archived_too: bool = False

    async def __call__(self, request: Request, holder: SessionHolder) -> Visit:
        holder.check(self.right, archived_too=self.archived_too)
        return await visit_of(request, holder)


@dataclass(frozen=True)
class FormFor(RouteAction):
    """A dependency of a form with an action: it gives the visit with the form, which one of our pages has sent.

    Attributes:
        with_file: the route reads the form.
    """

    with_file: bool = False

    async def __call__(self, request: Request, holder: SessionHolder) -> Visit:
        self.action.check(holder)
        visit = await visit_of(request, holder)
        if self.with_file:
            return visit
        data = await read_page_form(request)
        return replace(visit, data=data, fields=Fields(fields_of(data)))


def _with_visit(endpoint: Page, like: Page, visited: Callable[..., Any]) -> Page:
    """Give an endpoint the parameters of the function `like`, ids with their checks, and what makes its visit."""
    first, *others = signature(like, eval_str=True).parameters.values()
    visit = first.replace(name="visit", annotation=Annotated[Visit, Depends(visited)])
    checked = [each.replace(annotation=IDS.get(each.name, each.annotation)) for each in others]
    # FastAPI reads the dependencies of a route from its signature.
    endpoint.__signature__ = Signature([visit, *checked])  # type: ignore[attr-defined]
    return endpoint


class Pages(APIRouter):
    """The routes of pages and their forms."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__(prefix=prefix, include_in_schema=False)

    def page(
        self, path: str, right: Right | None = None, *, archived_too: bool = False, method: str = "GET"
    ) -> Callable[[Page], Page]:
        """Add a page. Its function takes the `Visit`, with a session for queries, and parameters of the address.

        Args:
            right: of its readers; None: whoever is signed in reads it.
            archived_too: see `PageFor`.
        """

        def add(answer: Page) -> Page:
            @wraps(answer)
            async def endpoint(visit: Visit, *args: Any, **path: Any) -> Response:
                async with visit.database.read() as session:
                    return await answer(replace(visit, reading=session), *args, **path)

            visited = visit_of if right is None else PageFor(right, archived_too)
            self.api_route(path, methods=[method])(_with_visit(endpoint, answer, visited))
            return endpoint

        return add

    def form(
        self,
        path: str,
        action: Action[..., Any],
        *,
        again: Page | None = None,
        on: Sequence[type[AppError]] = (),
        with_file: bool = False,
    ) -> Callable[[Page], Page]:
        """Add the form of an action. Its function takes the `Visit`, and what is in the path.

        Args:
            again: the page that shows wrong values, and conflicts with what is stored by now. It takes from the path
                what it needs. Other refusals have a page of their own.
            on: more refusals that it shows.
            with_file: the function reads the form.
        """

        def add(answer: Page) -> Page:
            path_names = signature(answer).parameters.keys()
            taken = (path_names & signature(again).parameters.keys() if again else set()) - {"visit"}

            @wraps(answer)
            async def endpoint(visit: Visit, **path: Any) -> Response:
                try:
                    return await answer(visit, **path)
                except AppError as refusal:
                    is_shown = isinstance(refusal, tuple(on)) or answer_for(refusal).status in SHOWN_AGAIN
                    if again is None or not is_shown:
                        raise
                    return await again(replace(visit, refusal=refusal), **{name: path[name] for name in taken})

            self.post(path)(_with_visit(endpoint, answer, FormFor(action, with_file)))
            return answer

        return add

    def act(
        self,
        path: str,
        action: Action[..., Any],
        to: str,
        said: str | None = None,
        *,
        names: Mapping[str, str] | None = None,
        twice: Sequence[type[AppError]] = (),
        again: Page | None = None,
        on: Sequence[type[AppError]] = (),
        wanted: ActionRequest | None = None,
        sure: bool = False,
        then: Callable[[Visit], Awaitable[None]] | None = None,
    ) -> None:
        """Add the form of an action that then leads on to a page, and needs no function for that.

        Args:
            to: the page, below the prefix of these routes.
            said: see `see_other`.
            names: see `Fields.read`.
            twice: the refusals of a form that is sent twice, which then changes nothing.
            again, on: see `form`.
            wanted: the request; None: the form holds it, if the action takes one.
            sure: nothing happens unless the box ``sure`` is ticked.
            then: is called after the action.
        """

        async def answer(visit: Visit, **ids: Any) -> Response:
            if sure and not visit.fields.has("sure"):
                return see_other(asked_page(visit.request), said="not_sure")
            arguments: dict[str, Any] = {name: id for name, id in ids.items() if name in action.parameters}
            if request := action.parameters.get("wanted"):
                arguments["wanted"] = wanted or visit.fields.read(request.annotation, names=names)
            with contextlib.suppress(*twice):
                await action(visit, **arguments)
            if then is not None:
                await then(visit)
            return see_other(f"{self.prefix}{to}".format(**visit.request.path_params), said=said)

        visited = Parameter("visit", Parameter.POSITIONAL_OR_KEYWORD)
        answer.__signature__ = Signature([visited, *ids_in(self.prefix + path, action)])  # type: ignore[attr-defined]
        self.form(path, action, again=again, on=on)(answer)
