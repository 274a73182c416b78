"""Every page in every state: for everybody who reads it, on every screen, in both languages and themes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from playwright.sync_api import Browser

from tests.acceptance.pages.conftest import Serving
from tests.acceptance.pages.looking import SCRIPT, Looking, Seen, sending
from tests.acceptance.pages.states import State, all_states

STATES = all_states()
# Promised in docs/performance.md.
LIGHT_BYTES = 60_000
REQUESTS = 9
SHIFT = 0.01
SLOW = {"offline": False, "latency": 20, "downloadThroughput": 20_000, "uploadThroughput": -1}
every_page = pytest.mark.parametrize("state", STATES, ids=str)


@pytest.fixture(scope="module")
def reader(browser: Browser, served: Serving) -> Callable[[str], Looking]:
    """A tab of somebody, one for all tests."""

    @cache
    def reader(who: str) -> Looking:
        context = browser.new_context(locale="ru-RU", reduced_motion="reduce")
        if who in served.filled.tokens:
            answer = context.request.post(f"{served.url}/enter", form={"token": served.filled.tokens[who]})
            assert answer.ok, who
        return Looking(context)

    return reader


@pytest.fixture(scope="module")
def look(reader: Callable[[str], Looking], served: Serving) -> Callable[[State], Seen]:
    """See a page, once for all tests."""

    @cache
    def see(state: State) -> Seen:
        looking, address = reader(state.who), f"{served.url}{state.path(served.filled)}"
        if state.form is None:
            return looking.see(address)
        shown = looking.page.context.request.get(f"{served.url}{state.form.at.format_map(vars(served.filled))}")
        sent = state.form.sent(address, shown.text())
        with sending(looking.page, address, sent.content, sent.headers["content-type"]):
            return looking.see(address)

    return see


@every_page
def test_page_is_there_for_this_reader_and_says_what_it_is(look: Callable[[State], Seen], state: State) -> None:
    seen = look(state)
    assert seen.status == state.status
    assert len(seen.headings) == 1
    assert seen.headings[0].strip()
    assert seen.title.strip()
    assert seen.language in ("ru", "en")


@every_page
def test_page_has_no_accessibility_violations(look: Callable[[State], Seen], state: State) -> None:
    assert look(state).violations == []


@every_page
def test_nothing_scrolls_sideways(look: Callable[[State], Seen], state: State) -> None:
    assert look(state).too_wide == []


@every_page
def test_box_that_scrolls_sideways_says_so_and_keys_reach_it(look: Callable[[State], Seen], state: State) -> None:
    assert look(state).silent == []


@every_page
def test_controls_are_large_enough_for_a_thumb(look: Callable[[State], Seen], state: State) -> None:
    assert look(state).too_small == []


@every_page
def test_keys_reach_everything_and_the_focus_shows(look: Callable[[State], Seen], state: State) -> None:
    seen = look(state)
    assert seen.without_focus == []
    assert seen.without_keys == []


@every_page
def test_page_loads_quietly_and_moves_nothing(look: Callable[[State], Seen], state: State) -> None:
    seen = look(state)
    refused = f"the server responded with a status of {state.status}"
    assert [error for error in seen.errors if refused not in error] == []
    assert seen.shift < SHIFT


@pytest.mark.parametrize("address", ["/people", "/courses/{courses[main]}/members"])
def test_page_that_arrives_slowly_moves_nothing(browser: Browser, served: Serving, address: str) -> None:
    """Rows of a table, and what stands in a line, come one after the other: nobody sees them find their places."""
    with browser.new_context(extra_http_headers={"Accept-Encoding": "identity"}) as context:
        assert context.request.post(f"{served.url}/enter", form={"token": served.filled.tokens["admin"]}).ok
        context.add_init_script(path=SCRIPT)
        page = context.new_page()
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.emulateNetworkConditions", SLOW)
        page.goto(f"{served.url}{address.format_map(vars(served.filled))}")
        assert page.evaluate("looks.noted.shift") == 0


@every_page
def test_page_without_pictures_is_light(look: Callable[[State], Seen], state: State) -> None:
    seen = look(state)
    assert seen.requests <= REQUESTS
    assert seen.is_drawn or seen.weight_bytes <= LIGHT_BYTES
    assert not (seen.is_drawn and state.is_light)


@every_page
def test_paper_has_no_bars(look: Callable[[State], Seen], state: State) -> None:
    assert look(state).printed_bars == []


@pytest.mark.parametrize("state", [each for each in STATES if "?" in each.address], ids=str)
def test_page_reads_the_query_of_its_address(reader: Callable[[str], Looking], served: Serving, state: State) -> None:
    page, words = reader(state.who).page, []
    for path in (state.path(served.filled), state.path(served.filled).partition("?")[0]):
        page.goto(f"{served.url}{path}")
        words.append(page.locator("main").inner_text())
    assert words[0] != words[1]
