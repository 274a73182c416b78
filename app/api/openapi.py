"""The OpenAPI document, and the page that shows it, which loads nothing from other sites."""

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from app.access.rights import EVERYBODY
from app.actions.actor import Action
from app.api.schemas.base import Problem
from app.bodies import EXAMPLE_ID
from app.errors import CourseArchived, CourseNotFound, NotAuthenticated, NotPermitted, TooManyRequests
from app.http.archives import BINARY
from app.http.auth.holders import RouteAction, TokenFor, monitor, token_holder
from app.http.bodies import FIELDS
from app.http.pages import page
from app.http.problems import EVERY_ANSWER, PROBLEM, problem
from app.storage.database import CommitUnanswered
from app.storage.models import DEFAULT_COURSE
from app.submissions.uploads import DEFAULT_ASSIGNMENT, STUDENT_CHARACTERS
from app.webhooks.messages import GradedMessage, PingMessage
from grader.report.schema import report_schema
from grader.submission import CODE_SUFFIXES

DESCRIPTION = """
Grades one exercise: write the class `LSTM`, a `tf.keras.Model`, so that it equals `tf.keras.layers.LSTM`.

Submit a file with `POST /api/v1/submissions` and read the answer's `report`, or follow `Location` until `job_status`
is `done`. Every call but one needs a token: `Authorization: Bearer ...`. Every refusal is a problem document (RFC 9457)
whose `type` is stable.
"""
#: The folder of Swagger UI's own files.
SWAGGER_FILES = files("fastapi_offline") / "static"
#: Parameters of the problems in examples, by the end of their type.
EXAMPLE_PARAMS: dict[str, dict[str, Any]] = {
    "member-joined": {"member": EXAMPLE_ID, "join": "01ksvh1y8gk3v0q4m2z7c9x5ac"},
    "join-followed": {"join": EXAMPLE_ID},
    "join-outdated": {"changed": ["extension"]},
    "persons-share-course": {"courses": [EXAMPLE_ID]},
    "adjustment-replaced": {"expected": None, "current": EXAMPLE_ID},
    "review-answered": {"answered_by": "owner"},
    "review-open": {"request": EXAMPLE_ID},
    "email-taken": {"member": EXAMPLE_ID},
    "external-id-taken": {"member": EXAMPLE_ID},
    "assignment-in-use": {"submissions": 42, "decisions": 1},
    "rules-contradictory": {
        "fields": ["opens", "due"],
        "opens": "2026-09-08T00:00:00Z",
        "due": "2026-09-01T00:00:00Z",
        "closes": None,
    },
    "unknown-assignment": {"came": "lstm", "known": [DEFAULT_ASSIGNMENT]},
    "fields-missing": {"missing": ["student"]},
    "unknown-fields": {"unknown": ["assigment"], "known": list(FIELDS)},
    "empty-file": {"filename": "LSTM.ipynb"},
    "file-too-large": {"limit_bytes": 20 * 1024 * 1024},
    "unsupported-file-type": {"filename": "LSTM.pdf", "accepted": list(CODE_SUFFIXES)},
    "form-expected": {"came": "application/json"},
    "form-unreadable": {"reason": "Missing boundary in multipart."},
    "upload-too-slow": {"limit_seconds": 300.0},
    "deletion-unconfirmed": {"came": "Neural networks"},
    "not-cancellable": {"job_status": "running"},
    "preview-unfinished": {"done": 12, "total": 300},
    "target-refused": {"reason": "10.0.0.5 is in a private network"},
    "invalid-student": {"limit": STUDENT_CHARACTERS},
    "checks-used-up": {"limit": 10, "retry_after_seconds": 600},
    "too-many-requests": {"retry_after_seconds": 2},
    "too-many-webhooks": {"limit": 10},
    "token-made-before": {"id": EXAMPLE_ID},
    "invalid-request": {"errors": [{"location": ["query", "wait"], "message": "Input should be at most 120"}]},
    "storage-unavailable": {"request_id": EXAMPLE_ID},
    "busy": {"request_id": EXAMPLE_ID},
}

#: The course in a path, which `holders.acting_holder` reads.
COURSE_ID = {
    "name": "course_id",
    "in": "path",
    "required": True,
    "description": "the `id` of a course",
    "schema": {
        "type": "string",
        "title": "Course Id",
        "description": "the `id` of a course",
        "examples": [DEFAULT_COURSE],
    },
}
#: Documented answers of an endpoint, by status.
Answers = dict[int | str, dict[str, Any]]
#: Schemas of files.
TEXT, BYTES = {"type": "string"}, {"type": "string", "format": "binary"}
#: The classes with an answer of their own.
ANSWERED = [error for error in EVERY_ANSWER if isinstance(error, type)]
#: The same classes, by their names and by those of their bases.
ERRORS = {
    base.__name__: [error for error in ANSWERED if issubclass(error, base)]
    for each in ANSWERED
    for base in each.__mro__
}
#: The framework's refusals of a JSON body.
JSON_BODY = (400, 413)
#: Refusals of every route that knows its caller by a token.
COMMON = (NotAuthenticated, CourseNotFound, RequestValidationError, TooManyRequests, SQLAlchemyError, NoConnectionFree)

router = APIRouter(include_in_schema=False)
webhook_messages = APIRouter(generate_unique_id_function=lambda route: route.name)


@webhook_messages.post("submission.graded", summary="A submission has a new report", status_code=204)
async def submission_graded(message: GradedMessage) -> None:
    """A message to every webhook whose token may read the report."""


@webhook_messages.post("ping", summary="A test message", status_code=204)
async def ping(message: PingMessage) -> None:
    """The message that `ping_webhook` sends."""


