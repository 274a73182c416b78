"""The self-contained page: whole, in two languages, and nothing in it from a student that is more than text."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from grader.batch.collect import Student, StudentFile
from grader.batch.overview import overview
from grader.batch.run import Row
from grader.formats import write_report
from grader.formats.html import TEMPLATES
from grader.report import artefacts
from grader.report.messages import LANGUAGES
from grader.report.model import Report
from tests.unit.grader.make_reports import ALL, ASSIGNMENT, HOSTILE, make_report

# Ids of texts as a page shows them where the catalogue has none.
KINDS_OF_TEXT = "batch|category|chart|check_status|proof|report|source|status|summary|ui"
UNKNOWN_TEXT = re.compile(rf"\b(?:{KINDS_OF_TEXT})\.[a-z_]+\b")
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Tags with their attributes, and whether each is closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def with_arrays() -> tuple[Report, dict[str, bytes]]:
    rng = np.random.default_rng(0)
    expected = rng.standard_normal((2, 100, 32)).astype(np.float32)
    name, content = artefacts.pack(expected + rng.standard_normal((2, 100, 32)), expected)
    report = make_report()
    exercise = report.cases[0].model_copy(update={"arrays": name})
    return make_report(cases=[exercise, *report.cases[1:]]), {name: content}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(ALL))
def test_the_page_is_well_formed_and_fetches_nothing(kind: str, language: str) -> None:
    page = Page(write_report(ALL[kind](), "html", language))
    assert page.open == []
    names = [tag for tag, _ in page.tags]
    assert not set(names) & {"script", "link", "iframe", "object", "embed", "form", "base", "video", "audio"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcset")], tag
        assert str(attributes.get("href", "#")).startswith("#"), tag
        assert str(attributes.get("src", "data:image/svg+xml;base64,")).startswith("data:image/svg+xml;base64,")
    assert dict(page.tags)["html"] == {"lang": language}
    assert UNKNOWN_TEXT.findall(page.words) == []


def test_a_page_says_what_a_report_says() -> None:
    html = write_report(make_report(), "html", "en")
    parts = ("LSTM.ipynb", "are swapped", "Equal to Keras", "x = np.random.default_rng", "cell.fcXI", "ab" * 32)
    for part in (*parts, "0.25", "hello", make_report().receipt.report_sha256, "Keras 3.15.1"):
        assert part in html


def test_pictures_are_in_the_page_with_their_meaning_in_words() -> None:
    report, stored = with_arrays()
    plain, full = (write_report(report, "html", "ru", artefact) for artefact in ({}, stored))
    images = [attributes for tag, attributes in Page(full).tags if tag == "img"]
    assert len(images) == len([tag for tag, _ in Page(plain).tags if tag == "img"]) == 2
    assert full.count("<figcaption>") == 3
    assert full.count("<polyline") == 2
    assert "вне допуска" in full
    assert UNKNOWN_TEXT.findall(Page(full).words) == []
    for image in images:
        svg = base64.b64decode(str(image["src"]).partition(",")[2]).decode()
        assert svg.startswith("<svg")
        assert image["alt"]


def test_named_cause_costs_also_the_checks_that_do_not_count_without_it() -> None:
    report = make_report()
    equivalence, generalisation = report.checks[1:3]
    follows = generalisation.model_copy(update={"params": {"follows_from": "gates_swapped_if"}})
    page = write_report(make_report(checks=[report.checks[0], equivalence, follows, *report.checks[3:]]), "html", "en")
    assert "Points it costs: 90<" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_a_course_is_well_formed_and_fetches_nothing(language: str) -> None:
    files = [
        StudentFile(HOSTILE, Student(HOSTILE, "canvas", "1", late=True), HOSTILE, lambda limit: b"") for _ in range(6)
    ]
    rows = [Row(file, make()) for file, make in zip(files, ALL.values(), strict=False)]
    page = Page(overview([*rows, Row(files[-1], None, "encrypted")], ASSIGNMENT, language))
    assert page.open == []
    assert UNKNOWN_TEXT.findall(page.words) == []
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "form", "base", "img"}
    links = {str(attributes["href"]) for tag, attributes in page.tags if tag == "a"}
    assert links == {f"#{attributes['id']}" for tag, attributes in page.tags if tag == "details"}
    assert len(links) == 6


def test_no_template_switches_escaping_off() -> None:
    for template in TEMPLATES.glob("*.html"):
        assert not re.search(r"\|\s*safe|autoescape", template.read_text(encoding="utf-8")), template
