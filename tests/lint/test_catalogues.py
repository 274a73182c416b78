"""Texts: each in both languages, none missing, none left over, no words in a template past them.

An id stands in the source as a whole, or is put together of a prefix and a value: `COMPUTED` says of which values, and
takes them from where the service has them.
"""

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from jinja2 import Environment, nodes

import app.main
import grader
from app.answers import answer_for
from app.courses.changes import NAMES as NAMES_IN_LOG
from app.courses.matching import MatchedBy
from app.courses.roster.planning import Conflict, Outcome
from app.courses.roster.reading import Fault
from app.courses.uses import DATES
from app.errors import AssignmentClosed, AssignmentNotOpen, AttemptsUsedUp, AttemptTooSoon, CourseArchived, NotPermitted
from app.http.navigation import SECTIONS
from app.http.problem_pages import OF_STORAGE, WORDS
from app.http.problems import EVERY_ANSWER
from app.lti.grades.connection import Nightly
from app.lti.grades.connection import State as Passed
from app.lti.registration.checking import Code
from app.mail.messages import MailKind
from app.storage.models import BatchFileState, HoldDecision, JobStatus, MemberRole, Role
from app.submissions.derivation import StepCode
from app.teaching.grade_book import GradeBookFormat
from app.teaching.news import NewsKind
from app.teaching.overview.activity import Unit
from app.teaching.overview.table import Filter, State
from app.teaching.own.reasons import Reason
from app.web.course.course import ORDERS
from app.web.lti.platforms import ADDRESSES
from app.web.manage.changes import PARTS
from app.web.manage.members import STATES
from grader import Status
from grader.assignment import CheckId
from grader.report.finding import CheckStatus
from grader.report.messages import LANGUAGES, Catalogue, codes, translate
from reference.lstm.misconceptions import bank

APP, GRADER = (Path(module.__file__).parent for module in (app, grader))
TEMPLATES = sorted((APP / "web" / "templates").rglob("*.html"))
SCRIPTS = sorted((APP / "web" / "static").rglob("*.js"))
MODULES = sorted(APP.rglob("*.py"))
CLIENT = APP / "client" / "notebook.py"
SLUGS = {answer.slug for answer in EVERY_ANSWER.values()}

#: Reasons why an assignment's page offers no form.
REFUSED_NOW = (
    AssignmentNotOpen(),
    AssignmentClosed(),
    AttemptsUsedUp(),
    AttemptTooSoon(),
    CourseArchived(),
    NotPermitted(),
)

# Calls that take the code of a sentence first, or by name.
MAKERS = {"Finding.of", "Remark", "Advisory", "Need", "_fact"}


