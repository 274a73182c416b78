from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import app
from app.courses.roster.planning import Conflict
from app.courses.roster.reading import Fault
from app.http.navigation import SECTIONS
from app.mail.messages import MailKind
from grader import Status
from grader.report.finding import CheckStatus
from grader.report.messages import translate

FOLDER = Path(app.__file__).parent
TEMPLATES = sorted((FOLDER / "web" / "templates").rglob("*.html"))
LITERAL = re.compile(r'\bt\(\s*"([a-z_.-]+)"\s*[,)]')
# `t("waiting." ~ job_status)`: the ids that such a prefix stands for.
COMPUTED = {
    "job_status.": ["queued", "running", "done", "cancelled"],
    "waiting.": ["queued", "running", "cancelled"],
    "grade.other.": ["best", "last"],
    "roster.conflict.": [*Conflict],
    "roster.fault.": [*Fault],
}


def texts(language: str) -> dict[str, str]:
    with (FOLDER / "locale" / f"{language}.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


def test_both_languages_have_the_same_texts_with_the_same_placeholders() -> None:
    english, russian = texts("en"), texts("ru")
    assert english.keys() == russian.keys()
    for id, text in english.items():
        assert text, id
        assert russian[id], id
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", russian[id])), id


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_every_text_of_a_template_exists(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    used = set(LITERAL.findall(source))
    for prefix in re.findall(r'\bt\("([a-z_]+\.)" ~', source):
        used |= {prefix + value for value in COMPUTED[prefix]}
    assert used <= texts("en").keys()


def said() -> set[str]:
    """Return the ids of the messages that pages show after a change."""
    pages = "".join(module.read_text(encoding="utf-8") for module in (FOLDER / "web").rglob("*.py"))
    return {f"said.{id}" for id in re.findall(r'\bsaid="([a-z_.-]+)"', pages)}


def navigation() -> set[str]:
    pages = (page for pages in SECTIONS.values() for page in pages)
    return {f"nav.section.{section}" for section in SECTIONS} | {f"nav.{page.id}" for page in pages}


def test_no_text_is_left_over() -> None:
    source = "".join(template.read_text(encoding="utf-8") for template in TEMPLATES)
    used = set(LITERAL.findall(source)) | said() | navigation()
    used |= {prefix + value for prefix, values in COMPUTED.items() for value in values}
    assert {id for id in texts("en") if not id.startswith(("problem.", "mail.", "step."))} == used


def test_every_kind_of_mail_has_a_subject_and_a_body_and_no_other_text_is_left_over() -> None:
    wanted = {f"mail.{kind}.{part}" for kind in MailKind for part in ("subject", "body")}
    assert {id for id in texts("en") if id.startswith("mail.")} == wanted


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_no_template_needs_an_inline_script_or_style(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:|https?://", source)


def test_every_value_that_a_page_shows_has_a_name() -> None:
    for language in ("en", "ru"):
        for id in [*(f"status.{status}" for status in Status), *(f"check_status.{status}" for status in CheckStatus)]:
            assert translate(id, language) != id
