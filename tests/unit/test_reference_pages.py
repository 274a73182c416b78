"""Cookies, lines of the log, metrics, settings, refusals: each documented once; generated pages are fresh."""

import ast
import json
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from app.commands import submit
from app.http.problems import EVERY_ANSWER
from app.operations.metrics import Metrics
from app.settings import ENV_PREFIX, SECRETS, Settings
from docs.site import reference
from grader import shell
from grader.assignment import Assignment, CheckId, assignment_schema
from grader.report.model import Status
from grader.report.schema import report_schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
#: A variable of `make bench`.
OTHER_VARIABLES = {submit.TOKEN}


def rows(page: str, heading: str = "") -> list[list[str]]:
    """Return the cells of all rows of tables on a page, or in one of its sections."""
    text = (DOCS / page).read_text(encoding="utf-8")
    if heading:
        _, level, text = re.split(rf"^(#+) {re.escape(heading)}$", text, maxsplit=1, flags=re.MULTILINE)
        text = re.split(rf"^#{{1,{len(level)}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines if not line.startswith(" ---")]


UNITS = {
    None: 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "minutes": 60, "hour": 3600, "days": 86400,
}  # fmt: skip


def quantity(cell: str) -> float | None:
    """Return the number that a cell begins with, in bytes or seconds where it has a unit."""
    match = re.match(r"`?(\d[\d,]*(?:e-\d+)?)(?!\.)`?(?: (KiB|MiB|GiB|minutes|hour|days))?", cell)
    return float(match[1].replace(",", "")) * UNITS[match[2]] if match else None


def defaults(model: type[BaseModel]) -> dict[str, float]:
    """Return the defaults that are numbers."""
    values = {name: field.default for name, field in model.model_fields.items()}
    return {name: value for name, value in values.items() if isinstance(value, int | float) and value is not False}


def words(cell: str) -> list[str]:
    return [word for span in re.findall(r"`([^`]+)`", cell) for word in re.findall(r"[\w-]+", span)]


@pytest.mark.parametrize("page", reference.PAGES)
def test_a_page_made_from_the_program_is_as_the_program_is(page):
    assert (DOCS / page).read_text(encoding="utf-8") == reference.PAGES[page](), "python -m docs.site.reference"


@pytest.mark.parametrize(
    ("page", "schema", "command"),
    [
        ("assignment.schema.json", assignment_schema, "assignments schema"),
        ("report.schema.json", report_schema, "report schema"),
    ],
)
def test_a_committed_schema_is_the_generated_one(page, schema, command):
    committed = json.loads((DOCS / page).read_text(encoding="utf-8"))
    assert committed == schema(), f"lstm-grader {command} > docs/{page}"


def test_every_key_and_status_of_a_report_is_described():
    schema = report_schema()
    keys = {name for part in [schema, *schema["$defs"].values()] for name in part.get("properties", {})}
    spans = re.findall(r"`([^`\n]+)`|^#+ (.+)$", (DOCS / "report.md").read_text(encoding="utf-8"), re.MULTILINE)
    described = set(re.findall(r"\w+", " ".join(map("".join, spans))))
    assert (keys | {"title", "message", "hint"} | {status.value for status in Status}) - described == set()


def test_every_setting_has_one_row_and_no_page_names_another():
    pattern = re.compile(rf"{ENV_PREFIX}[A-Z_]*[A-Z]")
    of_files = {f"{ENV_PREFIX}{name}_file".upper() for name in SECRETS}
    fields = {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields}
    named = Counter(name for row in rows("settings.md") for name in pattern.findall(row[0]))
    assert named == Counter(fields)
    known = fields | of_files | OTHER_VARIABLES | set(pattern.findall(Path(shell.__file__).read_text(encoding="utf-8")))
    for page in PAGES:
        assert set(pattern.findall(page.read_text(encoding="utf-8"))) <= known, page


def test_numbers_that_settings_have_by_default_are_those_of_the_page():
    shown = {row[0]: quantity(row[2]) for row in rows("settings.md") if len(row) == 3}
    expected = {f"`{ENV_PREFIX}{name.upper()}`": value for name, value in defaults(Settings).items()}
    assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize("section", ["tolerance", "limits", "upload", "attempts", "deadline", "cases"])
def test_numbers_that_keys_of_an_assignment_have_by_default_are_those_of_the_page(section):
    annotation = Assignment.model_fields[section].annotation
    model = get_args(annotation)[0] if section == "cases" else annotation
    assert model is not None
    heading = "[[cases]]" if section == "cases" else f"[{section}]"
    shown = {words(row[0])[0]: quantity(row[2]) for row in rows("assignment.md", heading) if words(row[0])}
    expected = defaults(model)
    assert {name: shown[name] for name in expected} == expected


def test_every_key_of_an_assignment_has_a_row_and_no_other_is_in_the_tables():
    schema = assignment_schema()
    keys = {name for part in [schema, *schema["$defs"].values()] for name in part.get("properties", {})}
    sections = {"points", "tolerance", "limits", "budget", "upload", "attempts", "deadline", "cases"}
    named = {word for row in rows("assignment.md") for word in words(row[0])}
    assert named == (keys | set(get_args(CheckId))) - sections - {"ru", "en"}


def test_every_refusal_has_one_row_and_no_other_is_in_the_table():
    slugs = {answer.slug for answer in EVERY_ANSWER.values()}
    named = Counter(slug for row in rows("api.md", "Refusals") for slug in words(row[1]))
    assert named == Counter(slugs)


def test_every_metric_has_a_row_and_no_other_is_named():
    collected = Metrics()._registry.collect()
    names = {f"{each.name}{'_total' if each.type == 'counter' else ''}" for each in collected}
    ours = {name for name in names if not name.startswith("lstm_grader_process_")}
    named = Counter(
        name for row in rows("operations.md", "Metrics") for name in re.findall(r"lstm_grader_[a-z_]*[a-z]", row[0])
    )
    assert {name for name in named if name != "lstm_grader_process"} == ours
    known = names | {"lstm_grader_process", "lstm_grader_client"} | cookies().keys()
    for page in PAGES:
        for name in re.findall(r"`(lstm_grader_[a-z_]*[a-z])", page.read_text(encoding="utf-8")):
            assert re.sub(r"_(bucket|sum|count)$", "", name) in known, f"{page.name}: {name}"


def cookies() -> Counter[str]:
    """Return the names of the cookies that the code sets."""
    pattern = re.compile(r'^[A-Z_]*COOKIE = "(\w+)"$', re.MULTILINE)
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py"))
    return Counter(name for source in sources for name in pattern.findall(source))


def test_every_cookie_has_one_row_and_no_other_is_in_the_table():
    assert Counter(word for row in rows("operations.md", "Cookies") for word in words(row[0])) == cookies()


def test_every_event_of_the_log_has_one_row_with_its_fields():
    events: dict[str, set[str]] = {}
    for file in (file for package in ("app", "grader", "reference") for file in (ROOT / package).rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        constants = dict(re.findall(r'^([A-Z_]+) = "(\w+)"$', source, re.MULTILINE))
        for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
            function = ast.unparse(call.func)
            if function != "reasons_logged" and not function.startswith("logger."):
                continue
            event = call.args[1 if function == "logger.log" else 0]
            name = event.value if isinstance(event, ast.Constant) else constants.get(ast.unparse(event))
            facts = [part for each in call.keywords for part in ast.walk(each.value) if isinstance(part, ast.Dict)]
            fields = {key.value for part in facts for key in part.keys if isinstance(key, ast.Constant)}
            # A function that logs the event which its caller names is looked at there.
            if name is not None:
                events.setdefault(str(name), set()).update(map(str, fields))
    text = re.sub(r"\n +", " ", (DOCS / "logs.md").read_text(encoding="utf-8"))
    documented = re.findall(r"^\* `(\w+)` \([^)]+\): [^.]+\.(.*)$", text, re.MULTILINE)
    assert Counter(name for name, _ in documented) == Counter(events.keys())
    for name, described in documented:
        assert events[name] <= set(words(described)), name
