"""Answers HEAD wherever GET is answered, with the same status and headers and no body (RFC 9110, section 9.3.2).

The framework answers HEAD with 405 at its API routes. This middleware turns HEAD into GET, and drops the body.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
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
            # The middleware around this one reads it.
            scope["endpoint"] = get.get("endpoint")
