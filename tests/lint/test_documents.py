"""The documents: they list one another, and every file, word, test, program and site that they name is there."""

import ast
import json
import os
import re
import subprocess
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from babel.messages.pofile import read_po

from tests.acceptance.test_examples import EXAMPLES, ROOT, SHELLS
from tests.programs import PACKAGES

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


READERS = {"python": ast.parse, "json": json.loads, "yaml": yaml.safe_load}
#: Read by tests of their own, or by nobody but people.
UNREAD = {"text", "nginx"}


def test_every_example_says_its_language() -> None:
    known = SHELLS | READERS.keys() | UNREAD
    assert [f"{example}: {example.language!r}" for example in EXAMPLES if example.language not in known] == []


def test_every_example_of_data_or_python_can_be_read() -> None:
    for example in EXAMPLES:
        if read := READERS.get(example.language):
            assert read(example.code) is not None, example


def test_every_test_that_a_reason_names_exists() -> None:
    reasons = [example.reason for example in EXAMPLES if example.reason]
    assert reasons
    paths = [path for reason in reasons for path in re.findall(r"tests/[\w/.]+", reason)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


QUOTING = (
    "student.md", "student.ru.md", "teacher.md", "teacher.ru.md", "assistant.md", "operator.md", "integrator.md",
    "course-of-300.md", "troubleshooting.md", "courses.md", "operations.md",
)  # fmt: skip
#: Of Grafana.
NOT_OURS = {"dashboards"}
NOT_QUOTED = re.compile(r"```.*?```|`[^`\n]*`|\*\*[^*]*\*\*|^ *\* ", re.DOTALL | re.MULTILINE)
SOURCES = [path for package in ("app", "grader", "reference") for path in ROOT.glob(f"{package}/**/*.py")]
QUOTED = re.compile(r"\*([^*]+)\*")
# Parts of an address, or of what a message fills in.
FILLED = re.compile(r" → |\.\.\.|http://\S+")


@cache
def said() -> str:
    """All texts of the catalogues, and the strings of the programs, in small letters."""
    texts: list[str] = []
    for path in [*ROOT.glob("app/locale/*.po"), *ROOT.glob("grader/locale/*.po")]:
        with path.open("rb") as file:
            for message in read_po(file):
                texts += [message.string] if isinstance(message.string, str) else message.string or ()
    # A string that goes on in the next line.
    programs = [re.sub(r'"\s*f?"', "", path.read_text(encoding="utf-8")) for path in SOURCES]
    return "\n".join([*texts, *programs]).lower()


@pytest.mark.parametrize("page", QUOTING)
def test_quoted_words_are_those_of_the_service(page: str) -> None:
    text = NOT_QUOTED.sub("", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    quoted = [part for found in QUOTED.findall(text) for part in FILLED.split(" ".join(found.split()))]
    words = [part.strip(" ,.:").lower() for part in quoted]
    assert [word for word in words if word not in said() and word not in NOT_OURS] == []


THREATS = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
CONTAINMENT = ROOT / "tests" / "containment"
# A module of tests/containment, a path from the root, or either with a test in it: `test_limits::test_a_flood_...`.
NAMED = {name for name in re.findall(r"`([^`\s]+)`", THREATS) if name.startswith(("test_", "wall/test_", "tests/"))}


def _file(name: str) -> Path:
    module = name.partition("::")[0]
    return ROOT / module if module.startswith("tests/") else CONTAINMENT / f"{module}.py"


def _defined(path: Path) -> set[str]:
    return set(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))


def test_every_test_that_the_threat_model_names_exists():
    assert len(NAMED) > 15
    assert [name for name in sorted(NAMED) if not _file(name).exists()] == []
    single = [name for name in sorted(NAMED) if "::" in name]
    assert [name for name in single if name.partition("::")[2] not in _defined(_file(name))] == []


def test_every_module_of_the_hostile_suite_is_in_the_threat_model():
    assert set(CONTAINMENT.rglob("test_*.py")) - {_file(name) for name in NAMED} == set()


def test_every_row_of_the_table_of_threats_names_a_test():
    table = THREATS.partition("## What a submission may try")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith(("| it may", "| ---"))]
    assert len(rows) > 20
    assert [row for row in rows if not re.search("`(wall/)?test", row.rstrip(" |").rpartition(" | ")[2])] == []


def test_ci_installs_every_program_that_tests_start() -> None:
    (table,) = re.findall(r"<<'PROGRAMS'\n(.*?)PROGRAMS", (ROOT / ".ci" / "run").read_text(), re.DOTALL)
    assert dict(line.split() for line in table.splitlines()) == PACKAGES


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
