"""Every page in every state: for everybody who reads it, on every screen, in both languages and themes.

`make test` looks once at each page and at some of its further states. Languages, widths and themes go round among the
states of each reader, so that each meets each other. `make test-all` looks at all states, and at some pages everywhere.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count

import pytest
from _pytest.mark import ParameterSet
from playwright.sync_api import Browser, Route

from tests.acceptance.pages.conftest import Serving
from tests.acceptance.pages.looking import EVERYWHERE, SCRIPT, Look, Looking, Seen, one_of_the_looks, sending
from tests.acceptance.pages.states import State, all_states, first_state, page_routes
from tests.tiers import sampled

STATES = all_states()
PAGES = [first_state(path) for path in page_routes()]
#: Real grades take a worker, and the documentation of the API opens hundreds of boxes.
DEAR = {state for state in STATES if state.is_real or state.address == "/docs"}
# Promised in docs/performance.md.
LIGHT_BYTES = 60_000
REQUESTS = 9
#: Tables of many columns with words that are longer in Russian.
WIDE = [state for state in PAGES if state.address.endswith(("/overview", "/same-code"))]
SHIFT = 0.01
SLOW = {"offline": False, "latency": 20, "downloadThroughput": 20_000, "uploadThroughput": -1}
#: All but those that hold back the first paint.
LATE_SCRIPTS = re.compile(r"/static/(?!times|waiting)\w+\.js$")
See = Callable[[State, Sequence[Look]], Seen]


def states_and_looks() -> Iterator[ParameterSet]:
    """Yield each state with its looks. The states of each reader go round by themselves, each beginning elsewhere."""
    numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(len(numbers)))
    for at, state in enumerate(STATES):
        is_cheap = state not in DEAR and (state in PAGES or at % 12 == 0)
        looks = one_of_the_looks(next(numbers[state.who]))
        yield pytest.param(state, looks, id=str(state), marks=() if is_cheap else pytest.mark.thorough)


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
def see(reader: Callable[[str], Looking], served: Serving) -> See:
    """See a page."""

    def see(state: State, looks: Sequence[Look]) -> Seen:
        looking, address = reader(state.who), served.address(state)
        if state.form is None:
            return looking.see(address, looks)
        shown = looking.page.context.request.get(f"{served.url}{state.form.at.format_map(vars(served.filled))}")
        sent = state.form.sent(address, shown.text())
        with sending(looking.page, address, sent.content, sent.headers["content-type"]):
            return looking.see(address, looks)

    return see


def expect_a_good_page(seen: Seen, state: State) -> None:
    faults = seen.faults()
    assert not faults, "\n".join(faults)
    assert seen.status == state.status, f"status {seen.status}"
    assert [bool(each.strip()) for each in seen.headings] == [True], f"headings of the first level: {seen.headings}"
    assert seen.title.strip(), "it has no title"
    assert seen.language in ("ru", "en"), f"its language: {seen.language!r}"
    assert seen.shift < SHIFT, f"what is there moves by {seen.shift} while more comes"
    assert seen.requests <= REQUESTS, f"{seen.requests} requests"
    assert seen.is_drawn or seen.weight_bytes <= LIGHT_BYTES, f"{seen.weight_bytes} bytes"
    assert not (seen.is_drawn and state.is_light), "pictures are drawn where none were meant to be"


@pytest.mark.parametrize(("state", "looks"), list(states_and_looks()))
def test_page_is_good_for_its_reader(see, state, looks):
    expect_a_good_page(see(state, looks), state)


@pytest.mark.thorough
@pytest.mark.parametrize("state", list(dict.fromkeys([*PAGES[::4], *WIDE, *sorted(DEAR, key=str)])), ids=str)
def test_page_is_good_everywhere(see, state):
    expect_a_good_page(see(state, EVERYWHERE), state)


@pytest.mark.thorough
@pytest.mark.parametrize("address", ["/people", "/courses/{courses[main]}/members"])
def test_page_that_arrives_slowly_moves_nothing(browser, served, address):
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


@pytest.mark.parametrize("state", sampled((each for each in PAGES if each not in DEAR), every=6), ids=str)
def test_script_that_comes_late_moves_nothing(reader, served, state):
    """Whatever a script shows has its place before it comes."""
    page, held, is_painted = reader(state.who).page, list[Route](), threading.Event()
    page.route(LATE_SCRIPTS, lambda route: route.continue_() if is_painted.is_set() else held.append(route))
    page.goto(served.address(state), wait_until="commit")
    page.locator("#end").wait_for(state="attached")
    page.evaluate("looks.found([]).then(looks.remember)")
    is_painted.set()
    for route in held:
        route.continue_()
    page.wait_for_load_state()
    moved = page.evaluate("looks.found(['moved'])")["moved"]
    page.unroute(LATE_SCRIPTS)
    assert moved == []


@pytest.mark.parametrize("state", sampled((each for each in STATES if "?" in each.address), every=6), ids=str)
def test_page_reads_the_query_of_its_address(reader, served, state):
    page, words = reader(state.who).page, []
    for path in (served.address(state), served.address(state).partition("?")[0]):
        page.goto(path)
        words.append(page.locator("main").inner_text())
    assert words[0] != words[1]
