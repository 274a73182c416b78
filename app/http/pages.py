"""Renders HTML from templates. All values are escaped; no template holds a script or a style."""

from collections.abc import Iterable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.routing import iter_route_contexts

from app.access import identities
from app.access.tokens import OWNER, Principal
from app.courses.assignments import title_of
from app.http.auth.proof import form_secret, mask
from app.http.auth.sessions import has_session
from app.http.cookies import is_framed, keep
from app.http.frames import token_of, with_addresses
from app.http.navigation import tabs
from app.http.texts import LANGUAGE_COOKIE, language_of
from app.services import services
from app.storage.models import Course
from app.texts import catalogue, text
from grader.formats.html import environment
from grader.report.messages import LANGUAGES, translate

WEB = Path(__file__).parents[1] / "web"
#: The parameter of a page's query after a change: the text ``said.<value>`` describes it.
SAID = "said"
#: Parts of a query that belong to one visit, not to the page.
OF_ONE_VISIT = (SAID, "lang", "token")
#: The beginning of the name of a join link as the maker of a change (`app.access.joining`).
BY_JOIN_LINK = "join link "
LANGUAGE_SECONDS = 365 * 24 * 3600

# The icon is inlined into every page, which saves a request.
_environment = environment(WEB / "templates", WEB / "static")


def page(
    request: Request,
    template: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    viewer: Principal | None = None,
    course: Course | None = None,
    here: str | None = None,
    is_over: bool = False,
    **context: object,
) -> HTMLResponse:
    """Render the template in the reader's language. A language chosen on this page is remembered.

    Args:
        viewer: the holder whose rights decide what the page offers; None: nobody is signed in.
        course: the page belongs to it, and shows its navigation.
        here: the id of this page in `navigation.SECTIONS`.
        is_over: the session has just ended.
    """
    language = language_of(request)
    sections, pages = tabs(course.id, viewer, here) if course and viewer else ((), ())
    html = _environment.get_template(template).render(
        t=lambda text_id, /, **params: text(text_id, language, **params),
        # The name of a value of the report, from the grader's catalogue.
        name=lambda text_id, /, **params: translate(text_id, language, **params),
        maker=partial(maker_in_words, language=language),
        title_of=lambda use: title_of(use, services(request).assignments, language),
        language=language,
        languages=LANGUAGES,
        path=_path_to_link(request),
        query=without(request.query_params.multi_items(), *OF_ONE_VISIT) if request.method == "GET" else [],
        said=catalogue().find(f"said.{request.query_params.get(SAID)}", language),
        viewer=viewer,
        course=course,
        sections=sections,
        pages=pages,
        signed_in=has_session(request) and not is_over and status_code != HTTPStatus.UNAUTHORIZED,
        form_secret=mask(form_secret(request)),
        news=getattr(request.state, "news", 0),
        framed=token_of(request) is not None or is_framed(request),
        **context,
    )
    response = HTMLResponse(with_addresses(request, html), status_code, headers)
    response.headers["Content-Language"] = language
    if request.query_params.get("lang") in LANGUAGES:
        keep(request, response, LANGUAGE_COOKIE, language, max_age=LANGUAGE_SECONDS)
    return response


def path_of(request: Request) -> str:
    """Return the path as a link may hold it. Browsers read two slashes at its beginning as a host."""
    return "/" + quote(request.scope["path"], safe="/:@!$&'()*+,;=").lstrip("/")


def _path_to_link(request: Request) -> str:
    """Return the path for links to this page: where a form was sent to, or as much of that as is a page."""
    path = path_of(request)
    if request.method == "GET":
        return path
    routes = list(iter_route_contexts(request.app.routes))
    pages = {route.path for route in routes if "GET" in (route.methods or ())}
    endpoint = request.scope.get("endpoint")
    # The scope has a pattern, too, but without the prefixes of its routers.
    pattern = next((route.path for route in routes if endpoint and route.endpoint is endpoint), None)
    while pattern and pattern not in pages:
        pattern, path = pattern.rpartition("/")[0], path.rpartition("/")[0]
    return path if pattern else "/"


def without(query: Iterable[tuple[str, str]], *names: str) -> list[tuple[str, str]]:
    """Return the query of a page without these parameters, for links to the same page."""
    return [(name, value) for name, value in query if name not in names]


def maker_in_words(name: str, language: str) -> str:
    """Name the maker of a change: a person, a program, the service's owner, or a way in."""
    if name.startswith(BY_JOIN_LINK):
        return text("change.by_join_link", language, end=name[-4:])
    if name == OWNER:
        return text("change.by_owner", language)
    return text("change.by_sign_on", language) if name == identities.MADE_BY else name
