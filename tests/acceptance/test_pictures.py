"""The pictures of the README: made here (`make pictures`), and compared with the pages as they are.

Beside each picture lie the words on it. Figures and times are left out of these, because no two runs have the same.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import CORPUS, Server, hand_in, serving

pytestmark = pytest.mark.thorough

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
#: Larger ones would keep readers on slow lines waiting.
MOST_BYTES = 150_000
ROSTER = """id,name,email,group
s1,Anna Petrova,s1@example.edu,B-10
s2,Ben Okafor,s2@example.edu,B-10
s3,Chen Wei,s3@example.edu,B-10
s4,Daria Smirnova,s4@example.edu,B-11
s5,Emil Novak,s5@example.edu,B-11
s6,Fatima Khan,s6@example.edu,B-11
"""
HANDED_IN = {
    "s1": "correct_keras_activations",
    "s2": "wrong_swap_if",
    "s3": "broken_syntax_colon",
    "s4": "correct_keras_activations",
    "s5": "wrong_swap_if",
}
SIZES = {"report": (1100, 1150), "course": (1100, 1180)}
#: The texts that can be seen without scrolling.
VISIBLE_TEXTS = """() => {
    const texts = [];
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const range = document.createRange();
        range.selectNodeContents(walker.currentNode);
        const box = range.getBoundingClientRect();
        const seen = box.width > 0 && box.bottom <= window.innerHeight;
        if (seen && !walker.currentNode.parentElement.closest("time")) texts.push(walker.currentNode.textContent);
    }
    return texts;
}"""


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """A small course with a few attempts, and the pages of the pictures."""
    with serving(tmp_path_factory.mktemp("data"), cache_dir) as server, server.client() as owner:
        created = owner.post("/api/v1/courses", json={"title": "Recurrent networks, autumn", "language": "en"})
        id = created.raise_for_status().json()["id"]
        course = f"/api/v1/courses/{id}"
        owner.put(f"{course}/assignments/lstm-layer", json={}).raise_for_status()
        owner.post(f"{course}/roster", files={"file": ("roster.csv", ROSTER)}).raise_for_status()
        ids = {}
        for student, case in HANDED_IN.items():
            content = (CORPUS / case / "submission.py").read_bytes()
            ids[student] = hand_in(owner, content, student, course=id)["id"]
        yield (
            server,
            {"report": f"/submissions/{ids['s2']}", "course": course.removeprefix("/api/v1")},
        )


@pytest.fixture(scope="module")
def page(browser: Browser, addresses: tuple[Server, dict[str, str]]) -> Page:
    server, _ = addresses
    context = browser.new_context(locale="en-GB", color_scheme="light", reduced_motion="reduce", timezone_id="UTC")
    assert context.request.post(f"{server.url}/enter", form={"token": server.token}).ok
    return context.new_page()


def words(page: Page) -> str:
    """Return what the visible part of the page says, without its times and figures."""
    masked = (re.sub(r"[−+-]?\d[\d.,:]*", "0", " ".join(text.split())) for text in page.evaluate(VISIBLE_TEXTS))
    return "\n".join(text for text in masked if text) + "\n"


@pytest.mark.parametrize("name", SIZES)
def test_a_picture_shows_the_page_as_it_is(request, page, addresses, name):
    server, paths = addresses
    width, height = SIZES[name]
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{server.url}{paths[name]}?lang=en")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    picture, text = PICTURES / f"{name}.png", PICTURES / f"{name}.txt"
    if request.config.option.pictures:
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=picture)
        text.write_text(words(page), encoding="utf-8")
    assert words(page) == text.read_text(encoding="utf-8"), "the page has changed: make pictures"
    assert picture.stat().st_size <= MOST_BYTES
