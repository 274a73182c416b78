"""A look at a page finds a fault that shows in one theme, at one width or in one language alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Route

from tests.acceptance.conftest import browser
from tests.acceptance.pages.looking import Looking

__all__ = ["browser"]

ADDRESS = "http://page.test/"
PAGE = """<!doctype html><html lang="{language}"><head><title>Page</title><style>
body {{ color: #000; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #fff; background: #000; }} }}
:focus-visible {{ outline: 2px solid; }}
pre {{ overflow: auto; }}
{style}
</style></head><body><main><h1>Page</h1><p>Some words, and <span>some more words</span> after them.</p>
<pre>code</pre>{label}<input id="name"></main></body></html>"""
LABEL = '<label for="name">Name</label> '
#: Styles, and where alone they are a fault.
STYLES = {
    "ru, 390, dark: color-contrast": "(prefers-color-scheme: dark) and (width < 600px) { span { color: #444; } }",
    "ru, 390, light: color-contrast": "(prefers-color-scheme: light) and (width < 600px) { span { color: #aaa; } }",
    "en, 320, dark: HTML": "(width < 350px) { :lang(en) h1 { width: 340px; } }",
    "en, 1280, dark: HTML": "(width > 600px) { :lang(en) h1 { width: 1300px; } }",
    "ru, 390, dark: PRE": "(prefers-color-scheme: dark) and (width < 600px) { :lang(ru) pre { width: 20px; } }",
}


@pytest.fixture(scope="module")
def looking(browser: Browser) -> Looking:
    return Looking(browser.new_context(reduced_motion="reduce"))


def faults(looking: Looking, style: str = "", **labels: str) -> list[str]:
    """Return what is seen of a page that has this style, and this label in each language."""

    def answer(route: Route) -> None:
        language = route.request.url[-2:]
        html = PAGE.format(language=language, style=style, label=labels.get(language, LABEL))
        route.fulfill(body=html, content_type="text/html")

    looking.page.unroute_all()
    looking.page.route(f"{ADDRESS}?lang=*", answer)
    seen = looking.see(ADDRESS)
    return [*seen.violations, *seen.too_wide, *seen.silent]


def test_page_without_faults_has_none(looking: Looking) -> None:
    assert faults(looking) == []


@pytest.mark.parametrize("where", STYLES)
def test_style_that_fails_in_one_look_is_found(looking: Looking, where: str) -> None:
    found = faults(looking, f"@media {STYLES[where]}")
    assert found[0].startswith(where)
    look = where.partition(":")[0]
    assert all(each.startswith(f"{look}: ") for each in found)


def test_label_that_one_language_lacks_is_found(looking: Looking) -> None:
    found = faults(looking, en="")
    assert found
    assert all(each.startswith("en, ") and ": label: " in each for each in found)
