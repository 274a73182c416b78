"""The time until a phone on a slow line shows the largest part of each page."""

from collections.abc import Callable

from playwright.sync_api import Browser, Page
from pytest_benchmark.fixture import BenchmarkFixture

from tests.acceptance.conftest import browser
from tests.acceptance.pages.conftest import Serving, served
from tests.acceptance.pages.states import PHONES

__all__ = ["browser", "served"]

#: A phone in a moving train: the mobile profile of Lighthouse, whose processor is four times as slow as a desk's.
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1_638_400 / 8, "uploadThroughput": 750_000 / 8}
SLOWER = 4
ROUNDS = 3
LARGEST = """new Promise((done) => new PerformanceObserver((list) => done(list.getEntries().at(-1).startTime))
  .observe({ type: "largest-contentful-paint", buffered: true }))"""


def test_largest_part_of_each_page(
    benchmark: BenchmarkFixture, browser: Browser, served: Serving, measured: Callable[..., None]
) -> None:
    milliseconds = {str(state): 0.0 for state in PHONES}

    def visit() -> None:
        for state in PHONES:
            page = _phone(browser, served, state.who)
            page.goto(served.address(state))
            milliseconds[str(state)] = max(milliseconds[str(state)], page.evaluate(LARGEST))
            page.context.close()

    benchmark.pedantic(visit, rounds=ROUNDS)
    slowest = max(milliseconds, key=lambda each: milliseconds[each])
    measured(f"the slowest page is {slowest}", largest_paint_milliseconds=milliseconds[slowest], pages=milliseconds)


def _phone(browser: Browser, served: Serving, who: str) -> Page:
    """Open a browser that has been nowhere before."""
    context = browser.new_context(viewport={"width": 390, "height": 800}, device_scale_factor=2, locale="ru-RU")
    context.request.post(f"{served.url}/enter", form={"token": served.filled.tokens[who]})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", LINE)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return page
