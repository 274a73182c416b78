"""A look finds a fault that shows in one theme, at one width or in one language alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Route

from tests.acceptance.pages.looking import Looking

pytestmark = pytest.mark.thorough

ADDRESS = "http://page.test/"
PAGE = """<!doctype html><html lang="{language}"><head><title>Page</title><style>
body {{ color: #000; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #fff; background: #000; }} }}
:focus-visible {{ outline: 2px solid; }}
{style}
</style></head><body><main><h1>Page</h1><p>Some words, and <span>some more words</span> after them.</p>
{label}<input id="name"></main></body></html>"""
LABEL = '<label for="name">Name</label> '
#: Styles, and where alone they are a fault.
STYLES = {
    "ru, 1280, dark: color-contrast": "(prefers-color-scheme: dark) and (width > 600px) { span { color: #444; } }",
    "ru, 390, dark: color-contrast": "(prefers-color-scheme: dark) and (width < 600px) { span { color: #444; } }",
    "ru, 390, light: color-contrast": "(prefers-color-scheme: light) and (width < 600px) { span { color: #aaa; } }",
    "ru, 320, light: HTML": "(width < 350px) { :lang(ru) h1 { width: 340px; } }",
    "en, 320, dark: HTML": "(width < 350px) { :lang(en) h1 { width: 340px; } }",
    "en, 1280, dark: HTML": "(width > 600px) { :lang(en) h1 { width: 1300px; } }",
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


@pytest.mark.parametrize("attributes", ["", 'tabindex="0" role="group" aria-label="Code"', 'data-sideways="→"'])
def test_box_that_scrolls_and_does_not_say_so_is_found(looking: Looking, attributes: str) -> None:
    box = f"<pre {attributes}>{'wide ' * 40}</pre>{LABEL}"
    found = faults(looking, "pre { overflow: auto; width: 200px; }", ru=box, en=box)
    assert any(": PRE." in each for each in found)


def test_box_that_says_to_scroll_and_does_not_is_found(looking: Looking) -> None:
    box = f'<pre data-sideways="→">short</pre>{LABEL}'
    found = faults(looking, "pre { overflow: auto; } pre::before { content: attr(data-sideways); }", ru=box, en=box)
    assert any(": PRE." in each for each in found)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_label_that_one_language_lacks_is_found(looking: Looking, language: str) -> None:
    found = faults(looking, **{language: ""})
    assert found
    assert all(each.startswith(f"{language}, ") and ": label: " in each for each in found)


def test_pale_placeholder_is_found(looking: Looking) -> None:
    field = f'<label for="pale">Pale</label> <input id="pale" name="pale" placeholder="Anna"> {LABEL}'
    assert faults(looking, ru=field, en=field) == []
    found = faults(looking, "::placeholder { color: #aaa; }", ru=field, en=field)
    assert {each.partition(": ")[2] for each in found} == {"placeholder: pale"}
