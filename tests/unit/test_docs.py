"""Whole lists that nobody has to remember: what can be set, asked or reported stands in the documents."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from app.http.answers import ANSWERS, FRAMEWORK_ANSWERS
from app.settings import ENV_PREFIX, SECRETS, Settings
from grader import shell
from grader.assignment import Assignment, CheckId, assignment_schema
from grader.formats import FORMATS
from grader.report.model import Report, Status
from grader.report.schema import report_schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]
RENDERED_KEYS = {"title", "message", "hint"}


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def described(page: str) -> set[str]:
    """Words that the page writes as code, or that head a section of it."""
    spans = re.findall(r"`([^`\n]+)`|^#+ (.+)$", read(page), re.MULTILINE)
    return set(re.findall(r"\w+", " ".join(map("".join, spans))))


def keys(model: type[BaseModel]) -> set[str]:
    """Names of the fields of `model` and of every model in it."""
    schema = model.model_json_schema()
    return {name for part in [schema, *schema["$defs"].values()] for name in part.get("properties", {})}


def test_every_report_key_is_described() -> None:
    assert keys(Report) | RENDERED_KEYS <= described("report.md")


def test_every_status_is_described() -> None:
    assert {status.value for status in Status} <= described("report.md")


@pytest.mark.parametrize("page", ["report.md", "assignment.md"])
def test_every_check_is_described(page: str) -> None:
    assert set(get_args(CheckId)) <= described(page)


def test_every_assignment_key_is_described() -> None:
    assert keys(Assignment) <= described("assignment.md")


def test_settings_page_lists_the_settings_and_no_others() -> None:
    names = re.compile(rf"{ENV_PREFIX}[A-Z_]*[A-Z]")
    fields = [*Settings.model_fields, *(f"{name}_file" for name in SECRETS)]
    of_the_service = {f"{ENV_PREFIX}{name}".upper() for name in fields}
    of_the_command_line = set(names.findall(Path(shell.__file__).read_text(encoding="utf-8")))
    assert set(names.findall(read("settings.md"))) == of_the_service | of_the_command_line


def test_committed_schema_is_the_generated_one() -> None:
    remedy = "lstm-grader assignments schema > docs/assignment.schema.json"
    assert json.loads(read("assignment.schema.json")) == assignment_schema(), remedy


def test_committed_schema_of_the_report_is_the_generated_one() -> None:
    remedy = "lstm-grader report schema > docs/report.schema.json"
    assert json.loads(read("report.schema.json")) == report_schema(), remedy


def test_readme_lists_every_document() -> None:
    listed = re.findall(r"\]\((docs/[^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    # A folder stands for all in it.
    missing = [
        page
        for page in [*DOCS.rglob("*.md"), *DOCS.rglob("*.json")]
        if not any((ROOT / link) in (page, *page.parents) for link in listed)
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_map_names_every_room_and_nothing_that_is_gone() -> None:
    page = read("architecture.md")
    for package in ("app", "grader"):
        rooms = {path.name for path in (ROOT / package).iterdir() if path.is_dir() and any(path.glob("*.py"))}
        assert {room for room in rooms if f"`{room}/`" not in page and f"`{package}/{room}/" not in page} == set()
    named = re.findall(r"`((?:app|grader|reference|tests|deploy)/[\w/.]+)`", page)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_refusal_is_described() -> None:
    slugs = {answer.slug for answer in [*ANSWERS.values(), *FRAMEWORK_ANSWERS.values()]}
    assert slugs <= set(re.findall(r"`([a-z-]+)`", read("api.md")))


def test_every_form_of_a_report_is_described() -> None:
    assert set(FORMATS) <= described("formats.md")


@pytest.mark.parametrize(
    "page",
    sorted(
        str(path.relative_to(ROOT))
        for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    ),
)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:app|deploy|docs|grader|reference|requirements|tests)/[^`\s:]*)`", text)
    assert [path for path in named if not any(ROOT.glob(path.rstrip("/")))] == []
