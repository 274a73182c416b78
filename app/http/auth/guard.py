"""Checks that every route authenticates its caller or is public by name; otherwise the service does not start."""

from collections.abc import Iterable

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from app.http.auth.holders import monitor, session_holder, signed_in, token_holder
from app.http.notebook import CLIENT_PATH
from app.lti.launch.login import COURSE_PATH, KEYS_PATH, LAUNCH_PATH, LOGIN_PATH, TARGET_PATH, WINDOW_PATH
from app.lti.registration.invitations import REGISTER_PATH
from app.lti.registration.tool import CANVAS_PATH
from app.oidc.registration import CALLBACK_PATH, START_PATH
from app.teaching.news_mail import OFF_PATH

#: Paths that are open to everybody; all others need a token or a session.
PUBLIC = frozenset(
    {
        "/healthz",
        "/readyz",
        "/docs",
        "/enter",
        "/leave",
        "/link",
        "/join/{secret}",
        OFF_PATH,
        "/api/v1/notebook/tokens",
        "/static/vega.js",
        CLIENT_PATH,
        START_PATH,
        CALLBACK_PATH,
        LOGIN_PATH,
        LAUNCH_PATH,
        COURSE_PATH,
        TARGET_PATH,
        f"{WINDOW_PATH}/open",
        KEYS_PATH,
        REGISTER_PATH,
        CANVAS_PATH,
    }
)


def check_guarded(routes: Iterable[BaseRoute]) -> None:
    """Check that every route authenticates its caller or is `PUBLIC`.

    Raises:
        RuntimeError: a route does neither.
    """
    for context in iter_route_contexts(list(routes)):
        route = context.original_route
        if isinstance(route, APIRoute) and context.path not in PUBLIC and not _asks_who(context.dependant):
            raise RuntimeError(f"{context.path} is open to everybody; it must ask for a token or a session")


def _asks_who(dependant: Dependant) -> bool:
    return dependant.call in (token_holder, session_holder, signed_in, monitor) or any(
        map(_asks_who, dependant.dependencies)
    )
