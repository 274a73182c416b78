"""Every page in every state on SQLite too, without a browser: queries differ there, pages do not."""

import contextlib
from collections.abc import Callable
from functools import partial

import httpx
from jinja2 import FileSystemLoader, Template

from app.http import pages
from app.http.pages import WEB
from tests.acceptance.pages.conftest import REAL
from tests.acceptance.pages.filling import Filled, fill
from tests.acceptance.pages.states import all_states
from tests.unit.app.conftest import OWNER_TOKEN, Service, anyio_backend, grader, running, settings

__all__ = ["anyio_backend", "grader", "settings"]


TEMPLATES = set(FileSystemLoader(WEB / "templates").list_templates())
#: A platform sends people to these, or answers them: tests/acceptance/test_lti.py and tests/unit/app/lti have one. The
#: last is there while there is no course: test_newcomer.py.
OF_OTHERS = {
    *("left_everywhere.html", "lti/course.html", "lti/registered.html", "lti/storage.html", "lti/window.html"),
    "manage/first.html",
}


async def test_every_page_answers_on_sqlite_as_it_does_on_postgresql(settings, grader, monkeypatch):
    environment, rendered = pages._environment, set[str]()

    def load(get: Callable[..., Template], name: str, *args: object) -> Template:
        rendered.add(name)
        return get(name, *args)

    monkeypatch.setattr(environment, "get_template", partial(load, environment.get_template))
    filled = fill(settings.database_url)
    filled.tokens["admin"] = OWNER_TOKEN
    filled.submissions |= dict.fromkeys(REAL, filled.submissions["wrong"])
    grader.released.clear()  # What waits goes on waiting.
    async with running(settings, grader) as service, contextlib.AsyncExitStack() as stack:
        stack.callback(grader.released.set)
        people = [*filled.tokens, "nobody", "stranger"]
        readers = {who: await stack.enter_async_context(_reader(service, filled, who)) for who in people}
        unlike = []
        for state in all_states():
            reader = readers[state.who]
            asked = reader.build_request("GET", state.path(filled))
            if state.form:
                shown = await reader.get(state.form.at.format_map(vars(filled)))
                sent = state.form.sent(str(asked.url), shown.text)
                headers = {"content-type": sent.headers["content-type"]}
                asked = reader.build_request("POST", state.path(filled), content=sent.content, headers=headers)
            answer = await reader.send(asked, follow_redirects=True)
            if answer.status_code != state.status:
                unlike.append((str(state), answer.status_code))
    assert unlike == []
    assert TEMPLATES - rendered == OF_OTHERS


def _reader(service: Service, filled: Filled, who: str) -> contextlib.AbstractAsyncContextManager[httpx.AsyncClient]:
    if who not in filled.tokens:
        return service.client(None, Accept="text/html")
    return service.browser(filled.tokens[who])