def codes_in(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in MAKERS:
            named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            for value in [*node.args[:1], *named]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


LETTERS = ("missing", "below")
#: Ids with a value in them, and all the values that it takes.
COMPUTED: Mapping[str, Iterable[str]] = {
    "attempt.reason.{}": Reason,
    "course.activity_text.{}": Unit,
    "course.begin.{}": Unit,
    "course.by.{}": ORDERS,
    "course.choose.{}": ["group", "state", "assignment", "sort", "order"],
    "course.date.{}": DATES,
    "course.filter.{}": Filter,
    "course.hold.{}": [*HoldDecision, "waits"],
    "course.role.{}": MemberRole,
    # The days say how late.
    "course.state.{}": set(State) - {State.LATE},
    "batch.by.{}": MatchedBy,
    "batch.state.{}": [state for state in BatchFileState if state != BatchFileState.HANDED_IN],
    "grade.other.{}": ["best", "last"],
    "grade_book.format.{}": GradeBookFormat,
    "regrade.state.{}": ["running", "ready", "applied", "done", "dropped", "empty"],
    "status.health.{}": ["off", "unasked", "well", "failing"],
    "status.need.{}": set(codes_in(APP / "operations" / "status.py")),
    "job_status.{}": JobStatus,
    "mail.{}.body": MailKind,
    "mail.{}.subject": MailKind,
    "letter.log.{}": LETTERS,
    "letter.to.{}": LETTERS,
    "letter.{}.subject": LETTERS,
    "letter.{}.text": LETTERS,
    "nav.section.{}": SECTIONS,
    "nav.{}": [page.id for pages in SECTIONS.values() for page in pages],
    "news.mail_{}": ["on", "off"],
    "news.{}": NewsKind,
    "page_problem.{}.operator": OF_STORAGE,
    "page_problem.{}.detail": WORDS,
    "page_problem.{}.title": WORDS,
    "problem.{}.detail": SLUGS,
    "problem.{}.title": SLUGS,
    "refused.order.{}": DATES,
    "roster.conflict.{}": Conflict,
    "roster.fault.{}": Fault,
    "since_join.{}": ["member", "extension", "adjustment", "person"],
    "step.rule.{}": ["best", "last"],
    "step.{}": StepCode,
    "lms.nightly.{}": Nightly,
    "passback.{}": Passed,
    "platform.check.{}": Code,
    "platform.{}": [*ADDRESSES, "client_id"],
    # Managing a course.
    "change.kind.{}": [
        *(f"{each}.{kind}" for each in NAMES_IN_LOG for kind in ("made", "changed")),
        "assignment.removed",
    ],
    "change.name.member.{}": NAMES_IN_LOG["member"],
    "change.name.{}": [f"{subject}.{name}" for subject, names in NAMES_IN_LOG.items() for name in names],
    "change.part.{}": PARTS,
    "change.subject.{}": NAMES_IN_LOG,
    "fault.{}": [
        *("required", "name", "email", "choice", "time_zone", "number", "whole", "no_number"),
        *("moment", "owner", "too_long", "nul", "extension_empty", "address"),
    ],
    "language.{}": LANGUAGES,
    "member.{}": ["id", "name", "email", "group", "role"],
    "members.state.{}": STATES,
    "role.{}": [*Role, *MemberRole],
    "roster_plan.about.{}": Outcome,
    "roster_plan.outcome.{}": Outcome,
    "rules.help.{}": DATES,
    "rules.{}": DATES,
    "settings.counts.{}": ["best", "last"],
    "tokens.role.{}": [Role.SUBMITTER, Role.ASSISTANT, Role.TEACHER],
    "task.check.{}": get_args(CheckId),
    "task.counts.{}": ["best", "last"],
    "task.refused.{}": [answer_for(error).slug for error in REFUSED_NOW],
    # No page waits for what is done.
    "waiting.{}": [JobStatus.QUEUED, JobStatus.RUNNING],
}
#: Answers of other causes than ours may have any id, so these go through as they come.
PASSED_ON = {"said.{}"}
#: Names that are the same in every language, and what is typed as it stands.
NAMES = {"API", "CSV", "JSON", "Canvas", "Moodle", "Keras", "LTI"}
#: Attributes that are read out or shown.
SHOWN_ATTRIBUTES = {"alt", "aria-label", "aria-description", "placeholder", "title", "label", "data-label", "data-name"}
#: What stands in these is code.
CODE = {"code", "kbd", "pre", "samp", "script", "style"}
VALUE = "\N{OBJECT REPLACEMENT CHARACTER}"


#: The forms of each text, by folder, language and id.
TEXTS = {folder: Catalogue(folder / "locale")._texts for folder in (APP, GRADER)}
ENGLISH = TEXTS[APP]["en"]


@dataclass(frozen=True)
class Use:
    """A place that asks for a text. `id` has ``{}`` where a value stands; `given` is None where it cannot be told."""

    id: str
    where: str
    given: frozenset[str] | None = None


# --- in templates ---


def _uses_in_template(path: Path, function: str) -> Iterator[Use]:
    tree = Environment().parse(path.read_text(encoding="utf-8"))
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == function and call.args:
            given = None if call.dyn_kwargs else frozenset(each.key for each in call.kwargs)
            for id in _ids_of_expression(call.args[0]):
                yield Use(id, f"{path.name}:{call.lineno}", given)


def _ids_of_expression(expression: nodes.Node) -> Iterator[str]:
    match expression:
        case nodes.Const(value=str(id)):
            yield id
        case nodes.CondExpr():
            for either in filter(None, (expression.expr1, expression.expr2)):
                yield from _ids_of_expression(either)
        case nodes.Concat():
            yield "".join(part.value if isinstance(part, nodes.Const) else "{}" for part in expression.nodes)
        case nodes.Add():
            sides = (expression.left, expression.right)
            yield "".join(part.value if isinstance(part, nodes.Const) else "{}" for part in sides)


def _strings_in_template(path: Path) -> set[str]:
    tree = Environment().parse(path.read_text(encoding="utf-8"))
    return {each.value for each in tree.find_all(nodes.Const) if isinstance(each.value, str)}


# --- in modules ---


def _uses_in_module(path: Path) -> Iterator[Use]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        given = frozenset(str(each.arg) for each in node.keywords)
        where = f"{path.relative_to(APP)}:{node.lineno}"
        if path == CLIENT and name in ("text", "stop", "progress", "is_wanted") and node.args:
            for id in _ids_of_code(node.args[0]):
                yield Use(f"client.{id}", where, None if "None" in given else given)
        # SQLAlchemy has a `text` of its own, whose only argument is SQL.
        if name in ("text", "find") and len(node.args) == 2:
            for id in _ids_of_code(node.args[0]):
                yield Use(id, where, None if "None" in given else given)
        for keyword in node.keywords:
            if keyword.arg == "said":
                for id in _ids_of_code(keyword.value):
                    yield Use(f"said.{id}", where)


def _ids_of_code(expression: ast.expr) -> Iterator[str]:
    match expression:
        case ast.Constant(value=str(id)):
            yield id
        case ast.IfExp():
            yield from _ids_of_code(expression.body)
            yield from _ids_of_code(expression.orelse)
        case ast.JoinedStr():
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in expression.values)


