"""The site of the documents, as `make docs` builds it: without a warning, complete, and without other hosts."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"
PAGES = sorted(path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md"))
#: What a page is made of, and what readers miss where Python-Markdown reads it otherwise than a repository's pages do.
PARTS = ("h1", "h2", "h3", "h4", "ol", "ul", "li", "pre", "td", "blockquote")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Site(HTMLParser):
    """Count the parts of a page's article; list what the page loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: Counter[str] = Counter()
        self.loaded: list[str] = []
        self.language = ""
        self._is_in_article = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_in_article |= tag == "article"
        if self._is_in_article and tag in PARTS:
            self.parts[tag] += 1
        values = dict(attrs)
        if tag == "html":
            self.language = values["lang"] or ""
        if address := values.get(LOADED.get(tag, "")):
            self.loaded.append(address)

    def handle_endtag(self, tag: str) -> None:
        self._is_in_article &= tag != "article"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not MKDOCS.exists():
        pytest.skip("the site's programs are not installed (make docs)")
    folder = tmp_path_factory.mktemp("site")
    # Whoever builds the site reads there that the theme has a successor; requirements/docs.in says it.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    build = [MKDOCS, "build", "--strict", "--site-dir", folder]
    ended = subprocess.run(build, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder


def page_of(site: Path, page: Path) -> Path:
    return site / page.parent / ("index.html" if page.name == "README" else f"{page.name}.html")


def test_a_page_has_the_same_parts_as_in_the_repository(site: Path) -> None:
    tags = {"code": "pre"}
    for page in PAGES:
        tokens = MarkdownIt("commonmark").enable("table").parse((DOCS / f"{page}.md").read_text(encoding="utf-8"))
        expected = Counter(
            tags.get(token.tag, token.tag) for token in tokens if token.nesting >= 0 and token.type != "code"
        )
        shown = Site(page_of(site, page).read_text(encoding="utf-8")).parts
        assert {part: shown[part] for part in PARTS} == {part: expected[part] for part in PARTS}, (
            f"{page}: Python-Markdown wants an empty line before a list, and four spaces before what belongs to an item"
        )


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    files = [*site.rglob("*.html")]
    assert files
    loaded = [address for file in files for address in Site(file.read_text(encoding="utf-8")).loaded]
    assert [address for address in loaded if re.match(r"\w+:|//", address)] == []
    styles = [file.read_text(encoding="utf-8") for file in site.rglob("*.css")]
    assert styles
    assert [found for style in styles for found in re.findall(r"url\(\W*(?:https?:)?//[^)]*", style)] == []


def test_a_page_says_its_language(site: Path) -> None:
    for page in PAGES:
        language = Site(page_of(site, page).read_text(encoding="utf-8")).language
        assert language == ("ru" if page.suffix == ".ru" else "en"), page
