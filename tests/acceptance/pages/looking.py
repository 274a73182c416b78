"""Opens pages in a browser as people meet them, and notes what can be measured."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, CDPSession, Page, Route, expect

DESK, PHONE, SMALL = 1280, 390, 320
#: In looks.js: every rule of axe-core but the one on contrast, and that one.
RULES, COLOURS = "brokenRules", "paleColours"
Theme = Literal["light", "dark"]
SECONDS = 60
TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
SCRIPT = Path(__file__).with_name("looks.js")
BARS = ".bar, .course-bar, .foot, .pager, .filters"


@dataclass
class Seen:
    """One page, as it was seen.

    Attributes:
        violations, too_wide, silent, too_small: where, and what; each empty on a good page.
        weight_bytes: of all answers of a first visit, as they came over the wire.
        blocking: scripts and styles that the first paint waits for.
        shift: the sum of layout shifts of its first visits, on a desk and on a phone.
    """

    status: int
    title: str = ""
    language: str = ""
    headings: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    too_wide: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    too_small: list[str] = field(default_factory=list)
    without_focus: list[str] = field(default_factory=list)
    without_keys: list[str] = field(default_factory=list)
    printed_bars: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    weight_bytes: float = 0
    requests: int = 0
    shift: float = 0
    is_drawn: bool = False


@contextlib.contextmanager
def sending(page: Page, address: str, body: bytes, content_type: str) -> Iterator[None]:
    """Send a form to this address whenever `Looking.see` opens it."""

    def send(route: Route) -> None:
        route.continue_(method="POST", post_data=body, headers=route.request.headers | {"content-type": content_type})

    pattern = re.compile(re.escape(address) + r"\?lang=..$")
    page.route(pattern, send)
    try:
        yield
    finally:
        page.unroute(pattern)


class Looking:
    """A tab of one reader."""

    def __init__(self, context: BrowserContext) -> None:
        context.add_init_script(AXE_SCRIPT)
        context.add_init_script(path=SCRIPT)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self._session: CDPSession = context.new_cdp_session(self.page)
        self._session.send("Network.enable")
        self._lengths: list[float] = []
        self._session.on("Network.loadingFinished", lambda event: self._lengths.append(event["encodedDataLength"]))
        self._errors: list[str] = []
        self.page.on("console", lambda said: self._errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self._errors.append(str(error)))

    def see(self, url: str) -> Seen:
        """Visit a page in both languages, at all widths, in both themes, and on paper.

        Look at what can differ: a theme has other colours, a width another layout, a language other words.
        """
        page = self.page
        seen = Seen(self._open(url, "ru", DESK, "light"))
        seen.weight_bytes, seen.requests = sum(self._lengths), len(self._lengths)
        seen.title, seen.headings = page.title(), page.locator("h1").all_inner_texts()
        seen.language = page.locator("html").get_attribute("lang") or ""
        seen.is_drawn = page.locator(".chart, #swagger-ui").count() > 0
        page.keyboard.press("Tab")
        seen.without_focus = page.evaluate("looks.withoutFocus()")
        seen.without_keys = page.evaluate("looks.withoutKeys()")
        self.look_around(seen, "ru")
        page.emulate_media(media="print")
        bars = page.locator(BARS)
        seen.printed_bars = [str(each.get_attribute("class")) for each in bars.all() if each.is_visible()]
        seen.shift = self._shift
        self._open(url, "en", PHONE, "dark")
        self._look(seen, "en", PHONE, "dark", RULES)
        self._look(seen, "en", SMALL, "dark")
        self._look(seen, "en", DESK, "dark")
        seen.shift = max(seen.shift, self._shift)
        seen.errors = [*self._errors]
        return seen

    def look_around(self, seen: Seen, language: str) -> None:
        """Look at the page that is open, at all widths and in both themes; all phones have the same colours."""
        self._look(seen, language, DESK, "light", RULES, COLOURS)
        self._look(seen, language, DESK, "dark", COLOURS)
        self._look(seen, language, PHONE, "dark", COLOURS)
        self._look(seen, language, PHONE, "light", RULES, COLOURS)
        self._look(seen, language, SMALL, "light", RULES)
        seen.too_small += self.page.evaluate("looks.tooSmall()")

    def _open(self, url: str, language: str, width: int, theme: Theme) -> int:
        is_first = language == "ru"
        self._lengths.clear()
        if is_first:
            self._errors.clear()
        self._session.send("Network.setCacheDisabled", {"cacheDisabled": is_first})
        self.page.emulate_media(color_scheme=theme, media="screen")
        self.page.set_viewport_size({"width": width, "height": 800})
        answer = self.page.goto(f"{url}{'&' if '?' in url else '?'}lang={language}")
        assert answer is not None
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0, timeout=SECONDS * 1000)
        self.page.evaluate(TWO_FRAMES)
        noted: dict[str, Any] = self.page.evaluate("looks.noted")
        self._errors += [f"refused by policy: {each}" for each in noted["refused"]]
        self._shift = noted["shift"]
        self.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        return answer.status

    def _look(self, seen: Seen, language: str, width: int, theme: Theme, *rules: str) -> None:
        """Note what is too wide, what scrolls and does not say so, and what breaks these rules of axe-core."""
        page, where = self.page, f"{language}, {width}, {theme}"
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate(TWO_FRAMES)
        seen.too_wide += [f"{where}: {each}" for each in page.evaluate("looks.tooWide()")]
        seen.silent += [f"{where}: {each}" for each in page.evaluate("looks.silent()")]
        for each in rules:
            seen.violations += [f"{where}: {found}" for found in page.evaluate(f"looks.{each}()")]
