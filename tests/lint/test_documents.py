"""The documents list one another, and every file, room and site that they name is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {path: path.read_text(encoding="utf-8") for path in [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]}


def test_the_index_lists_every_document() -> None:
    """Pages of a folder are listed by its README, which the index lists."""
    indexes = [DOCS / "index.md", *DOCS.glob("*/README.md")]
    listed = {index.parent / link for index in indexes for link in re.findall(r"\]\(([^)#:]+)", PAGES[index])}
    assert (DOCS / "index.md") in {ROOT / link for link in re.findall(r"\]\(([^)#:]+)", PAGES[ROOT / "README.md"])}
    assert {*DOCS.rglob("*.md"), *DOCS.rglob("*.json")} - listed - {DOCS / "index.md"} == set()


def test_links_lead_to_files() -> None:
    links = [(page, link) for page, text in PAGES.items() for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_a_link_to_another_site_is_an_address() -> None:
    links = [(page.name, link) for page, text in PAGES.items() for link in re.findall(r"\]\((\w+:[^)]*)\)", text)]
    site = re.compile(r"https://([a-z0-9-]+\.)+[a-z]+(/\S*)?")
    assert [(page, link) for page, link in links if not site.fullmatch(link)] == []


def test_every_path_that_a_page_names_exists() -> None:
    pattern = re.compile(r"`((?:app|deploy|docs|grader|reference|requirements|tests)/[^`\s:]*)`")
    named = [
        (page.name, path)
        for page, text in PAGES.items()
        if page.is_relative_to(DOCS) or page.name in ("README.md", "CONTRIBUTING.md")
        for path in pattern.findall(text)
    ]
    assert [(page, path) for page, path in named if not any(ROOT.glob(path.rstrip("/")))] == []


def test_the_map_names_every_room() -> None:
    text = PAGES[DOCS / "architecture.md"]
    for package in ("app", "grader"):
        rooms = {path.name for path in (ROOT / package).iterdir() if path.is_dir() and any(path.glob("*.py"))}
        assert {room for room in rooms if f"`{room}/`" not in text and f"`{package}/{room}/" not in text} == set()