def refusals(*errors: type[Exception] | int) -> Answers:
    """Document the refusals of an endpoint that do not follow from its dependencies (`refused_by`).

    Args:
        errors: classes of exceptions; for the framework's refusals, the status.
    """
    answers: Answers = {}
    _add_problems(answers, errors)
    return answers


def _add_problems(answers: Answers, errors: Iterable[type[Exception] | int]) -> None:
    for error in errors:
        answer = EVERY_ANSWER[error]
        example = problem(answer, "en", EXAMPLE_PARAMS.get(answer.slug, {}))
        documented = answers.setdefault(
            str(answer.status), {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        )
        if answer.status in (429, 503):
            documented["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
        examples = documented["content"][PROBLEM].setdefault("examples", {})
        examples[answer.slug] = {"value": example}
        documented["description"] = "; ".join(each["value"]["title"] for each in examples.values())


def raised_by(action: Action[..., Any]) -> Iterator[type[Exception]]:
    """List the refusals that the docstring of an action names under "Raises:", each before its reason."""
    raises = (inspect.getdoc(action.do) or "").partition("Raises:")[2]
    for line in raises.splitlines():
        for name in line.partition(":")[0].split(","):
            yield from ERRORS.get(name.strip(), ())


def refused_by(dependant: Dependant) -> Iterator[type[Exception] | int]:
    """List the refusals that follow from the dependencies of a route: right, action, ids, body, key."""
    call = dependant.call
    if call is token_holder:
        yield from COMMON
    elif call is monitor:
        yield from (NotAuthenticated, NotPermitted)
    elif isinstance(call, TokenFor | RouteAction):
        holders = call.right.holders
        if not (holders.students and holders.roles == EVERYBODY):
            yield NotPermitted
        if not holders.in_archived:
            yield CourseArchived
    if isinstance(call, RouteAction):
        yield from (*raised_by(call.action), CommitUnanswered)
    for parameter in (*dependant.path_params, *dependant.query_params, *dependant.header_params):
        for rule in parameter.field_info.metadata:
            yield from getattr(getattr(rule, "func", rule), "refusals", ())
    if dependant.body_params:
        yield from JSON_BODY
    for each in dependant.dependencies:
        yield from refused_by(each)


def upload_form(file: Mapping[str, Any], encoding: Mapping[str, Any], **fields: Mapping[str, Any]) -> dict[str, Any]:
    """Document the form of an endpoint that reads a file.

    Args:
        file: its schema, beyond that of any file.
        fields: the schemas of the other fields; those without a default are required.
    """
    properties = {"file": {**BYTES, "minLength": 1, **file}, **fields}
    schema = {
        "type": "object",
        "required": [name for name, field in properties.items() if "default" not in field],
        "additionalProperties": False,
        "properties": properties,
    }
    form = {"schema": schema, "encoding": {"file": encoding}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": form}}}


def file_answer(description: str, media_type: str, schema: Mapping[str, Any] = TEXT, **more: object) -> dict[str, Any]:
    """Document the successful answer of an endpoint that sends a file.

    Args:
        more: beside its schema, such as an example.
    """
    return {"description": description, "content": {media_type: {"schema": schema, **more}}}


ARCHIVE: Answers = {200: file_answer("A zip archive; its last entry is `manifest.json`.", BINARY, BYTES)}


def operation_id(route: APIRoute) -> str:
    """Return the handler's name, which generated clients use for the operation."""
    return route.name


def describe(app: FastAPI, assignment_ids: Sequence[str]) -> None:
    """Give the application its OpenAPI document: FastAPI's, with problem documents, reports and the known assignments.

    The ids of assignments are examples, not an enumeration, so a client generated here works with other assignments.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=DESCRIPTION,
                routes=app.routes,
                webhooks=webhook_messages.routes,
            )
            for context in iter_route_contexts(app.routes):
                if isinstance(context.original_route, APIRoute) and context.include_in_schema:
                    for method in context.methods or ():
                        operation = document["paths"][context.path_format][method.lower()]
                        for each in context.dependant.dependencies:
                            if isinstance(each.call, RouteAction):
                                operation.setdefault("description", each.call.action.description)
                        if "{course_id}" in (context.path_format or ""):
                            operation["parameters"].insert(0, COURSE_ID)
                        responses = operation["responses"]
                        if PROBLEM not in responses.get("422", {}).get("content", {}):
                            # FastAPI documents its own error body, which our handlers replace.
                            responses.pop("422", None)
                        _add_problems(responses, refused_by(context.dependant))
            schemas = document["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema()
            schemas |= _report_schemas()
            for body in ("SubmissionBody", "CheckBody"):
                report = schemas[body]["properties"]["report"]
                report["anyOf"] = [{"$ref": "#/components/schemas/Report"}, {"type": "null"}]
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            for methods in document["webhooks"].values():
                methods["post"]["responses"].pop("422")
            for path in ("/api/v1/submissions", "/api/v1/checks"):
                upload = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
                upload["schema"]["properties"]["assignment"]["examples"] = list(assignment_ids)
            # Pydantic calls a generic model `Page[TokenBody]`, and its component `Page_TokenBody_`.
            text = re.sub(r'(?:Items|Page)[_[](\w+?)(?:Body|Item)?[_\]](?=")', r"\1List", json.dumps(document))
            app.openapi_schema = json.loads(text)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _report_schemas() -> dict[str, Any]:
    text = json.dumps(report_schema()).replace("#/$defs/", "#/components/schemas/")
    schema = json.loads(text)
    del schema["$schema"]
    parts: dict[str, Any] = schema.pop("$defs")
    return {**parts, "Report": {**schema, "title": "Report"}}


@router.get("/docs")
async def docs(request: Request) -> Response:
    return page(
        request,
        "docs.html",
        # Swagger UI draws its arrows from addresses that hold the picture.
        headers={"Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"},
    )
