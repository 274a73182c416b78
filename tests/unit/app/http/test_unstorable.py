"""The character NUL, which PostgreSQL cannot hold: nothing that anybody sends takes it into a statement."""

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Annotated, Any, get_args

import pytest
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError
from sqlalchemy import Engine, event

from app.actions.fields import ActionRequest
from app.http import visits
from app.http.auth.proof import mask
from app.http.fields import new_key
from app.main import create_app
from app.settings import Settings
from app.storage.models import Submission, utc_now
from tests.unit.app.access.test_other_courses import values_of_default
from tests.unit.app.conftest import Browser, Service, form_secret

NUL = "a\0b"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: Fields that are compared with texts of ours, or looked for only if they hold an id, or by their hash.
COMPARED = {"course", "title", "id_column", "ExchangeCode.code"}
#: After these there is less to send the next form to.
ENDING = ("/leave", "/everywhere", "/archive", "/remove", "/delete", "/undo", "/detach")
#: Values of the fields of forms. A name means the same in all of them.
FIELDS = {
    **dict.fromkeys(("title", "name", "group", "external_id", "claimed_id", "client_id", "code", "column"), "x"),
    **dict.fromkeys(("adjustment_reason", "extension_reason", "decision_reason", "comment", "answer", "text"), "x"),
    **dict.fromkeys(("form_key", "error", "missing", "counts", "submission", "due", "closes", "expires_at"), ""),
    **dict.fromkeys(("late_percent_per_day", "late_percent_max", "cooldown_minutes", "grade_book_points"), ""),
    **dict.fromkeys(("origins", "retention_days"), ""),
    **dict.fromkeys(("other", "member", "for", "course", "secret", "token", "id_token", "state"), "z" * 26),
    **dict.fromkeys(("days", "deployment", "limit", "more_attempts", "points"), "1"),
    **dict.fromkeys(("lang", "language"), "en"),
    "assignment": "lstm-layer",
    "confirmation": "no",
    "decision": "accepted",
    "email": "x@example.org",
    "kind": "moodle",
    "mode": "all",
    "next": "/",
    "role": "student",
    "site": "https://lms.example.org",
    "status": "passed",
    "student": "ivanov",
    "sure": "on",
    "time_zone": "UTC",
    "way": "delta",
}


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The statements with a NUL."""
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "\\x00" in repr(parameters):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield statements
    event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
async def values(service: Service, owner: Browser) -> dict[str, str]:
    """Things that paths and forms name, which are there and ready for what a form does to them."""
    values = await values_of_default(service)
    here = f"/api/v1/courses/{values['course_id']}"
    assert (await owner.post(f"{here}/reviews/{values['review_id']}/answer", json={"answer": "x"})).is_success
    await service.store(Submission, Submission.id == values["submission_id"], held_at=utc_now())
    return {**values, "other_id": "z" * 26, "form": "py", "replaces": values["adjustment_id"]}


def contexts(method: str) -> Iterator[Any]:
    for context in iter_route_contexts(create_app(Settings()).routes):
        if method in (context.methods or ()) and context.endpoint.__module__.startswith("app."):
            yield context


def filled(path: str, values: dict[str, str]) -> str:
    return re.sub(r"{(\w+)[^}]*}", lambda match: values.get(match[1], "x"), path)


def models(annotation: Any) -> set[type[BaseModel]]:
    """Return the models in the body of a request."""
    inner = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = tuple(field.annotation for field in annotation.model_fields.values())
        return {annotation}.union(*map(models, inner))
    return set().union(*map(models, inner))


def takes(field: Any, value: object) -> bool:
    try:
        TypeAdapter(Annotated[(field.annotation, *field.metadata, None)]).validate_python(value)
    except ValidationError:
        return False
    return True


def test_no_text_in_a_body_or_a_query_of_the_api_has_a_nul():
    routes = [each.original_route for method in METHODS for each in contexts(method) if each.path.startswith("/api")]
    bodies = set().union(*(models(route.body_field.field_info.annotation) for route in routes if route.body_field))
    taken = [
        f"{body.__name__}.{name}"
        for body in bodies
        for name, field in body.model_fields.items()
        if any(takes(field, value) for value in (NUL, [NUL]))
    ]
    queries = [field for route in routes for field in get_flat_params(route.dependant)]
    taken += [field.alias for field in queries if isinstance(field.field_info, Query) and takes(field.field_info, NUL)]
    assert set(taken) <= COMPARED
    assert len(bodies) > 15


async def test_no_address_with_a_nul_is_looked_for(owner, browser, values, statements):
    answers = {}
    secret = form_secret((await browser.get("/link")).text)
    for method in METHODS:
        for context in contexts(method):
            for name in re.findall(r"{(\w+)", context.path):
                path = filled(context.path, {**values, name: "%00"})
                data = {"form_secret": secret} if method == "POST" else None
                asking = owner if path.startswith("/api") else browser
                answer = await asking.request(method, path, **({} if asking is owner else {"data": data}))
                answers[method, context.path, name] = answer.status_code
                assert not statements, (method, context.path, name)
    assert set(answers.values()) <= {403, 404, 422}
    assert len(answers) > 200


async def test_no_address_with_a_nul_is_looked_for_in_a_persons_session(service, values, statements):
    async with service.browser_of(values["person_id"]) as browser:
        for path in ("/submissions/%00", "/courses/%00", "/courses/%00/assignments/lstm-layer", "/?course=%00"):
            assert (await browser.get(path)).status_code == 404, path
        assert (await browser.get("/")).status_code == 200
    assert not statements


async def test_no_search_for_a_nul_is_made(browser, values, statements):
    count = 0
    for context in contexts("GET"):
        if context.path.startswith("/api") or context.path.endswith("/events"):
            continue
        names = {each.alias for each in get_flat_params(context.dependant) if isinstance(each.field_info, Query)}
        names |= set(re.findall(r'(?:query_params|asked)\.get\("(\w+)"', source(context)))
        for name in names:
            await browser.get(filled(context.path, values), params={name: NUL})
            assert not statements, (context.path, name)
            count += 1
    assert count > 50


@pytest.mark.thorough
async def test_no_form_stores_a_nul(browser, values, statements):
    count = 0
    secret = form_secret((await browser.get("/link")).text)
    for context in contexts("POST"):
        if context.path.startswith("/api") or context.path.endswith(ENDING):
            continue
        for name in sorted(fields_read(context) & {*FIELDS, "replaces"}):
            sent = {**FIELDS, "replaces": values["replaces"], "form_key": mask(new_key()), "form_secret": secret}
            answer = await browser.post(filled(context.path, values), data={**sent, name: f"{sent[name]}\0b"})
            assert not statements, (context.path, name)
            assert answer.status_code < 500, (context.path, name)
            count += 1
    assert count > 200


def fields_read(context: Any) -> set[str]:
    """Return the fields that a form's page reads: those that its module names, and those of its requests."""
    page = context.endpoint
    if page.__module__ != visits.__name__:
        named = vars(sys.modules[page.__module__]).values()
        requests = [each for each in named if isinstance(each, type) and issubclass(each, ActionRequest)]
        return {name for each in requests for name in each.model_fields} | named_in(page)
    # `Pages.act` reads the request of the action, and the page that shows a refusal reads the form, too.
    form = inspect.getclosurevars(page.__wrapped__).nonlocals
    wanted = form["action"].parameters.get("wanted")
    fields = {(form["names"] or {}).get(name, name) for name in wanted.annotation.model_fields} if wanted else set()
    again = inspect.getclosurevars(page).nonlocals["again"]
    return fields | named_in(page) | (named_in(again) if again else set())


def named_in(page: Any) -> set[str]:
    return set(re.findall(r'"(\w+)"', inspect.getsource(sys.modules[page.__module__])))


def source(context: Any) -> str:
    return inspect.getsource(sys.modules[context.endpoint.__module__])
