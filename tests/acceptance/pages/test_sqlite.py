"""Every page in every state on SQLite too, without a browser: queries differ there, pages do not."""

from __future__ import annotations

import contextlib

import httpx
import pytest

from app.settings import Settings
from tests.acceptance.pages.conftest import REAL
from tests.acceptance.pages.filling import Filled, fill
from tests.acceptance.pages.states import all_states
from tests.unit.app.conftest import OWNER_TOKEN, FakeGrader, Service, anyio_backend, grader, running, settings

__all__ = ["anyio_backend", "grader", "settings"]

pytestmark = pytest.mark.anyio


async def test_every_page_answers_on_sqlite_as_it_does_on_postgresql(settings: Settings, grader: FakeGrader) -> None:
    filled = fill(settings.database_url)
    filled.tokens["admin"] = OWNER_TOKEN
    filled.submissions |= dict.fromkeys(REAL, filled.submissions["wrong"])
    grader.released.clear()  # What waits goes on waiting.
    async with running(settings, grader) as service, contextlib.AsyncExitStack() as stack:
        stack.callback(grader.released.set)
        people = [*filled.tokens, "nobody"]
        readers = {who: await stack.enter_async_context(_reader(service, filled, who)) for who in people}
        other = []
        for state in all_states():
            answer = await readers[state.who].get(state.path(filled), follow_redirects=True)
            if answer.status_code != state.status:
                other.append((str(state), answer.status_code))
    assert other == []


def _reader(service: Service, filled: Filled, who: str) -> contextlib.AbstractAsyncContextManager[httpx.AsyncClient]:
    if who == "nobody":
        return service.client(None, Accept="text/html")
    return service.browser(filled.tokens[who])
