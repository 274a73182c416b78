"""Allows at each address only the methods of its own operation, and HEAD wherever there is GET."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PARAMETER = re.compile(r"{[^}]*}")


@dataclass(frozen=True)
class Address:
    """The routes of one pattern, whatever they call its parameters."""

    pattern: re.Pattern[str]
    methods: frozenset[str]
    endpoint: object


def _addresses(routes: Sequence[BaseRoute]) -> list[Address]:
    """Return the addresses in the order in which the framework tries their routes."""
    addresses: dict[str, Address] = {}
    for route in iter_route_contexts(routes):
        methods = frozenset(getattr(route, "methods", None) or {"GET"})
        endpoint = getattr(route, "endpoint", None) or getattr(route, "app", None)
        new = Address(route.path_regex, methods | {"HEAD"} if "GET" in methods else methods, endpoint)
        shape = PARAMETER.sub("{}", route.path or "")
        first = addresses.setdefault(shape, new)
        addresses[shape] = replace(first, methods=first.methods | new.methods)
    return list(addresses.values())


class MethodMiddleware:
    """Refuses the methods that an address does not take, and answers HEAD as GET, without the body.

    The framework looks for a route of the method further on: DELETE of `/people/merges` would be one of
    `/people/{person_id}`, though merges are no person. It names only one route's methods in a refusal, and answers HEAD
    with 405 at its API routes, though it goes wherever GET does (RFC 9110, sections 9.3.2 and 15.5.6).
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._addresses = _addresses(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = next((each for each in self._addresses if each.pattern.match(scope["path"])), None)
        if address is not None and scope["method"] not in address.methods:
            scope["endpoint"] = address.endpoint  # The middleware around this one reads it.
            allowed = ", ".join(sorted(address.methods))
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": allowed})
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        answered = asyncio.Event()

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body"})
                answered.set()

        request: Message | None = {"type": "http.request"}

        async def receive_nothing() -> Message:
            nonlocal request
            if request is not None:
                message, request = request, None
                return message
            await answered.wait()
            return {"type": "http.disconnect"}  # An event stream would never end by itself.

        get = {**scope, "method": "GET"}
        try:
            await self._app(get, receive_nothing, send_head)
        finally:
            scope["endpoint"] = get.get("endpoint")