def _strings_in_module(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


USES = [use for path in TEMPLATES for use in _uses_in_template(path, "t")]
USES += [use for path in MODULES for use in _uses_in_module(path)]


def _expanded(id: str) -> set[str]:
    return {id.replace("{}", value) for value in COMPUTED[id]} if "{}" in id else {id}


# --- the catalogues ---


def test_every_text_is_in_every_language_with_the_same_parameters() -> None:
    wrong = []
    for folder, language in itertools.product(TEXTS, LANGUAGES):
        english, others = TEXTS[folder]["en"], TEXTS[folder][language]
        wrong += [(folder.name, language, id) for id in english.keys() ^ others.keys()]
        for id in english.keys() & others.keys():
            has_words = all(form.strip() for form in others[id])
            if not has_words or _parameters(english[id]) != _parameters(others[id]):
                wrong.append((folder.name, language, id))
    assert wrong == []


def _parameters(forms: Iterable[str]) -> set[str]:
    return set(re.findall(r"{\w+}", " ".join(forms)))


def test_no_plural_lacks_a_form() -> None:
    plurals = {"en": 2, "ru": 3}
    assert [
        (language, id)
        for language in LANGUAGES
        for id, forms in TEXTS[APP][language].items()
        if len(forms) not in (1, plurals[language])
    ] == []


# --- what pages ask for ---


def test_every_text_that_is_asked_for_exists() -> None:
    unknown = {use for use in USES if "{}" in use.id and use.id not in {*COMPUTED, *PASSED_ON}}
    assert unknown == set(), "say in COMPUTED which values it takes"
    asked = {(id, use.where) for use in USES if use.id not in PASSED_ON for id in _expanded(use.id)}
    assert {each for each in asked if each[0] not in ENGLISH} == set()


def test_every_text_gets_its_parameters() -> None:
    lacking = [
        (use.where, use.id, missing)
        for use in USES
        if use.given is not None and use.id in ENGLISH
        if (missing := {name.strip("{}") for name in _parameters(ENGLISH[use.id])} - use.given)
    ]
    assert lacking == []


def test_no_text_is_left_over() -> None:
    used = {use.id for use in USES} | {id for computed in COMPUTED for id in _expanded(computed)}
    # Tables of ids in the source, such as what a page shows of an enumeration.
    for path in MODULES:
        used |= {id for string in _strings_in_module(path) for id in (string, f"said.{string}")}
    for path in TEMPLATES:
        used |= _strings_in_template(path)
    assert {id for id in ENGLISH if id not in used} == set()


def test_every_value_that_a_page_shows_has_a_name() -> None:
    for language in LANGUAGES:
        for id in [*(f"status.{status}" for status in Status), *(f"check_status.{status}" for status in CheckStatus)]:
            assert translate(id, language) != id


def test_every_name_of_the_report_that_a_page_asks_for_exists() -> None:
    asked = [use for path in TEMPLATES for use in _uses_in_template(path, "name") if "{}" not in use.id]
    assert [use for use in asked if use.id not in TEXTS[GRADER]["en"]] == []


# --- words in templates ---


class _Words(HTMLParser):
    """Collects what a reader meets in a template that stands there as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        shown = SHOWN_ATTRIBUTES | ({"value"} if tag == "input" and ("type", "submit") in attrs else set())
        self.found += [value for name, value in attrs if name in shown and value and _has_words(value)]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not CODE & set(self._open) and _has_words(data):
            self.found.append(data.strip())


def _has_words(text: str) -> bool:
    # Addresses and the names of files are the same everywhere.
    words = re.findall(r"[^\W\d_]{2,}", re.sub(r"\S*[/.@]\S*", "", text.replace(VALUE, " ")))
    return any(word not in NAMES for word in words)


def test_no_template_has_words_of_its_own() -> None:
    assert [(path.name, words) for path in TEMPLATES for words in _words_in_template(path)] == []


def _words_in_template(path: Path) -> list[str]:
    tokens = Environment().lex(path.read_text(encoding="utf-8"))
    data = "".join(
        value if kind == "data" else VALUE if kind == "variable_begin" else ""
        for _, kind, value in tokens
        if kind in ("data", "variable_begin")
    )
    parser = _Words()
    parser.feed(data)
    return parser.found


def test_no_script_has_words_of_its_own() -> None:
    wrong = []
    for path in SCRIPTS:
        code = re.sub(r"//.*|/\*.*?\*/", "", path.read_text(encoding="utf-8"))
        strings = map("".join, re.findall(r"\"([^\"\n]*)\"|'([^'\n]*)'|`([^`]*)`", code))
        # A sentence: a capital letter, and words after it.
        wrong += [(path.name, each) for each in strings if re.search(r"[А-Яа-яЁё]|\b[A-Z][a-z]+ [a-z]+", each)]
    assert wrong == []


#: Jinja takes the end of a line after a block away, and the space before the next block.
GLUED = re.compile(r"}}{% endif %}\n\s*{% if [^%\n]*%}{{ t\(")


def test_two_sentences_of_a_template_have_a_space_between_them() -> None:
    assert [path.name for path in TEMPLATES if GLUED.search(path.read_text("utf-8"))] == []


# --- codes of a report ---


def test_every_code_of_the_source_and_of_the_bank_has_words() -> None:
    found = {mistake.code for mistake in bank()}
    found |= {code for module in GRADER.rglob("*.py") for code in codes_in(module)}
    assert len(found) > 100
    assert sorted(found - set(codes())) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_shows_a_brace_or_an_unknown_value(language: str) -> None:
    for code in codes():
        text = translate(f"{code}.message", language)
        assert "{" not in text, code
        assert "}" not in text, code
