"""Opens pages in a browser as people meet them, and notes what can be measured."""

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, CDPSession, Page, Route, expect

DESK, TABLET, PHONE, SMALL = WIDTHS = 1280, 768, 390, 320
#: In looks.js: every rule of axe-core but the one on contrast, and that one.
RULES, COLOURS = "brokenRules", "paleColours"
SCRIPT = Path(__file__).with_name("looks.js")


class Look(NamedTuple):
    """A way to look at a page. Attributes: rules: those of axe-core that are tried, which takes long."""

    language: str
    width: int
    theme: Literal["light", "dark"]
    rules: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.language}, {self.width}, {self.theme}"


#: What can differ: a theme has other colours, a width another layout, a language other words.
EVERYWHERE = (
    Look("ru", DESK, "light", (RULES, COLOURS)),
    Look("ru", DESK, "dark", (COLOURS,)),
    Look("ru", PHONE, "dark", (COLOURS,)),
    Look("ru", PHONE, "light", (RULES, COLOURS)),
    Look("ru", SMALL, "light", (RULES,)),
    Look("en", PHONE, "dark", (RULES,)),
    Look("en", SMALL, "dark"),
    Look("en", TABLET, "dark"),
    Look("en", DESK, "dark"),
)
_PRODUCT = tuple(itertools.product(("ru", "en"), WIDTHS, ("light", "dark")))


def one_of_the_looks(number: int) -> tuple[Look, ...]:
    """Return looks in one language and one theme, at one width with all rules: those of a number, out of sixteen.

    Neighbours in number differ in most, so that few pages show each language at each width and in each theme.
    """
    language, width, theme = _PRODUCT[number * 5 % len(_PRODUCT)]
    others = (Look(language, other, theme) for other in WIDTHS if other != width)
    return Look(language, width, theme, (RULES, COLOURS)), *others


@dataclass
class Seen:
    """One page, as it was seen.

    Attributes:
        violations, too_wide, silent, torn, too_small: where, and what; each empty on a good page.
        weight_bytes: of all answers of a first visit, as they came over the wire.
        shift: the sum of layout shifts of a visit, the largest one.
    """

    status: int
    title: str = ""
    language: str = ""
    headings: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    too_wide: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    too_small: list[str] = field(default_factory=list)
    without_focus: list[str] = field(default_factory=list)
    without_keys: list[str] = field(default_factory=list)
    printed_bars: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    weight_bytes: float = 0
    requests: int = 0
    shift: float = 0
    is_drawn: bool = False

    def faults(self) -> list[str]:
        """Return everything that no page may have, each with a word for what it is."""
        faults = {
            "breaks a rule": self.violations,
            "is wider than the page": self.too_wide,
            "scrolls sideways and does not say so, or the other way round": self.silent,
            "is a word on two lines": self.torn,
            "is too small for a thumb": self.too_small,
            "shows no focus": self.without_focus,
            "is not for keys": self.without_keys,
            "is printed": self.printed_bars,
            # The browser says so of every refusal.
            "error": [each for each in self.errors if f"responded with a status of {self.status}" not in each],
        }
        return [f"{what}: {each}" for what, all_of_it in faults.items() for each in all_of_it]


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
        self._session: CDPSession = context.new_cdp_session(self.page)
        self._session.send("Network.enable")
        self._lengths: list[float] = []
        self._session.on("Network.loadingFinished", lambda event: self._lengths.append(event["encodedDataLength"]))
        self._errors: list[str] = []
        self.page.on("console", lambda line: self._errors.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self._errors.append(str(error)))

    def see(self, url: str, looks: Sequence[Look] = EVERYWHERE) -> Seen:
        """Visit a page once in each language, look at it, and on paper too."""
        self._errors.clear()
        first, page = looks[0], self.page
        status = self._open(url, first, first_visit=True)
        seen = Seen(status, weight_bytes=sum(self._lengths), requests=len(self._lengths), shift=self._shift)
        vars(seen).update(page.evaluate("looks.said()"))
        page.keyboard.press("Tab")
        seen.without_focus, seen.without_keys = page.evaluate("[looks.withoutFocus(), looks.withoutKeys()]")
        for language, here in itertools.groupby(looks, lambda look: look.language):
            again = list(here)
            if language != first.language:
                self._open(url, again[0], first_visit=False)
                seen.shift = max(seen.shift, self._shift)
            self.look_around(seen, again)
        page.emulate_media(media="print")
        seen.printed_bars = page.evaluate("looks.bars()")
        seen.errors = [*self._errors]
        return seen

    def look_around(self, seen: Seen, looks: Iterable[Look]) -> None:
        """Look at the page that is open."""
        for look in looks:
            self._resize(look)
            noted = {"tooWide": seen.too_wide, "silent": seen.silent, "tornWords": seen.torn}
            noted |= dict.fromkeys(look.rules, seen.violations)
            if look.width == SMALL:
                noted["tooSmall"] = seen.too_small
            for name, faults in self.page.evaluate("looks.found", list(noted)).items():
                noted[name] += [f"{look}: {each}" for each in faults]

    def _resize(self, look: Look) -> None:
        self.page.emulate_media(color_scheme=look.theme, media="screen")
        self.page.set_viewport_size({"width": look.width, "height": 800})

    def _open(self, url: str, look: Look, *, first_visit: bool) -> int:
        self._lengths.clear()
        self._session.send("Network.setCacheDisabled", {"cacheDisabled": first_visit})
        self._resize(look)
        answer = self.page.goto(f"{url}{'&' if '?' in url else '?'}lang={look.language}")
        assert answer is not None
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        noted: dict[str, Any] = self.page.evaluate("looks.arrived()")
        self._errors += [f"refused by policy: {each}" for each in noted["refused"]]
        self._shift: float = noted["shift"]
        return answer.status
