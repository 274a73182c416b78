"""The OpenAPI document, and the page that shows it, which loads nothing from other sites."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from app.actions.fields import NO_NAME
from app.api.schemas.base import Problem
from app.errors.courses import AssignmentInUse, DeletionUnconfirmed, RulesContradictory
from app.errors.members import EmailTaken, ExternalIdTaken, JoinFollowed, JoinOutdated, MemberJoined, PersonsShareCourse
from app.errors.outgoing import TargetRefused, TooManyWebhooks
from app.errors.requests import TokenMadeBefore, TooManyRequests
from app.errors.submissions import ChecksUsedUp, NotCancellable
from app.errors.teaching import AdjustmentReplaced, PreviewUnfinished, ReviewAnswered, ReviewOpen
from app.errors.uploads import (
    AssignmentUnknown,
    FieldsMissing,
    FieldsUnknown,
    FileEmpty,
    FileTooLarge,
    FileTypeUnsupported,
    FormExpected,
    FormUnreadable,
    StudentInvalid,
    UploadTooSlow,
)
from app.http.pages import page
from app.http.problems import EVERY_ANSWER, PROBLEM, problem
from app.http.uploads import FIELDS
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


def _upload_body(*required: str) -> dict[str, Any]:
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": list(required),
                    "additionalProperties": False,
                    "properties": {
                        "file": {
                            "type": "string",
                            "contentMediaType": "application/octet-stream",
                            "format": "binary",
                            "minLength": 1,
                            "description": f"the notebook or module; its name ends in {', '.join(CODE_SUFFIXES)}",
                        },
                        "student": {
                            "type": "string",
                            "description": "name or id of the student, as the course knows it",
                            "minLength": 1,
                            "maxLength": STUDENT_CHARACTERS,
                            "not": NO_NAME,
                            "examples": ["ivanov"],
                        },
                        "assignment": {"type": "string", "default": DEFAULT_ASSIGNMENT},
                    },
                },
                "encoding": {
                    "file": {
                        "contentType": "application/octet-stream",
                        "headers": {
                            "Content-Disposition": {
                                "description": "names the file",
                                "required": True,
                                "schema": {"type": "string"},
                                "example": 'form-data; name="file"; filename="LSTM.ipynb"',
                            }
                        },
                    }
                },
            }
        },
    }


UPLOAD_BODY = _upload_body("file", "student")
#: Of a student's own token.
OWN_UPLOAD_BODY = _upload_body("file")
EXAMPLE_PARAMS: dict[type[Exception], dict[str, Any]] = {
    MemberJoined: {"member": "01ksvh1y8gk3v0q4m2z7c9x5ab", "join": "01ksvh1y8gk3v0q4m2z7c9x5ac"},
    JoinFollowed: {"join": "01ksvh1y8gk3v0q4m2z7c9x5ab"},
    JoinOutdated: {"changed": ["extension"]},
    PersonsShareCourse: {"courses": ["01ksvh1y8gk3v0q4m2z7c9x5ab"]},
    AdjustmentReplaced: {"expected": None, "current": "01ksvh1y8gk3v0q4m2z7c9x5ab"},
    ReviewAnswered: {"answered_by": "owner"},
    ReviewOpen: {"request": "01ksvh1y8gk3v0q4m2z7c9x5ab"},
    EmailTaken: {"member": "01ksvh1y8gk3v0q4m2z7c9x5ab"},
    ExternalIdTaken: {"member": "01ksvh1y8gk3v0q4m2z7c9x5ab"},
    AssignmentInUse: {"submissions": 42, "decisions": 1},
    RulesContradictory: {
        "fields": ["opens", "due"],
        "opens": "2026-09-08T00:00:00Z",
        "due": "2026-09-01T00:00:00Z",
        "closes": None,
    },
    AssignmentUnknown: {"came": "lstm", "known": [DEFAULT_ASSIGNMENT]},
    FieldsMissing: {"missing": ["student"]},
    FieldsUnknown: {"unknown": ["assigment"], "known": list(FIELDS)},
    FileEmpty: {"filename": "LSTM.ipynb"},
    FileTooLarge: {"limit_bytes": 20 * 1024 * 1024},
    FileTypeUnsupported: {"filename": "LSTM.pdf", "accepted": list(CODE_SUFFIXES)},
    FormExpected: {"came": "application/json"},
    FormUnreadable: {"reason": "Missing boundary in multipart."},
    UploadTooSlow: {"limit_seconds": 300.0},
    DeletionUnconfirmed: {"came": "Neural networks"},
    NotCancellable: {"job_status": "running"},
    PreviewUnfinished: {"done": 12, "total": 300},
    TargetRefused: {"reason": "10.0.0.5 is in a private network"},
    StudentInvalid: {"limit": STUDENT_CHARACTERS},
    ChecksUsedUp: {"limit": 10, "retry_after_seconds": 600},
    TooManyRequests: {"retry_after_seconds": 2},
    TooManyWebhooks: {"limit": 10},
    TokenMadeBefore: {"id": "01ksvh1y8gk3v0q4m2z7c9x5ab"},
    RequestValidationError: {"errors": [{"location": ["query", "wait"], "message": "Input should be at most 120"}]},
    SQLAlchemyError: {"request_id": "01ksvh1y8gk3v0q4m2z7c9x5ab"},
    NoConnectionFree: {"request_id": "01ksvh1y8gk3v0q4m2z7c9x5ab"},
}

#: The framework's refusals of a JSON body.
JSON_BODY = (400, 413)
#: Documented answers of an endpoint, by status.
Answers = dict[int | str, dict[str, Any]]

router = APIRouter(include_in_schema=False)
webhook_messages = APIRouter(generate_unique_id_function=lambda route: route.name)


@webhook_messages.post("submission.graded", summary="A submission has a new report", status_code=204)
async def submission_graded(message: GradedMessage) -> None:
    """A message to every webhook whose token may read the report."""


@webhook_messages.post("ping", summary="A test message", status_code=204)
async def ping(message: PingMessage) -> None:
    """The message that `ping_webhook` sends."""


def problem_answers(*errors: type[Exception] | int) -> Answers:
    """Document the refusals of an endpoint, by status.

    Args:
        errors: classes of exceptions; for the framework's refusals, the status.
    """
    answers: Answers = {}
    for error in errors:
        answer = EVERY_ANSWER[error]
        example = problem(answer, "en", EXAMPLE_PARAMS.get(error, {}) if isinstance(error, type) else {})
        documented = answers.setdefault(
            answer.status,
            {
                "description": "",
                "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        if answer.status in (429, 503):
            documented["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
        documented["description"] = "; ".join(filter(None, [documented["description"], example["title"]]))
        documented["content"][PROBLEM]["examples"][answer.slug] = {"value": example}
    return answers


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
            schemas = document["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema()
            schemas |= _report_schemas()
            for body in ("SubmissionBody", "CheckBody"):
                report = schemas[body]["properties"]["report"]
                report["anyOf"] = [{"$ref": "#/components/schemas/Report"}, {"type": "null"}]
            # FastAPI documents its own error body, which our handlers replace.
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            for methods in document["webhooks"].values():
                methods["post"]["responses"].pop("422")
            for path in ("/api/v1/submissions", "/api/v1/checks"):
                upload = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
                upload["schema"]["properties"]["assignment"]["examples"] = list(assignment_ids)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _report_schemas() -> dict[str, Any]:
    """Return the schemas of a report and of its parts, as components."""
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
