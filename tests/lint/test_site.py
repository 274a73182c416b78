"""The site of the documents, as `make docs` builds it: without a warning, and without other hosts."""

import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"
#: Elements that load something, and the attribute with its address.
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    """List what a page loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if address := dict(attrs).get(LOADED.get(tag, "")):
            self.loaded.append(address)


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


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    files = [*site.rglob("*.html")]
    assert files
    loaded = [address for file in files for address in Page(file.read_text(encoding="utf-8")).loaded]
    assert [address for address in loaded if re.match(r"\w+:|//", address)] == []
    styles = [file.read_text(encoding="utf-8") for file in site.rglob("*.css")]
    assert styles
    assert [found for style in styles for found in re.findall(r"url\(\W*(?:https?:)?//[^)]*", style)] == []
