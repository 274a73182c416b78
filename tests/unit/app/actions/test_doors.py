"""Doors only translate: each route and command that changes something names the action that does it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

import app
from app.api.openapi import ERRORS
from app.http.auth.guard import PUBLIC
from app.http.auth.holders import RouteAction
from app.http.auth.proof import SAFE_METHODS
from app.http.parameters import IDS
from app.main import create_app
from app.settings import Settings

APP = Path(app.__file__).parent
#: Browsers leave, and a frame lends its session to a window: nobody's data changes.
OF_SESSIONS = {"/leave", "/leave/everywhere", "/lti/window", "/enter/together"}
#: Forms that change nothing: a check of a platform, and a grade book that is filled in and sent back.
READING = {"/platforms/{platform_id}/check", "/courses/{course_id}/grade-book/filled"}
ERROR = re.compile(r"\b(?:[A-Z][a-z]+){2,}\b")
OPENS_A_TRANSACTION = re.compile(r"(.*\.)?(database|actor|owner|visit|visitor)\.write|(.*\.)?make_once")


def changing_routes() -> Iterator[tuple[str, Dependant]]:
    service = create_app(Settings())
    for context in iter_route_contexts(list(service.routes)):
        methods = getattr(context.original_route, "methods", None) or set()
        if methods - SAFE_METHODS and context.path not in PUBLIC | OF_SESSIONS | READING:
            yield context.path, context.dependant


def test_each_route_that_changes_something_names_one_action():
    routes = list(changing_routes())
    assert len(routes) > 100
    named = {
        path: [each.call for each in found.dependencies if isinstance(each.call, RouteAction)] for path, found in routes
    }
    assert {path for path, actions in named.items() if len(actions) != 1} == set()


def test_each_error_that_an_action_says_it_raises_is_one_that_the_document_can_show():
    """The OpenAPI document reads it there, so a misspelt name would be missing from it."""
    named = set()
    for _, dependant in changing_routes():
        for call in (each.call for each in dependant.dependencies):
            raises = (call.action.do.__doc__ or "").partition("Raises:")[2] if isinstance(call, RouteAction) else ""
            named |= {name for line in raises.splitlines() for name in ERROR.findall(line.partition(":")[0])}
    assert {"MemberNotFound", "RosterRefused", "PlatformInUse"} <= named
    assert {name for name in named if not ERRORS.get(name)} == set()


@pytest.mark.parametrize("door", ["api", "web", "commands"])
def test_no_door_opens_a_transaction_to_write(door):
    opened = [
        f"{path.relative_to(APP)}:{node.lineno}"
        for path in sorted((APP / door).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and OPENS_A_TRANSACTION.fullmatch(ast.unparse(node.func))
    ]
    assert opened == []


@pytest.mark.parametrize("group", ["courses", "lti", "people", "regrades", "rosters", "tokens"])
def test_each_group_of_commands_asks_for_actions(group):
    tree = ast.parse((APP / "commands" / f"{group}.py").read_text())
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert any(module.startswith("app.actions") for module in modules)


def test_each_id_in_the_path_of_a_page_has_its_check():
    service = create_app(Settings())
    of_pages = [
        str(context.path)
        for context in iter_route_contexts(list(service.routes))
        if getattr(context.endpoint, "__module__", "").startswith("app.web")
    ]
    names = {name for path in of_pages for name in re.findall(r"{(\w+_id)}", path)}
    assert {"member_id", "submission_id"} <= names
    assert names - IDS.keys() == {
        "course_id",  # The session's holder acts in it.
        "case_id",  # A key of the report.
    }
