"""Commands, codes, cookies, lines of the log, metrics, settings, refusals: each documented once, and no other named."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import typer
from pydantic import BaseModel

from app.cli import cli
from app.http.answers import ANSWERS, FRAMEWORK_ANSWERS
from app.operations.metrics import Metrics
from app.settings import ENV_PREFIX, SECRETS, Settings
from docs.site import reference
from grader import shell
from grader.assignment import Assignment, CheckId, assignment_schema
from grader.report.model import Report, Status
from grader.report.schema import report_schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LEVELS = {"debug", "info", "warning", "error", "exception"}
#: Functions that log the event that they are given.
LOGGING = {"reasons_logged"}
#: Of `make bench`.
OTHER_VARIABLES = {"LSTM_GRADER_BENCH_BASE"}


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
    found = re.match(r"`?(\d[\d,]*(?:e-\d+)?)(?!\.)`?(?: (KiB|MiB|GiB|minutes|hour|days))?", cell)
    return float(found[1].replace(",", "")) * UNITS[found[2]] if found else None


def defaults(model: type[BaseModel]) -> dict[str, float]:
    """Return the defaults that are numbers."""
    found = {name: field.default for name, field in model.model_fields.items()}
    return {name: value for name, value in found.items() if isinstance(value, int | float) and value is not False}


def words(cell: str) -> list[str]:
    return [word for span in re.findall(r"`([^`]+)`", cell) for word in re.findall(r"[\w-]+", span)]


@pytest.mark.parametrize("page", reference.PAGES)
def test_a_page_made_from_the_program_is_as_the_program_is(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == reference.PAGES[page](), "python -m docs.site.reference"


@pytest.mark.parametrize(
    ("page", "schema", "command"),
    [
        ("assignment.schema.json", assignment_schema, "assignments schema"),
        ("report.schema.json", report_schema, "report schema"),
    ],
)
def test_a_committed_schema_is_the_generated_one(page: str, schema: Callable[[], object], command: str) -> None:
    committed = json.loads((DOCS / page).read_text(encoding="utf-8"))
    assert committed == schema(), f"lstm-grader {command} > docs/{page}"


def test_every_key_and_status_of_a_report_is_described() -> None:
    schema = Report.model_json_schema()
    keys = {name for part in [schema, *schema["$defs"].values()] for name in part.get("properties", {})}
    spans = re.findall(r"`([^`\n]+)`|^#+ (.+)$", (DOCS / "report.md").read_text(encoding="utf-8"), re.MULTILINE)
    described = set(re.findall(r"\w+", " ".join(map("".join, spans))))
    assert (keys | {"title", "message", "hint"} | {status.value for status in Status}) - described == set()


def commands() -> dict[str, set[str]]:
    """Return the options of each command and of each group."""
    found = {}

    def walk(command: typer._click.core.Command, *path: str) -> None:
        options = {option for each in command.params for option in [*each.opts, *each.secondary_opts]}
        found[" ".join(path)] = options | {"--help"}
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, *path, name)

    walk(typer.main.get_command(cli))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_command_and_no_option_that_there_is_not(page: Path) -> None:
    known = commands()
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    for line in re.findall(r"lstm-grader ((?:[a-z`][^\n|`;&#]*))", text):
        path = ""
        for word in line.split():
            longer = f"{path} {word}".strip()
            if longer not in known:
                break
            path = longer
        if not path:
            continue
        named = re.findall(r"(?<!\S)(--[a-z-]+)", line)
        assert set(named) <= known[path], f"lstm-grader {line}"


def test_every_setting_has_one_row_and_no_page_names_another() -> None:
    pattern = re.compile(rf"{ENV_PREFIX}[A-Z_]*[A-Z]")
    of_files = {f"{ENV_PREFIX}{name}_file".upper() for name in SECRETS}
    fields = {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields}
    named = Counter(name for row in rows("settings.md") for name in pattern.findall(row[0]))
    assert named == Counter(fields)
    known = fields | of_files | OTHER_VARIABLES | set(pattern.findall(Path(shell.__file__).read_text(encoding="utf-8")))
    for page in PAGES:
        assert set(pattern.findall(page.read_text(encoding="utf-8"))) <= known, page


def test_numbers_that_settings_have_by_default_are_those_of_the_page() -> None:
    shown = {row[0]: quantity(row[2]) for row in rows("settings.md") if len(row) == 3}
    expected = {f"`{ENV_PREFIX}{name.upper()}`": value for name, value in defaults(Settings).items()}
    assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize("section", ["tolerance", "limits", "upload", "attempts", "deadline", "cases"])
def test_numbers_that_keys_of_an_assignment_have_by_default_are_those_of_the_page(section: str) -> None:
    annotation = Assignment.model_fields[section].annotation
    model = get_args(annotation)[0] if section == "cases" else annotation
    assert model is not None
    heading = "[[cases]]" if section == "cases" else f"[{section}]"
    shown = {words(row[0])[0]: quantity(row[2]) for row in rows("assignment.md", heading) if words(row[0])}
    expected = defaults(model)
    assert {name: shown[name] for name in expected} == expected


def test_every_key_of_an_assignment_has_a_row_and_no_other_is_in_the_tables() -> None:
    schema = assignment_schema()
    keys = {name for part in [schema, *schema["$defs"].values()] for name in part.get("properties", {})}
    sections = {"points", "tolerance", "limits", "budget", "upload", "attempts", "deadline", "cases"}
    named = {word for row in rows("assignment.md") for word in words(row[0])}
    assert named == (keys | set(get_args(CheckId))) - sections - {"ru", "en"}


def test_every_refusal_has_one_row_and_no_other_is_in_the_table() -> None:
    slugs = {answer.slug for answer in [*ANSWERS.values(), *FRAMEWORK_ANSWERS.values()]}
    named = Counter(slug for row in rows("api.md", "Refusals") for slug in words(row[1]))
    assert named == Counter(slugs)


def test_every_metric_has_a_row_and_no_other_is_named() -> None:
    collected = Metrics()._registry.collect()
    names = {f"{each.name}{'_total' if each.type == 'counter' else ''}" for each in collected}
    ours = {name for name in names if not name.startswith("lstm_grader_process_")}
    named = Counter(
        name for row in rows("operations.md", "Metrics") for name in re.findall(r"lstm_grader_[a-z_]*[a-z]", row[0])
    )
    assert {name for name in named if name != "lstm_grader_process"} == ours
    for page in PAGES:
        for name in re.findall(r"`(lstm_grader_[a-z_]*[a-z])", page.read_text(encoding="utf-8")):
            known = names | {"lstm_grader_process", "lstm_grader_client"} | cookies().keys()
            assert re.sub(r"_(bucket|sum|count)$", "", name) in known, f"{page.name}: {name}"


def cookies() -> Counter[str]:
    """Return the names of the cookies that the code sets."""
    pattern = re.compile(r'^[A-Z_]*COOKIE = "(\w+)"$', re.MULTILINE)
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py"))
    return Counter(name for source in sources for name in pattern.findall(source))


def test_every_cookie_has_one_row_and_no_other_is_in_the_table() -> None:
    assert Counter(word for row in rows("operations.md", "Cookies") for word in words(row[0])) == cookies()


def logged() -> dict[str, set[str]]:
    """Return the fields of each event that the code logs, as far as they stand in the call."""
    found: dict[str, set[str]] = {}
    for package in ("app", "grader", "reference"):
        for file in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            constants = {
                node.targets[0].id: node.value.value
                for node in tree.body
                if isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and isinstance(node.value, ast.Constant)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and (event := event_of(node, constants)):
                    extra = [keyword for keyword in node.keywords if keyword.arg == "extra"]
                    keys = {
                        key.value
                        for each in extra
                        for part in ast.walk(each.value)
                        if isinstance(part, ast.Dict)
                        for key in part.keys
                        if isinstance(key, ast.Constant)
                    }
                    found.setdefault(event, set()).update(keys)
    return found


def event_of(call: ast.Call, constants: dict[str, object]) -> str | None:
    """Return the event that a call logs, or None if it logs nothing, or what its caller names."""
    function, arguments = call.func, call.args
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "logger":
        if function.attr == "log":
            arguments = arguments[1:]
        elif function.attr not in LEVELS:
            return None
    elif not (isinstance(function, ast.Name) and function.id in LOGGING):
        return None
    if isinstance(arguments[0], ast.Constant):
        return str(arguments[0].value)
    return str(constants[arguments[0].id]) if getattr(arguments[0], "id", None) in constants else None


def test_every_event_of_the_log_has_one_row_with_its_fields() -> None:
    documented = {row[0]: row for row in rows("logs.md") if len(row) == 4}
    counted = Counter(word for row in documented.values() for word in words(row[0]))
    events = logged()
    assert counted == Counter(events.keys())
    for event, fields in events.items():
        assert fields <= set(words(documented[f"`{event}`"][3])), event


def test_a_line_of_the_log_that_nobody_documented_would_be_found() -> None:
    (call,) = [node for node in ast.walk(ast.parse('logger.log(level, "lost", extra=facts)')) if hasattr(node, "func")]
    assert event_of(call, {}) == "lost"
    (call,) = [node for node in ast.walk(ast.parse("logger.info(EVENT)")) if hasattr(node, "func")]
    assert event_of(call, {"EVENT": "lost"}) == "lost"
